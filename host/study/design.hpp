// SPDX-License-Identifier: Apache-2.0
// The points of a study: which levels the axes take together.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "host/study/axes.hpp"

namespace headroom::study {

// One level for each axis.
using Point = std::vector<Level>;

enum class Design {
  grid,           // every level with every other
  one_at_a_time,  // the base, then each axis by itself
  centred,        // the base, each axis at its first and last level, and the corners of these (face-centred
                  // composite)
  latin,          // Latin hypercube: each axis in equal parts, each part once (McKay, Beckman and Conover 1979)
  sobol,          // Sobol's sequence with Owen's scrambling (by hash: Burley, JCGT 9, 2020)
};

// Most points of a study.
inline constexpr std::size_t kMostPoints = 1'000'000;

// `count`, `seed`: of latin and sobol. Equal points are kept once. Throws std::invalid_argument, with the
// remedy, if the axes do not fit the design.
std::vector<Point> points_of(Design design, const std::vector<Axis>& axes, const Company& base,
                             std::size_t count, std::uint64_t seed);

// The level at which an axis leaves the config as it is.
Level base_level(const Axis& axis, const Company& base);

// Points from a CSV file. Its head holds axes as in parse_axis() without values ('late =
// site.*.unplanned_months', or a key), its rows the values. Throws config::ConfigError with places in the file.
struct Listed {
  std::vector<Axis> axes{};
  std::vector<Point> points{};
};
Listed read_points(const std::string& file, const Base& base);

}  // namespace headroom::study
