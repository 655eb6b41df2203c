// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "host/cli/interrupt.hpp"
#include "host/cli/options.hpp"
#include "host/cli/progress.hpp"
#include "host/cli/streams.hpp"
#include "host/cli/target.hpp"
#include "host/replay/stored_run.hpp"
#include "host/report/files.hpp"
#include "host/run/backend.hpp"
#include "host/study/walk.hpp"

namespace headroom::cli {

namespace {

Usage compare_usage() {
  Usage usage;
  usage.command = "compare";
  usage.argument = "FIRST SECOND";
  usage.more_files = true;
  usage.about =
      "Compares two runs, each a result folder or a config, on the same draws: every headline figure with the\n"
      "paired interval of its difference, the paths on which an event happens in one of them alone, and a "
      "walk\n"
      "over the keys that differ, which says which change moved what.\n";
  auto add = usage.options.add_options();
  add("figures", po::value<std::string>()->value_name("PATTERNS"),
      "the figures to compare, separated by commas; the walk shows the first five");
  add("steps", po::value<std::string>()->default_value("12")->value_name("N"),
      "most steps of the walk; further changes are its last step together");
  add("csv", po::value<std::string>()->value_name("FILE"), "write a row for each step of the walk and figure");
  add_run_options(usage);
  usage.examples =
      "  headroom compare nights/2026-11-26/coreweave/base nights/latest/coreweave/base\n"
      "  headroom compare configs/demo.toml my.toml --paths 250k --figures 'default.60m,fcf.total.*'\n";
  return usage;
}

struct Side {
  study::Base base{};
  PathRange paths{};  // of a folder
  bool folder = false;
};

Side read_side(const std::string& given) {
  Side side;
  side.folder = is_folder(given);
  if (side.folder) {
    const StoredRun run = read_stored_run(given);
    side.base.company = load_stored_company(run);
    side.base.sources.file = (run.folder / "inputs.toml").string();
    side.paths = run.paths;
  } else {
    side.base.sources.file = given;
    side.base.company = load_company(side.base.sources);
  }
  side.base.sources.parsed = config::parsed_file(side.base.sources);
  return side;
}

// The draws of the runs that were stored, where the line names no others.
PathRange paths_of(const Side& first, const Side& second, const PathRange& asked,
                   const po::variables_map& options) {
  PathRange paths = asked;
  const Side* stored = first.folder ? &first : second.folder ? &second : nullptr;
  if (stored == nullptr) return paths;
  if (options["seed"].defaulted()) paths.seed = stored->paths.seed;
  if (options["first-path"].defaulted()) paths.first = stored->paths.first;
  if (options["paths"].defaulted()) {
    paths.count = stored->paths.count;
    if (second.folder) paths.count = std::min(paths.count, second.paths.count);
  }
  return paths;
}

// The headline figures that both companies have, at 24 months and at the longest horizon of both.
std::vector<std::string> headlines(const Company& first, const Company& second) {
  const Catalogue catalogues[] = {catalogue(first, first.data.view()), catalogue(second, second.data.view())};
  const auto known = [&](const std::string& pattern) {
    return unmatched(catalogues[0], first.data.view(), {pattern}).empty() &&
           unmatched(catalogues[1], second.data.view(), {pattern}).empty();
  };
  std::int32_t far = std::min(first.data.view().months, second.data.view().months);
  while (far > 1 && !known(fmt::format("default.{}m", far))) --far;
  const std::int32_t near = std::min(24, far);
  std::vector<std::string> patterns = {fmt::format("event_of_default.{}m", near),
                                       fmt::format("default.{}m", far),
                                       fmt::format("any_breach.{}m", near),
                                       "fcf.total.p50",
                                       "least_liquidity.p5",
                                       fmt::format("event_of_default.{}m", far),
                                       fmt::format("default.{}m", near),
                                       fmt::format("any_breach.{}m", far),
                                       fmt::format("breach.*.{}m", near),
                                       "fcf.total.mean",
                                       "fcf.total.p5",
                                       "fcf.total.es95",
                                       "peak_funding_gap.p95"};
  std::erase_if(patterns, [&](const std::string& pattern) { return !known(pattern); });
  return patterns;
}

std::string flips_text(const std::vector<study::Flips>& flips, const std::string& first,
                       const std::string& second) {
  std::string text;
  for (const study::Flips& each : flips) {
    text += fmt::format("  {}: on {} path{} in the first alone, on {} in the second alone\n", each.event,
                        each.before, each.before == 1 ? "" : "s", each.now);
    if (each.before > 0) text += fmt::format("    headroom why {} --path {}\n", first, each.example_before);
    if (each.now > 0) text += fmt::format("    headroom why {} --path {}\n", second, each.example_now);
  }
  return text;
}

}  // namespace

int compare_command(const Arguments& arguments) {
  const auto options = parse(compare_usage(), arguments);
  if (!options) return kOk;
  const RunOptions run = read_run_options(*options);
  const std::string csv = parse_path(*options, "csv");
  const int steps = parse_count("steps", (*options)["steps"].as<std::string>(), 1, 1000);
  const auto given = list_of(*options, "config");
  if (given.size() != 2)
    throw UsageError(
        fmt::format("headroom compare takes two folders or configs, and {} is given", given.size()));
  const Side first = read_side(given[0]), second = read_side(given[1]);
  study::Walk walk = study::walk_between(first.base, second.base.company, static_cast<std::size_t>(steps));
  walk.study.request = run.request;
  walk.study.request.paths = paths_of(first, second, run.request.paths, *options);
  walk.study.batches = true;
  if (walk.study.request.figures.empty())
    walk.study.request.figures = headlines(first.base.company, second.base.company);
  if (!csv.empty()) report::prepare_file(csv);
  const Chosen chosen = choose_backend(run.backend, walk.study.request.isa);
  const StopOnSignals guard(!csv.empty());
  study::Results results;
  std::vector<study::Flips> flips;
  {
    Progress progress(run.quiet, run.progress_seconds, "steps", walk.study.request.paths.count);
    results = study::run_walk(walk, second.base, *chosen.backend,
                              [&](std::uint64_t done, std::uint64_t total) { progress.update(done, total); });
  }
  if (results.empty()) {
    say("interrupted; nothing was written");
    return kInterrupted;
  }
  if (walk.study.request.paths.count <= walk.study.request.exact_paths) {
    Request each = walk.study.request;
    each.figures.clear();
    try {
      flips = study::flips_between(headroom::run(first.base.company, *chosen.backend, each),
                                   headroom::run(second.base.company, *chosen.backend, each));
    } catch (const Interrupted&) {
      say("interrupted; nothing was written");
      return kInterrupted;
    }
  }
  if (!csv.empty()) report::write_file(csv, study::walk_csv(walk, results));
  const PathRange& paths = walk.study.request.paths;
  show(fmt::format(
      "first   {}: {}, as of {}, config {}\nsecond  {}: {}, as of {}, config {}\n{} paths each, seed {}\n\n",
      given[0], first.base.company.name, config::format_date(first.base.company.as_of), first.base.company.hash,
      given[1], second.base.company.name, config::format_date(second.base.company.as_of),
      second.base.company.hash, paths.count, paths.seed));
  show(study::compare_text(walk, results));
  if (first.base.company.hash == second.base.company.hash) {
    show("\nThe two configs are the same.\n");
  } else {
    show("\nWhich change moved what\n" + study::walk_text(walk, results));
  }
  if (!flips.empty()) show("\nPaths that differ\n" + flips_text(flips, given[0], given[1]));
  std::uint64_t violated = 0;
  for (const auto& each : results) violated += each->violations;
  if (violated > 0) {
    say(fmt::format("{} paths violate identities of the model; the result is not to be trusted. {}", violated,
                    kIdentityRemedy));
    return kIdentityFailed;
  }
  return kOk;
}

}  // namespace headroom::cli
