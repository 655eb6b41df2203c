// SPDX-License-Identifier: Apache-2.0
// Helpers of the model's tables. A table is a list with one row for each thing that it names. The
// enumerators, names, units and loops over the rows all follow from the list.
#pragma once

#include <cstddef>
#include <cstdint>

#include "headroom/hd.hpp"

namespace headroom {

// How an integer in a path's results represents a value.
enum class Scale : std::int32_t {
  money,        // ledger units
  fixed_point,  // 1e-4 units: kFixedOne
  whole,        // the integer itself
};

// An enumerator as a type. A loop over a table passes it to its body, and it selects the row's formula.
template <auto enumerator>
struct Of {
  static constexpr auto value = enumerator;
};

// well_named() checks that every row has a name, and that no two rows have the same name.
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
