// SPDX-License-Identifier: Apache-2.0
#include "host/replay/verify.hpp"

#include <fmt/format.h>

#include "headroom_build.hpp"
#include "host/cli/options.hpp"
#include "host/cli/streams.hpp"
#include "host/run/backend.hpp"

namespace headroom::cli {

namespace {

Usage verify_usage() {
  Usage usage;
  usage.command = "verify";
  usage.argument = "DIR...";
  usage.folders = true;
  usage.about =
      "Checks that a run's folders hold what their runs wrote: every file against the checksum in\n"
      "manifest.json, and inputs.toml against the config that was run. With --all the paths are run again, "
      "and\n"
      "the CSV files must have the same bytes. Exit code 0 if all is well, 2 if a folder holds something "
      "else.\n";
  auto add = usage.options.add_options();
  add("all", "run all paths again");
  add("backend", po::value<std::string>()->default_value("auto")->value_name("B"), "auto, cpu or cuda");
  add("threads", po::value<std::string>()->default_value("0")->value_name("K"), "CPU threads; 0: all");
  add("isa", po::value<std::string>()->default_value("auto")->value_name("I"),
      "CPU instruction set: auto, baseline, avx2 or avx512");
  usage.examples = "  headroom verify results\n  headroom verify results --all --backend cuda\n";
  return usage;
}

}  // namespace

int verify_command(const Arguments& arguments) {
  const Usage usage = verify_usage();
  const auto options = parse(usage, arguments);
  if (!options) return kOk;
  const std::vector<std::string> folders = parse_folders(usage, *options);
  const int threads = parse_count("threads", (*options)["threads"].as<std::string>(), 0, 4096);
  const Chosen chosen = choose_backend(parse_backend(*options), parse_isa(*options));
  bool well = true;
  for (const std::string& folder : folders) {
    const StoredRun run = read_stored_run(folder);
    std::vector<std::string> problems = check_files(run);
    std::string done = fmt::format("{} files as written", run.files.size());
    try {
      if (options->count("all") != 0) {
        const std::vector<std::string> more = run_again(run, *chosen.backend, threads);
        problems.insert(problems.end(), more.begin(), more.end());
        done += fmt::format(", and {} paths give the same bytes again", run.paths.count);
      } else {
        load_stored_company(run);
      }
    } catch (const StoredRunError& error) {
      problems.emplace_back(error.what());
    } catch (const config::ConfigError&) {
      problems.emplace_back("inputs.toml: it is no config any more; headroom check says why");
    }
    if (problems.empty()) {
      show(fmt::format("{}: {}\n", folder, done));
      continue;
    }
    well = false;
    for (const std::string& each : problems) show(fmt::format("{}: {}\n", folder, each));
    if (run.version != build::version || run.commit != build::commit) {
      show(fmt::format("{}: it was written by headroom {} ({}), and this is {} ({})\n", folder, run.version,
                       run.commit, build::version, build::commit));
    }
  }
  return well ? kOk : kBadInput;
}

}  // namespace headroom::cli
