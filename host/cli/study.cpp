// SPDX-License-Identifier: Apache-2.0
#include "host/study/study.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <stdexcept>

#include "host/cli/interrupt.hpp"
#include "host/cli/options.hpp"
#include "host/cli/progress.hpp"
#include "host/cli/streams.hpp"
#include "host/report/files.hpp"
#include "host/run/backend.hpp"
#include "host/study/compare.hpp"
#include "host/study/journal.hpp"
#include "host/warn/trial.hpp"

namespace headroom::cli {

namespace {

Usage study_usage() {
  Usage usage;
  usage.command = "study";
  usage.argument = "CONFIG";
  usage.about =
      "Runs CONFIG at the points of a design, all on the same draws, so that differences between points are\n"
      "effects and not noise. An axis is 'name = keys = values'. Keys that an axis names move together; in a\n"
      "key * matches a part between dots, {a,b} is one of several, and [0] or [2027-06-30] an element of a\n"
      "list without ids. Values: 0,2,4 or 0.06:0.30:5 (five at equal distances); +x is added to the config's\n"
      "value and *x multiplies it. With --out, study.csv has a row for each point.\n";
  auto add = usage.options.add_options();
  add("vary", po::value<std::vector<std::string>>()->value_name("AXIS"),
      "an axis: 'late = site.*.unplanned_months = 0,2,4'; may be repeated");
  add("scenario", po::value<std::vector<std::string>>()->value_name("FILE"),
      "a value of the axis 'scenario': base, or an overlay; may be repeated");
  add("design", po::value<std::string>()->default_value("grid")->value_name("D"),
      "grid, one-at-a-time (the base, then each axis by itself), centred (the base, each axis at its ends, and "
      "their corners), latin (Latin hypercube) or sobol (scrambled); the last two draw --points from axes "
      "lo:hi");
  add("points", po::value<std::string>()->value_name("N"), "points of --design latin and sobol");
  add("list", po::value<std::string>()->value_name("FILE"),
      "points from a CSV file: a column for each axis, named as in --vary without its values");
  add("tornado",
      "the market's numbers, delays and ratings one at a time, sorted by effect on the first figure, with "
      "paired "
      "intervals; --vary adds further inputs at their first and last value");
  add("swing", po::value<std::string>()->default_value("25")->value_name("PERCENT"),
      "with --tornado: how far an input moves from its value, down and up");
  add("figures", po::value<std::string>()->value_name("PATTERNS"),
      "the figures of each point, separated by commas: 'breach.*.24m,fcf.total.*'; default: breach and default "
      "probabilities, free cash flow, liquidity");
  add("out", po::value<std::string>()->value_name("DIR"),
      "write study.csv into DIR, and keep there what is done (journal.sqlite)");
  add("resume", "go on with the study that DIR holds");
  add_run_options(usage);
  add_gate_options(usage);
  add_config_options(usage);
  usage.examples =
      "  headroom study configs/coreweave-1q26.toml --vary 'late = site.*.unplanned_months = 0,2,4,6' \\\n"
      "      --vary 'ageing = market.price.ageing_{young,old}_per_year = *0.5,*1,*1.5' --out late-and-ageing\n";
  return usage;
}

struct Plan {
  study::Study study{};
  RunOptions run{};
  std::string folder{};
  bool resume = false;
};

std::vector<study::Point> points_of(const po::variables_map& options, study::Study& study) {
  study.design = parse_word(options, "design", {"grid", "one-at-a-time", "centred", "latin", "sobol"},
                            {{"centered", "centred"}, {"lhs", "latin"}});
  const bool draws = study.design == "latin" || study.design == "sobol";
  if (draws != (options.count("points") != 0))
    throw UsageError(draws
                         ? fmt::format("--design {} needs the number of points; add --points 64", study.design)
                         : "--points is of --design latin and sobol; leave it out");
  const std::size_t count =
      draws ? static_cast<std::size_t>(parse_count("points", options["points"].as<std::string>(), 1,
                                                   static_cast<int>(study::kMostPoints)))
            : 0;
  using enum study::Design;
  const study::Design design = study.design == "grid"            ? grid
                               : study.design == "one-at-a-time" ? one_at_a_time
                               : study.design == "centred"       ? centred
                               : study.design == "latin"         ? latin
                                                                 : sobol;
  try {
    return study::points_of(design, study.axes, study.base.company, count, study.request.paths.seed);
  } catch (const std::invalid_argument& error) {
    throw UsageError(error.what());
  }
}

Plan read_plan(const po::variables_map& options) {
  Plan plan;
  study::Study& study = plan.study;
  plan.run = read_run_options(options);
  plan.folder = parse_path(options, "out");
  plan.resume = options.count("resume") != 0;
  if (plan.resume && plan.folder.empty())
    throw UsageError("--resume needs the folder of the study; add --out DIR");
  study.request = plan.run.request;
  study.base = base_of(options);
  const Company& company = study.base.company;
  const bool listed = options.count("list") != 0;
  if (listed && options.count("vary") + options.count("scenario") != 0)
    throw UsageError("--list and --vary or --scenario are two designs; keep one");
  if (listed) {
    study::Listed list = study::read_points(parse_path(options, "list"), study.base);
    study.axes = std::move(list.axes);
    study.points = std::move(list.points);
    study.design = "list";
  }
  for (const std::string& text : list_of(options, "vary"))
    study.axes.push_back(study::parse_axis(text, study.base));
  if (const auto scenarios = list_of(options, "scenario"); !scenarios.empty())
    study.axes.push_back(study::scenario_axis(scenarios));
  const bool tornado = options.count("tornado") != 0;
  if (tornado && (listed || !options["design"].defaulted()))
    throw UsageError("--tornado is a design; leave out --design and --list");
  if (listed) {
    study::check_names(study.axes);
    for (const study::Point& point : study.points) study::load_at(study.base, study.axes, point);
  } else {
    study::check_axes(study.base, study.axes);
  }
  if (tornado) {
    const double swing = parse_count("swing", options["swing"].as<std::string>(), 1, 99) / 100.0;
    for (study::Axis& axis : study::tornado_axes(study.base, swing)) {
      const auto same = [&](const study::Axis& own) { return own.keys == axis.keys; };
      if (std::none_of(study.axes.begin(), study.axes.end(), same)) study.axes.push_back(std::move(axis));
    }
    study.points = study::points_of(study::Design::one_at_a_time, study.axes, company, 0, 0);
    study.design = "tornado";
    study.batches = true;
  } else if (!listed)
    study.points = points_of(options, study);
  if (study.request.figures.empty()) study.request.figures = study::usual_figures(company);
  return plan;
}

// Gates name figures that may not have been asked for.
void observe(study::Study& study, const std::vector<study::Gate>& gates) {
  for (const study::Gate& gate : gates) {
    if (std::find(study.request.figures.begin(), study.request.figures.end(), gate.figure) ==
        study.request.figures.end())
      study.request.figures.push_back(gate.figure);
  }
  const Scenario scenario = study.base.company.data.view();
  if (const auto unknown = unmatched(catalogue(study.base.company, scenario), scenario, study.request.figures);
      !unknown.empty())
    throw UnknownFigure(
        fmt::format("{} names no figure of {}", fmt::join(unknown, ", "), study.base.company.name));
}

}  // namespace

int study_command(const Arguments& arguments) {
  const auto options = parse(study_usage(), arguments);
  if (!options) return kOk;
  const std::vector<study::Gate> gates = read_gates(*options);
  Plan plan = read_plan(*options);
  study::Study& study = plan.study;
  try_gates(gates, study.base.company);
  observe(study, gates);
  say_warnings(study.base.company, *options);
  const Chosen chosen = choose_backend(plan.run.backend, study.request.isa);
  if (chosen.backend->name() == "cpu") {
    check_memory(*chosen.backend, study.base.company.data.view(), study.request.paths.count,
                 study.request.exact_paths, study.request.threads);
  }
  const StopOnSignals guard(!plan.folder.empty());
  std::optional<study::Journal> journal;
  if (!plan.folder.empty()) journal.emplace(plan.folder, study, plan.resume);
  study::Results results;
  {
    Progress progress(plan.run.quiet, plan.run.progress_seconds, "points", study.request.paths.count);
    results = study::run_study(study, *chosen.backend, journal ? &*journal : nullptr,
                               [&](std::uint64_t done, std::uint64_t total) { progress.update(done, total); });
  }
  const auto done =
      results.size() - static_cast<std::size_t>(std::count(results.begin(), results.end(), std::nullopt));
  if (!plan.folder.empty())
    report::write_file(std::filesystem::path(plan.folder) / "study.csv",
                       study.batches ? study::compare_csv(study, results) : study::study_csv(study, results));

  double seconds = 0;
  std::uint64_t violated = 0;
  std::vector<study::Judgement> judgements;
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (!results[i]) continue;
    seconds += results[i]->seconds;
    violated += results[i]->violations;
    for (study::Judgement& each :
         study::judge_all(gates, results[i]->values, study.request.paths.count, study::place_of(study, i)))
      judgements.push_back(std::move(each));
  }
  show(fmt::format("{}, as of {}: {} of {} points, {} paths each, seed {}, {:.1f} s simulation\n\n",
                   study.base.company.name, config::format_date(study.base.company.as_of), done, results.size(),
                   study.request.paths.count, study.request.paths.seed, seconds));
  constexpr std::size_t kShownInputs = 20;
  if (done > 0) {
    const std::string figure = study::first_figure(study, results);
    show(study.batches ? study::tornado_text(study, results, figure, kShownInputs)
                       : study::study_text(study, results, figure));
  }
  if (!plan.folder.empty()) show(fmt::format("\nWritten to {}: study.csv\n", plan.folder));
  const int verdict = tell_gates(judgements, *options);
  if (done < results.size()) {
    say(fmt::format("interrupted; {} of {} points are done{}", done, results.size(),
                    plan.folder.empty() ? "" : ", --resume goes on"));
    return kInterrupted;
  }
  if (violated > 0) {
    say(fmt::format("{} paths violate identities of the model; the result is not to be trusted. {}", violated,
                    kIdentityRemedy));
    return kIdentityFailed;
  }
  return verdict;
}

}  // namespace headroom::cli
