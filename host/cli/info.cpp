// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <thread>

#include "headroom_build.hpp"
#include "host/cli/options.hpp"
#include "host/cli/streams.hpp"
#include "host/cpu/isa.hpp"
#include "host/engine/engine.hpp"
#include "host/engine/threads.hpp"

namespace headroom::cli {

int info_command(const Arguments& arguments) {
  Usage usage;
  usage.command = "info";
  usage.about = "Prints version, build, backends, card and instruction sets, for a bug report.\n";
  usage.examples = "  headroom info\n";
  if (!parse(usage, arguments)) return kOk;
  const CudaProbe cuda = probe_cuda();
  std::string text = fmt::format("headroom {}, commit {}\n", build::version, build::commit);
  text += fmt::format("build       {}, {}, {}\n", build::build_type, build::compiler, build::flags);
  text += fmt::format("cpu         {} threads of {}, instruction sets: {}\n", available_cores(),
                      std::thread::hardware_concurrency(), fmt::join(cpu_isas(), ", "));
  text += fmt::format("cuda        {}\n",
                      cuda.built ? fmt::format("built with nvcc {}", build::cuda) : "not built");
  text += fmt::format("card        {}{}\n", cuda.usable ? "" : "none: ", cuda.text);
  text += fmt::format("--backend auto chooses {}\n", cuda.usable ? "cuda" : "cpu");
  show(text);
  return kOk;
}

}  // namespace headroom::cli
