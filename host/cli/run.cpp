#include <fmt/format.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <limits>

#include "headroom_build.hpp"
#include "host/cli/backend.hpp"
#include "host/cli/interrupt.hpp"
#include "host/cli/options.hpp"
#include "host/cli/progress.hpp"
#include "host/engine/engine.hpp"
#include "host/plan/make_plan.hpp"
#include "host/plan/plan_table.hpp"
#include "host/report/files.hpp"
#include "host/report/report.hpp"
#include "host/risk/analysis.hpp"
#include "host/run/simulation.hpp"

namespace headroom::cli {

namespace {

Usage run_usage() {
  Usage usage;
  usage.command = "run";
  usage.argument = "CONFIG";
  usage.about =
      "Rolls the company of CONFIG forward along many random paths and prints distributions of free cash "
      "flow,\n"
      "probabilities of covenant breach and of running out of liquidity. The result depends on config, seed "
      "and\n"
      "paths alone: not on backend, threads or instruction set.\n";
  auto add = usage.options.add_options();
  add("paths", po::value<std::string>()->default_value("100k")->value_name("N"),
      "number of paths: 1000000, 1e6, 1M, 250k");
  add("exact-paths", po::value<std::string>()->default_value(std::to_string(kExactPaths))->value_name("N"),
      "up to so many paths every quantile is exact, at 4 bytes a path and figure; beyond, it comes from a "
      "histogram and its resolution is told");
  add("seed", po::value<std::string>()->default_value("1")->value_name("S"), "seed of the random numbers");
  add("first-path", po::value<std::string>()->default_value("0")->value_name("P"),
      "index of the first path: a range of a larger run, or one path on its own");
  add("backend", po::value<std::string>()->default_value("auto")->value_name("B"),
      "auto (a card where one answers, else the CPU), cpu or cuda");
  add("threads", po::value<std::string>()->default_value("0")->value_name("K"), "CPU threads; 0: all cores");
  add("isa", po::value<std::string>()->default_value("auto")->value_name("I"),
      "CPU instruction set: auto (the best here), baseline, avx2 or avx512");
  add("out", po::value<std::string>()->value_name("DIR"),
      "write summary.json, fcf.csv, covenants.csv and monthly.csv into DIR");
  add_config_options(usage);
  usage.examples =
      "  headroom run configs/coreweave-1q26.toml --paths 1e6 --out results\n"
      "  headroom run configs/nebius-1q26.toml --set site.vineland-1.gpus=50000 --seed 7\n";
  return usage;
}

struct Request {
  PathRange paths{};
  std::uint64_t exact_paths = 0;
  int threads = 0;
  std::string backend{}, isa{}, folder{};
};

Request read_request(const po::variables_map& options) {
  Request request;
  request.paths = {parse_seed("seed", options["seed"].as<std::string>()),
                   parse_seed("first-path", options["first-path"].as<std::string>()),
                   parse_paths("paths", options["paths"].as<std::string>())};
  request.exact_paths = parse_paths("exact-paths", options["exact-paths"].as<std::string>());
  if (request.paths.first > std::numeric_limits<std::uint64_t>::max() - request.paths.count) {
    throw UsageError("--first-path and --paths together go beyond path 2^64 - 1; start lower");
  }
  request.threads = parse_count("threads", options["threads"].as<std::string>(), 0, 4096);
  request.backend = parse_backend(options);
  request.isa = parse_isa(options);
  request.folder = parse_path(options, "out");
  return request;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

int interrupted(std::uint64_t done, std::uint64_t total) {
  fmt::print(stderr, "headroom: interrupted; {} of {} paths were done, nothing was written\n", done, total);
  return kInterrupted;
}

int run(const Company& company, const Request& request) {
  const Scenario scenario = company.data.view();
  const Chosen chosen = choose_backend(request.backend, request.isa);
  if (chosen.backend->name() == "cpu") {
    check_memory(*chosen.backend, scenario, request.paths.count, request.exact_paths, request.threads);
  }
  if (!request.folder.empty()) report::prepare_folder(request.folder);

  RunPlan plan;
  plan.paths = request.paths;
  plan.threads = request.threads;
  plan.isa = request.isa;
  plan.stop = &stop_asked;
  Asked asked{.exact_paths = request.exact_paths};
  if (request.folder.empty()) asked.bands = guidance_cells(company, scenario);  // no monthly.csv
  Outcomes outcomes;
  std::uint64_t done = 0;
  try {
    Progress progress;
    plan.progress = [&](std::uint64_t now, std::uint64_t total) {
      done = now;
      progress.update(now, total);
    };
    outcomes = simulate(*chosen.backend, scenario, plan, asked);
  } catch (const Interrupted&) {
    return interrupted(done, request.paths.count);
  }

  const auto start = std::chrono::steady_clock::now();
  const std::vector<std::int32_t> planned = plan_trace(scenario);
  const RiskReport risk = analyse(scenario, outcomes, request.paths, planned);
  const std::vector<GuidanceCheck> guidance =
      check_guidance(company, scenario, plan_table(company, scenario, planned), &risk);

  report::RunFacts facts;
  facts.version = build::version;
  facts.commit = build::commit;
  facts.backend = chosen.backend->name();
  facts.reason = chosen.reason;
  facts.device = outcomes.device;
  facts.threads = request.threads;
  facts.isa = request.isa;
  facts.simulation_seconds = outcomes.seconds;
  facts.analysis_seconds = seconds_since(start);
  // Files first: whoever reads the text may close the pipe.
  std::string trouble;
  if (!request.folder.empty()) {
    try {
      report::write_files(request.folder,
                          {{"summary.json", report::summary_json(company, scenario, risk, guidance, facts)},
                           {"fcf.csv", report::fcf_csv(company, risk)},
                           {"covenants.csv", report::covenants_csv(company, risk)},
                           {"monthly.csv", report::monthly_csv(company, risk)}});
    } catch (const report::OutputError& error) {
      trouble = error.what();
    }
  }
  fmt::print("{}", report::run_text(company, scenario, risk, guidance, facts));
  if (!request.folder.empty() && trouble.empty())
    fmt::print("Written to {}: summary.json, fcf.csv, covenants.csv, monthly.csv\n", request.folder);
  std::fflush(stdout);

  if (stop_asked) {
    fmt::print(stderr, "headroom: interrupted; the result is that of the first {} of {} paths\n", risk.paths,
               request.paths.count);
  }
  if (!trouble.empty())
    fmt::print(stderr, "headroom: {}; the result stands above, old files are untouched\n", trouble);
  if (risk.violations.paths > 0) return kIdentityFailed;
  if (stop_asked) return kInterrupted;
  return trouble.empty() ? kOk : kCannotWrite;
}

}  // namespace

int run_command(const Arguments& arguments) {
  const auto options = parse(run_usage(), arguments);
  if (!options) return kOk;
  const Request request = read_request(*options);
  const StopOnInterrupt guard;
  Company company = load(*options);
  make_plan(company.data);
  return run(company, request);
}

}  // namespace headroom::cli
