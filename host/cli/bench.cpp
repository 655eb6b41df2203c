// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <filesystem>
#include <regex>
#include <system_error>

#include "host/bench/suite.hpp"
#include "host/cli/interrupt.hpp"
#include "host/cli/options.hpp"
#include "host/cli/streams.hpp"
#include "host/cpu/isa.hpp"
#include "host/report/files.hpp"
#include "host/run/backend.hpp"

namespace headroom::cli {

namespace {

Usage bench_usage() {
  Usage usage;
  usage.command = "bench";
  usage.about =
      "Measures this machine: random numbers alone, memory copies, paths of three companies, reductions,\n"
      "whole runs, a study, and the cost of one more object. Every row's answer is checked before it is\n"
      "timed. Compare rows of one run only, and let the machine do nothing else.\n";
  auto add = usage.options.add_options();
  add("filter", po::value<std::string>()->default_value("")->value_name("REGEX"),
      "only rows whose name matches: floor, paths/coreweave.*60m, whole, study, object");
  add("repetitions", po::value<std::string>()->default_value("5")->value_name("N"),
      "repetitions of each row, after a warm-up");
  add("row-seconds", po::value<std::string>()->default_value("30")->value_name("S"),
      "skip a row that would take longer (its name is still printed); 3600 runs all rows");
  add("backend", po::value<std::string>()->default_value("auto")->value_name("B"), "auto, cpu or cuda");
  add("threads", po::value<std::string>()->default_value("0")->value_name("K"),
      "CPU threads; 0: one for each core that the process may use");
  add("isa", po::value<std::string>()->default_value("auto")->value_name("I"),
      "CPU instruction set: auto, baseline, avx2 or avx512");
  add("configs", po::value<std::string>()->default_value("configs")->value_name("DIR"),
      "folder of the companies' configs");
  add("json", po::value<std::string>()->value_name("FILE"),
      "also write the rows to FILE, with machine, compiler, flags and commit");
  usage.examples =
      "  headroom bench --filter 'floor|paths/.*/60m/1e\\+05'\n"
      "  headroom bench --row-seconds 3600 --json results.json\n";
  return usage;
}

bench::Settings read_settings(const po::variables_map& options) {
  bench::Settings settings;
  settings.filter = options["filter"].as<std::string>();
  try {
    const std::regex valid(settings.filter, std::regex::ECMAScript);
  } catch (const std::regex_error&) {
    throw UsageError(fmt::format("--filter '{}' is not a regular expression (ECMAScript)", settings.filter));
  }
  settings.repetitions = parse_count("repetitions", options["repetitions"].as<std::string>(), 1, 1000);
  settings.row_seconds = parse_count("row-seconds", options["row-seconds"].as<std::string>(), 1, 1'000'000);
  settings.threads = parse_count("threads", options["threads"].as<std::string>(), 0, 4096);
  settings.isa = parse_isa(options);
  settings.configs = options["configs"].as<std::string>();
  std::error_code ignored;
  if (!std::filesystem::exists(std::filesystem::path(settings.configs) / "demo.toml", ignored)) {
    throw UsageError(fmt::format("no demo.toml in '{}'; give --configs the folder of the companies' configs",
                                 settings.configs));
  }
  settings.program = std::filesystem::read_symlink("/proc/self/exe").string();
  settings.stop = &stop_asked;
  return settings;
}

}  // namespace

int bench_command(const Arguments& arguments) {
  const auto options = parse(bench_usage(), arguments);
  if (!options) return kOk;
  bench::Settings settings = read_settings(*options);
  const Chosen chosen = choose_backend(parse_backend(*options), settings.isa);
  settings.backend = chosen.backend->name();
  const std::string device =
      settings.backend == "cuda" ? probe_cuda().text : "cpu, " + cpu_isas().back() + " at best";
  const std::filesystem::path json = parse_path(*options, "json");
  if (!json.empty()) report::prepare_file(json);

  const StopOnSignals guard(!json.empty());
  std::vector<bench::Row> rows;
  bool wrong = false, interrupted = false;
  show(fmt::format("{}{}\n{}", device, chosen.reason.empty() ? "" : " (" + chosen.reason + ")",
                   bench::table_head()));
  try {
    bench::run_suite(settings, [&](const bench::Row& row) {
      rows.push_back(row);
      wrong = wrong || row.wrong;
      show(bench::table_line(row));
      // Nobody sees the rows to come.
      if (json.empty() && !output_trouble().empty()) throw report::OutputError(output_trouble());
    });
  } catch (const Interrupted&) {
    interrupted = true;
  }
  if (rows.empty() && !interrupted)
    throw UsageError(fmt::format("no row's name holds '{}'; nothing was measured or written", settings.filter));
  show(bench::table_foot());
  if (!json.empty() && !rows.empty()) {
    std::vector<std::string> command = {"headroom", "bench"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    report::write_file(json, bench::to_json(settings, command, device, rows, !interrupted));
  }
  if (interrupted) {
    say(fmt::format("interrupted; {} rows were measured{}", rows.size(),
                    json.empty() || rows.empty() ? "" : ", and written as not complete"));
    return kInterrupted;
  }
  if (wrong) say("the answer of a row is wrong: its time means nothing. " + std::string(kIdentityRemedy));
  return wrong ? kIdentityFailed : kOk;
}

}  // namespace headroom::cli
