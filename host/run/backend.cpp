// SPDX-License-Identifier: Apache-2.0
#include "host/run/backend.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "host/cpu/isa.hpp"
#include "host/engine/memory.hpp"
#include "host/run/simulation.hpp"

namespace headroom {

Chosen choose_backend(const std::string& wanted, const std::string& isa) {
  if (isa != "auto") {
    const std::vector<std::string> here = cpu_isas();
    if (std::find(here.begin(), here.end(), isa) == here.end()) {
      throw BackendError(
          fmt::format("this processor cannot run --isa {}; it has {}", isa, fmt::join(here, ", ")));
    }
  }
  if (wanted == "cpu") return {make_cpu_backend(), ""};
  const CudaProbe cuda = probe_cuda();
  if (wanted == "cuda") {
    if (!cuda.usable) {
      throw BackendError(fmt::format(
          "--backend cuda is not available: {}; --backend cpu gives the same results, bit for bit", cuda.text));
    }
    return {make_cuda_backend(), ""};
  }
  if (cuda.usable) return {make_cuda_backend(), "chosen because a card is available"};
  return {make_cpu_backend(), fmt::format("chosen because cuda is not available ({})", cuda.text)};
}

void check_memory(const Backend& backend, const Scenario& scenario, std::uint64_t paths,
                  std::uint64_t exact_paths, int threads) {
  const auto available = available_memory();
  if (!available) return;
  const std::uint64_t needed = simulation_bytes(backend, scenario, paths, exact_paths, threads);
  if (needed <= *available) return;
  const std::uint64_t fitting = *available / simulation_bytes(backend, scenario, 1, 1, threads);
  throw MemoryError(fmt::format(
      "{} paths need {:.1f} GB for their kept columns and {:.1f} GB is free (a path keeps {} figures of "
      "4 bytes, and sorting takes more); run at most --paths {}, or with --exact-paths {} or less",
      paths, static_cast<double>(needed) / 1e9, static_cast<double>(*available) / 1e9,
      column_layout(scenario).count(), fitting, fitting));
}

}  // namespace headroom
