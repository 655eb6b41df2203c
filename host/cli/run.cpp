// SPDX-License-Identifier: Apache-2.0
#include "host/run/run.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <array>
#include <chrono>
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
  add("out", po::value<std::string>()->value_name("DIR"),
      "write summary.json, fcf.csv, covenants.csv, monthly.csv, results.csv, inputs.toml (the config as used) "
      "and manifest.json into DIR, all together");
  add("figures", po::value<std::string>()->value_name("PATTERNS"),
      "also observe and print the figures with these names, separated by commas: "
      "'breach.*.24m,debt.2027-12.*'; headroom figures lists all names");
  add("paths-out", po::value<std::string>()->value_name("FILE.npy"),
      "write the values of each path as a NumPy structured array, 8 bytes per path and column, named as the "
      "figures; "
      "for up to --exact-paths paths");
  add_run_options(usage);
  add_gate_options(usage);
  add_config_options(usage);
  usage.examples =
      "  headroom run configs/coreweave-1q26.toml --paths 1e6 --out results\n"
      "  headroom run configs/nebius-1q26.toml --set site.vineland-1.gpus=50000 --seed 7\n";
  return usage;
}

// A request, and where it runs and writes.
struct Invocation : RunOptions {
  std::string folder{}, paths_file{};
  std::vector<std::string> command{};
  std::vector<study::Gate> gates{};
};

Invocation read_invocation(const po::variables_map& options) {
  Invocation invocation{read_run_options(options)};
  invocation.gates = read_gates(options);
  invocation.folder = parse_path(options, "out");
  invocation.paths_file = parse_path(options, "paths-out");
  const Request& request = invocation.request;
  if (!invocation.paths_file.empty()) {
    if (request.paths.count > request.exact_paths)
      throw UsageError(
          fmt::format("--paths-out keeps every path, and --paths {} is more than --exact-paths {}; lower "
                      "the one or raise the other",
                      request.paths.count, request.exact_paths));
    report::prepare_file(invocation.paths_file);
  }
  invocation.request.by_month = !invocation.folder.empty();
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

int run(const Company& company, const Invocation& invocation, const po::variables_map& options) {
  Request request = invocation.request;
  for (const study::Gate& gate : invocation.gates) request.figures.push_back(gate.figure);
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
  if (results || !invocation.paths_file.empty()) {
    try {
      if (!invocation.paths_file.empty()) report::write_paths(invocation.paths_file, result);
      if (results) results->write(facts.id, report::result_files(company, result, facts));
    } catch (const report::OutputError& error) {
      trouble = error.what();
    }
  }
  show(report::run_text(company, scenario, risk, result.guidance, facts));
  const std::vector<std::string>& asked = invocation.request.figures;
  if (!asked.empty()) show(report::figures_text(result.figures(asked)));
  if (!folder.empty() && trouble.empty())
    show(fmt::format("Written to {}: {}\n", folder, fmt::join(report::kResultNames, ", ")));

  std::vector<study::Judgement> judgements;
  for (const study::Gate& gate : invocation.gates) {
    for (const Figure& figure : result.figures({gate.figure}))
      judgements.push_back(study::judge(gate, study::value_of(figure), risk.paths));
  }
  const int gates = tell_gates(judgements, options);
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
  return interrupted_early ? kInterrupted : gates;
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
  try_gates(invocation.gates, company);
  say_warnings(company, *options);
  return run(company, invocation, *options);
}

}  // namespace headroom::cli
