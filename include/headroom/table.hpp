// SPDX-License-Identifier: Apache-2.0
// What the tables of the model share. A table is a list with one row for each thing that it names; enumerators,
// names, units and loops over the rows all follow from the list.
#pragma once

#include <cstddef>
#include <cstdint>

#include "headroom/hd.hpp"

namespace headroom {

// How an integer that a path reports stands for its value.
enum class Scale : std::int32_t {
  money,        // ledger units
  fixed_point,  // 1e-4 units: kFixedOne
  whole,        // the integer itself
};

// An enumerator as a type: what a loop over a table hands to its body, and what selects the row's formula.
template <auto enumerator>
struct Of {
  static constexpr auto value = enumerator;
};

// Whether every row has a name that no other row has: the check that no row was forgotten in a hurry.
constexpr bool same_text(const char* a, const char* b) {
  while (*a != '\0' && *a == *b) ++a, ++b;
  return *a == *b;
}
template <class Row, std::size_t rows>
constexpr bool well_named(const Row (&table)[rows]) {
  for (std::size_t i = 0; i < rows; ++i) {
    if (same_text(table[i].name, "") || same_text(table[i].label, "")) return false;
    for (std::size_t k = 0; k < i; ++k) {
      if (same_text(table[i].name, table[k].name)) return false;
    }
  }
  return true;
}

}  // namespace headroom
