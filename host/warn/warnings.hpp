// SPDX-License-Identifier: Apache-2.0
// Numbers that look like a slip of a unit: a price per month for one per hour, kW for MW, thousands for
// millions. Each is compared with the usual range of its key, or of its ratio to a neighbour: the table is in
// usual.cpp.
#pragma once

#include <vector>

#include "host/config/company.hpp"
#include "host/config/problems.hpp"

namespace headroom {

// At most one a place, by file, line and column. Runs the plan, for its EBITDA margin.
std::vector<config::Problem> warnings_of(const Company& company);

}  // namespace headroom
