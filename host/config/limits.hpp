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

}  // namespace headroom::config
