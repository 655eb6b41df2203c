// SPDX-License-Identifier: Apache-2.0
#include "host/cpu/isa.hpp"

#include <algorithm>
#include <stdexcept>

#include "headroom_isas.hpp"

namespace headroom {

namespace {

bool processor_has(const std::string& isa) {
#if defined(__x86_64__)
  if (isa == "avx2") return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (isa == "avx512") {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("fma");
  }
#endif
  return isa == "baseline";
}

std::vector<Isa> usable_isas() {
  std::vector<Isa> all;
#define HEADROOM_ADD_ISA(name) all.push_back({#name, name::run_block, name::draw_floor});
  HEADROOM_FOR_EACH_ISA(HEADROOM_ADD_ISA)
#undef HEADROOM_ADD_ISA
  std::erase_if(all, [](const Isa& isa) { return !processor_has(isa.name); });
  return all;
}

}  // namespace

Isa choose_isa(const std::string& wanted) {
  const std::vector<Isa> usable = usable_isas();
  if (wanted == "auto") return usable.back();
  const auto found =
      std::find_if(usable.begin(), usable.end(), [&](const Isa& isa) { return isa.name == wanted; });
  if (found == usable.end())
    throw std::invalid_argument("this processor does not support instruction set '" + wanted + "'");
  return *found;
}

std::vector<std::string> cpu_isas() {
  std::vector<std::string> names;
  for (const Isa& isa : usable_isas()) names.push_back(isa.name);
  return names;
}

}  // namespace headroom
