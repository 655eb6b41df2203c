// SPDX-License-Identifier: Apache-2.0
// Limits of what is read: far beyond any company, and far below what ends the stack or the memory.
#pragma once

#include <cstddef>

namespace headroom::config {

constexpr std::size_t kMostBytes = std::size_t{16} << 20U;  // of a file
constexpr std::size_t kMostParts = 32;                      // of a key: a.b.c has 3
constexpr std::size_t kMostNested = 32;                     // brackets in brackets
constexpr std::size_t kMostIncludes = 32;                   // files, each included by the one before
constexpr std::size_t kMostElements = 4096;                 // of an array of tables

// A number that is not 0 lies between these, so that products and ratios of a few stay finite in single
// precision.
constexpr double kLeastNumber = 1e-12, kMostNumber = 1e12;

}  // namespace headroom::config
