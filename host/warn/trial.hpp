// SPDX-License-Identifier: Apache-2.0
// A company whose amounts leave the ledger, or whose market is not finite, is refused before it is run.
#pragma once

#include "host/config/company.hpp"

namespace headroom {

// Runs the plan and 256 paths. Throws config::ConfigError, with the numbers that look like a slip of a unit.
void try_company(const Company& company);

}  // namespace headroom
