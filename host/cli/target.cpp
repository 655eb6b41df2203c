// SPDX-License-Identifier: Apache-2.0
#include "host/cli/target.hpp"

#include <fmt/format.h>

#include <limits>
#include <vector>

#include "host/replay/stored_run.hpp"

namespace headroom::cli {

void add_target_options(Usage& usage) {
  auto add = usage.options.add_options();
  add("paths", po::value<std::string>()->value_name("N"),
      "of a config: number of paths, as for headroom run (default 100k); a folder has its own");
  add("seed", po::value<std::string>()->value_name("S"), "of a config: seed (default 1)");
  add("first-path", po::value<std::string>()->value_name("P"),
      "of a config: index of the first path (default 0)");
  add_config_options(usage);
}

Target load_target(const po::variables_map& options) {
  Target target;
  target.given = options["config"].as<std::vector<std::string>>().front();
  if (is_folder(target.given)) {
    for (const char* name : {"paths", "seed", "first-path", "set", "overlay", "months", "strict"}) {
      if (options.count(name) != 0) {
        throw UsageError(
            fmt::format("--{} does not go with a result folder (its run is what it is); give the "
                        "config, or run again with --out",
                        name));
      }
    }
    const StoredRun run = read_stored_run(target.given);
    target.company = load_stored_company(run);
    target.paths = run.paths;
    return target;
  }
  const auto text = [&](const char* name, const char* otherwise) {
    return options.count(name) == 0 ? std::string(otherwise) : options[name].as<std::string>();
  };
  target.paths = {parse_seed("seed", text("seed", "1")), parse_seed("first-path", text("first-path", "0")),
                  parse_paths("paths", text("paths", "100k"))};
  if (target.paths.first > std::numeric_limits<std::uint64_t>::max() - target.paths.count)
    throw UsageError("--first-path and --paths together go beyond path 2^64 - 1; start lower");
  target.company = load(options);
  for (const char* name : {"set", "overlay"}) {
    if (options.count(name) == 0) continue;
    for (const std::string& value : options[name].as<std::vector<std::string>>())
      target.given += fmt::format(" --{} '{}'", name, value);
  }
  for (const char* name : {"months", "seed"}) {
    if (options.count(name) != 0)
      target.given += fmt::format(" --{} {}", name, options[name].as<std::string>());
  }
  return target;
}

}  // namespace headroom::cli
