// SPDX-License-Identifier: Apache-2.0
// Points against the first one, the base: a stress table, and a tornado.
#pragma once

#include <string>
#include <vector>

#include "host/study/study.hpp"

namespace headroom::study {

// Each figure of each point, with its difference to the base: figure, unit, the axes, value, low, high,
// difference, difference.low, difference.high.
std::string compare_csv(const Study& study, const Results& results);

// Figures as rows, the points of one axis as columns, differences and their paired intervals below, and which
// point is worst.
std::string stress_text(const Study& study, const Results& results);

// The overlays in the folder `stress` beside a config that can be laid over it, by name; `refused`: the others.
std::vector<std::string> house_stresses(const Base& base, std::vector<std::string>& refused);

// One axis for each number of the market, of delays, ratings and defaults that is not zero, at (1 - swing) and
// (1 + swing) times its value, and one for the forward rates, a percentage point lower and higher. Levels that
// the config refuses are left out, and so are axes without a level. A list moves as a whole.
std::vector<Axis> tornado_axes(const Base& base, double swing);

// The inputs by the size of their effect on a figure, at most `most` of them.
std::string tornado_text(const Study& study, const Results& results, const std::string& figure,
                         std::size_t most);

}  // namespace headroom::study
