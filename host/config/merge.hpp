// SPDX-License-Identifier: Apache-2.0
// Lays one file's values over another's.
#pragma once

#include <string>
#include <vector>

#include "host/config/node.hpp"
#include "host/config/problems.hpp"
#include "host/config/reader.hpp"

namespace headroom::config {

// Merges `over` into `base`. Changes are recorded in `log`, if given.
void merge(Node& base, Node over, const std::string& path, std::vector<Override>* log, Problems& problems);

}  // namespace headroom::config
