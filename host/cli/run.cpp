// SPDX-License-Identifier: Apache-2.0
#include "host/run/run.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <limits>
#include <optional>

#include "headroom_build.hpp"
#include "host/cli/interrupt.hpp"
#include "host/cli/options.hpp"
#include "host/cli/progress.hpp"
#include "host/cli/streams.hpp"
#include "host/report/folder.hpp"
#include "host/report/report.hpp"
#include "host/run/backend.hpp"

namespace headroom::cli {

namespace {

Usage run_usage() {
  Usage usage;
  usage.command = "run";
  usage.argument = "CONFIG";
  usage.about =
      "Simulates the company of CONFIG month by month on many random paths. Prints distributions of free\n"
      "cash flow, and probabilities of covenant breach and of liquidity default. The result depends only\n"
      "on config, seed and paths, not on backend, threads or instruction set.\n";
  auto add = usage.options.add_options();
  add("paths", po::value<std::string>()->default_value("100k")->value_name("N"),
      "number of paths: 1000000, 1e6, 1M, 250k");
  add("exact-paths", po::value<std::string>()->default_value(std::to_string(kExactPaths))->value_name("N"),
      "with up to N paths every quantile is exact (4 bytes per path and figure); with more, quantiles come "
      "from histograms, and the output states their resolution");
  add("seed", po::value<std::string>()->default_value("1")->value_name("S"), "seed of the random numbers");
  add("first-path", po::value<std::string>()->default_value("0")->value_name("P"),
      "index of the first path, to repeat part of a larger run or a single path");
  add("backend", po::value<std::string>()->default_value("auto")->value_name("B"),
      "auto (a CUDA card if one is available, else the CPU), cpu or cuda");
  add("threads", po::value<std::string>()->default_value("0")->value_name("K"),
      "CPU threads; 0: one for each core that the process may use");
  add("isa", po::value<std::string>()->default_value("auto")->value_name("I"),
      "CPU instruction set: auto (the best of this processor), baseline, avx2 or avx512");
  add("out", po::value<std::string>()->value_name("DIR"),
      "write summary.json, fcf.csv, covenants.csv, monthly.csv, results.csv, inputs.toml (the config as used) "
      "and manifest.json into DIR, all together");
  add("figures", po::value<std::string>()->value_name("PATTERNS"),
      "also observe and print the figures with these names, separated by commas: "
      "'breach.*.24m,debt.2027-12.*'; headroom figures lists all names");
  add("quiet", "no progress on standard error");
  add("progress-seconds", po::value<std::string>()->default_value("30")->value_name("S"),
      "where standard error is not a terminal: a line of progress every S seconds");
  add_config_options(usage);
  usage.examples =
      "  headroom run configs/coreweave-1q26.toml --paths 1e6 --out results\n"
      "  headroom run configs/nebius-1q26.toml --set site.vineland-1.gpus=50000 --seed 7\n";
  return usage;
}

// A request, and where it runs and writes.
struct Invocation {
  Request request{};
  std::string backend{}, folder{};
  std::vector<std::string> command{};
  bool quiet = false;
  int progress_seconds = 0;
};

Invocation read_invocation(const po::variables_map& options) {
  Invocation invocation;
  Request& request = invocation.request;
  request.paths = {parse_seed("seed", options["seed"].as<std::string>()),
                   parse_seed("first-path", options["first-path"].as<std::string>()),
                   parse_paths("paths", options["paths"].as<std::string>())};
  request.exact_paths = parse_paths("exact-paths", options["exact-paths"].as<std::string>());
  if (request.paths.first > std::numeric_limits<std::uint64_t>::max() - request.paths.count) {
    throw UsageError("--first-path and --paths together go beyond path 2^64 - 1; start lower");
  }
  request.threads = parse_count("threads", options["threads"].as<std::string>(), 0, 4096);
  invocation.backend = parse_backend(options);
  request.isa = parse_isa(options);
  if (options.count("figures") != 0) request.figures = parse_patterns(options["figures"].as<std::string>());
  invocation.folder = parse_path(options, "out");
  request.by_month = !invocation.folder.empty();
  invocation.quiet = options.count("quiet") != 0;
  invocation.progress_seconds =
      parse_count("progress-seconds", options["progress-seconds"].as<std::string>(), 1, 86400);
  request.stop = &stop_asked;
  return invocation;
}

std::string host_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

int interrupted(std::uint64_t done, std::uint64_t total) {
  say(fmt::format("interrupted; {} of {} paths were done, nothing was written", done, total));
  return kInterrupted;
}

int run(const Company& company, const Invocation& invocation) {
  Request request = invocation.request;
  const std::string& folder = invocation.folder;
  const Chosen chosen = choose_backend(invocation.backend, request.isa);
  if (chosen.backend->name() == "cpu") {
    check_memory(*chosen.backend, company.data.view(), request.paths.count, request.exact_paths,
                 request.threads);
  }
  const auto started = std::chrono::system_clock::now();
  std::optional<report::ResultFolder> results;
  if (!folder.empty()) results.emplace(folder);

  Result result;
  std::uint64_t done = 0;
  try {
    Progress progress(invocation.quiet, invocation.progress_seconds);
    request.progress = [&](std::uint64_t now, std::uint64_t total) {
      done = now;
      progress.update(now, total);
    };
    result = headroom::run(company, *chosen.backend, request);
  } catch (const Interrupted&) {
    return interrupted(done, request.paths.count);
  }
  const Scenario scenario = result.data.view();
  const RiskReport& risk = result.risk;

  report::RunFacts facts;
  facts.version = build::version;
  facts.commit = build::commit;
  facts.backend = chosen.backend->name();
  facts.reason = chosen.reason;
  facts.device = result.answers.device;
  facts.threads = request.threads;
  facts.isa = request.isa;
  facts.simulation_seconds = result.answers.seconds;
  facts.analysis_seconds = result.analysis_seconds;
  facts.id = report::new_run_id();
  facts.command = invocation.command;
  facts.host = host_name();
  facts.started = utc(started);
  facts.finished = utc(std::chrono::system_clock::now());
  facts.asked_paths = request.paths.count;
  facts.exact_paths = request.exact_paths;
  // All paths were done: a request to stop that came later has cut nothing.
  const bool interrupted_early = risk.paths < request.paths.count;
  // Write the files before the text, because a reader may close the pipe.
  std::string trouble;
  if (results) {
    try {
      results->write(facts.id, report::result_files(company, result, facts));
    } catch (const report::OutputError& error) {
      trouble = error.what();
    }
  }
  show(report::run_text(company, scenario, risk, result.guidance, facts));
  if (!request.figures.empty()) show(report::figures_text(result.figures(request.figures)));
  if (!folder.empty() && trouble.empty())
    show(fmt::format("Written to {}: {}\n", folder, fmt::join(report::kResultNames, ", ")));

  if (interrupted_early) {
    say(fmt::format("interrupted; the result is that of the first {} of {} paths", risk.paths,
                    request.paths.count));
  }
  if (!trouble.empty()) {
    say(trouble + (output_trouble().empty() ? "; the result is printed above" : ""));
  }
  if (risk.violations.paths > 0) {
    say(
        fmt::format("{} paths violate identities of the model; the result is not to be trusted. {}. To repeat "
                    "the first of them: --seed {} --first-path {} --paths 1",
                    risk.violations.paths, kIdentityRemedy, risk.seed, risk.violations.first_path));
    return kIdentityFailed;
  }
  if (!trouble.empty()) return kCannotWrite;
  return interrupted_early ? kInterrupted : kOk;
}

}  // namespace

int run_command(const Arguments& arguments) {
  const auto options = parse(run_usage(), arguments);
  if (!options) return kOk;
  Invocation invocation = read_invocation(*options);
  invocation.command = {"headroom", "run"};
  invocation.command.insert(invocation.command.end(), arguments.begin(), arguments.end());
  const StopOnSignals guard(!invocation.folder.empty());
  const Company company = load(*options);
  say_warnings(company, *options);
  return run(company, invocation);
}

}  // namespace headroom::cli
