// SPDX-License-Identifier: Apache-2.0
// The text of `headroom why`.
#pragma once

#include <string>

#include "host/why/why.hpp"

namespace headroom::report {

// For each event its factors, sites and customers, and storylines. `target`: the folder or config as given, for
// the commands that replay a path. Factors that do nothing to an event are left out.
std::string reasons_text(const Company& company, const WhyReport& report, const std::string& target);

// The same for a single path: each factor's part, and its minimal sets.
std::string path_reasons_text(const WhyReport& report, std::uint64_t path, const std::string& target);

// A set of factors in words: "late or lost sites with interest rates".
std::string set_words(const std::vector<Cause>& groups, CauseSet set);
// What a storyline says of its paths.
std::string storyline_words(const std::vector<Cause>& groups, const Storyline& line);

}  // namespace headroom::report
