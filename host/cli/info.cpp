// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <thread>

#include "headroom_build.hpp"
#include "host/cli/options.hpp"
#include "host/cpu/isa.hpp"
#include "host/engine/engine.hpp"

namespace headroom::cli {

int info_command(const Arguments& arguments) {
  Usage usage;
  usage.command = "info";
  usage.about = "Prints version, build, backends, card and instruction sets, for a bug report.\n";
  usage.examples = "  headroom info\n";
  if (!parse(usage, arguments)) return kOk;
  const CudaProbe cuda = probe_cuda();
  fmt::print("headroom {}, commit {}\n", build::version, build::commit);
  fmt::print("build       {}, {}, {}\n", build::build_type, build::compiler, build::flags);
  fmt::print("cpu         {} threads, instruction sets: {}\n", std::thread::hardware_concurrency(),
             fmt::join(cpu_isas(), ", "));
  fmt::print("cuda        {}\n", cuda.built ? fmt::format("built with nvcc {}", build::cuda) : "not built");
  fmt::print("card        {}{}\n", cuda.usable ? "" : "none: ", cuda.text);
  fmt::print("--backend auto chooses {}\n", cuda.usable ? "cuda" : "cpu");
  return kOk;
}

}  // namespace headroom::cli
