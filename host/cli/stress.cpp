// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "host/cli/interrupt.hpp"
#include "host/cli/options.hpp"
#include "host/cli/progress.hpp"
#include "host/cli/streams.hpp"
#include "host/report/files.hpp"
#include "host/run/backend.hpp"
#include "host/study/compare.hpp"
#include "host/study/study.hpp"

namespace headroom::cli {

namespace {

Usage stress_usage() {
  Usage usage;
  usage.command = "stress";
  usage.argument = "CONFIG [OVERLAY...]";
  usage.more_files = true;
  usage.about =
      "Runs CONFIG and CONFIG with each OVERLAY on the same draws, side by side: each figure, its difference\n"
      "to the base with a paired interval, and which stress is worst for it. Without an OVERLAY: all files in\n"
      "the folder stress beside CONFIG that fit the company.\n";
  auto add = usage.options.add_options();
  add("figures", po::value<std::string>()->value_name("PATTERNS"),
      "the figures to compare, separated by commas; default: breach and default probabilities, free cash flow, "
      "liquidity");
  add("csv", po::value<std::string>()->value_name("FILE"), "write a row for each figure and scenario");
  add_run_options(usage);
  add_gate_options(usage);
  add_config_options(usage);
  usage.examples =
      "  headroom stress configs/coreweave-1q26.toml\n"
      "  headroom stress configs/coreweave-1q26.toml configs/stress/late-260mw.toml --figures 'breach.*.24m'\n";
  return usage;
}

std::vector<std::string> headlines(const Company& company) {
  const std::int32_t months = company.data.view().months, near = std::min(24, months);
  return {fmt::format("any_breach.{}m", near),
          fmt::format("any_breach.{}m", months),
          fmt::format("default.{}m", near),
          fmt::format("default.{}m", months),
          fmt::format("breach.*.{}m", near),
          "fcf.total.mean",
          "fcf.total.p50",
          "fcf.total.p5",
          "fcf.total.es95",
          "least_liquidity.p5",
          "peak_funding_gap.p95"};
}

}  // namespace

int stress_command(const Arguments& arguments) {
  const auto options = parse(stress_usage(), arguments);
  if (!options) return kOk;
  const std::vector<study::Gate> gates = read_gates(*options);
  const RunOptions run = read_run_options(*options);
  const std::string csv = parse_path(*options, "csv");
  study::Study study;
  study.request = run.request;
  study.batches = true;
  study.base = base_of(*options);
  const Company& company = study.base.company;
  try_gates(gates, company);
  say_warnings(company, *options);

  std::vector<std::string> refused;
  auto overlays = list_of(*options, "config");
  overlays.erase(overlays.begin());
  if (overlays.empty()) overlays = study::house_stresses(study.base, refused);
  if (overlays.empty())
    throw UsageError(fmt::format(
        "there is no stress for {} in the folder stress beside its config; name overlays", company.name));
  if (!refused.empty()) say(fmt::format("not for {}: {}", company.name, fmt::join(refused, ", ")));
  overlays.insert(overlays.begin(), "base");
  study.axes.push_back(study::scenario_axis(overlays));
  study::check_axes(study.base, study.axes);
  for (const study::Level& level : study.axes.front().levels) study.points.push_back({level});
  if (study.request.figures.empty()) study.request.figures = headlines(company);
  for (const study::Gate& gate : gates) study.request.figures.push_back(gate.figure);
  if (!csv.empty()) report::prepare_file(csv);

  const Chosen chosen = choose_backend(run.backend, study.request.isa);
  if (chosen.backend->name() == "cpu") {
    check_memory(*chosen.backend, company.data.view(), study.request.paths.count, study.request.exact_paths,
                 study.request.threads);
  }
  const StopOnSignals guard(!csv.empty());
  study::Results results;
  {
    Progress progress(run.quiet, run.progress_seconds, "scenarios", study.request.paths.count);
    results = study::run_study(study, *chosen.backend, nullptr,
                               [&](std::uint64_t done, std::uint64_t total) { progress.update(done, total); });
  }
  if (std::count(results.begin(), results.end(), std::nullopt) > 0) {
    say("interrupted; nothing was written");
    return kInterrupted;
  }
  if (!csv.empty()) report::write_file(csv, study::compare_csv(study, results));
  show(fmt::format("{}, as of {}: base and {} stress{}, {} paths each, seed {}\n\n", company.name,
                   config::format_date(company.as_of), results.size() - 1, results.size() == 2 ? "" : "es",
                   study.request.paths.count, study.request.paths.seed));
  show(study::stress_text(study, results));
  std::uint64_t violated = 0;
  std::vector<study::Judgement> judgements;
  for (std::size_t i = 0; i < results.size(); ++i) {
    violated += results[i]->violations;
    for (study::Judgement& each :
         study::judge_all(gates, results[i]->values, study.request.paths.count, study::place_of(study, i)))
      judgements.push_back(std::move(each));
  }
  const int verdict = tell_gates(judgements, *options);
  if (violated > 0) {
    say(fmt::format("{} paths violate identities of the model; the result is not to be trusted. {}", violated,
                    kIdentityRemedy));
    return kIdentityFailed;
  }
  return verdict;
}

}  // namespace headroom::cli
