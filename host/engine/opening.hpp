// SPDX-License-Identifier: Apache-2.0
// The law of a site's opening, from its stages' delays.
#pragma once

#include "headroom/scenario.hpp"

namespace headroom {

// Months after as_of.
struct Opening {
  Real ready, delivery;
};

// The opening of a site that is built at the quantile q of all its openings, and the delivery of its GPUs at
// the quantile q of theirs. The opening is the last stage's end and the commissioning; the systemic draw is
// common to all. From 2,048 points of a low-discrepancy sequence (M. Roberts' R_d, 2018); the probability at
// the result is within 0.01 of q. q in (0, 1).
Opening opening_at(const Site& site, double q);

// The opening with each stage's delay, and the commissioning's, at its median.
Opening median_opening(const Site& site);

}  // namespace headroom
