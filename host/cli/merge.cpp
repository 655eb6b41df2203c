// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>

#include "headroom_build.hpp"
#include "host/cli/options.hpp"
#include "host/cli/progress.hpp"
#include "host/cli/streams.hpp"
#include "host/parts/part.hpp"
#include "host/report/folder.hpp"
#include "host/report/report.hpp"

namespace headroom::cli {

namespace {

Usage merge_usage() {
  Usage usage;
  usage.command = "merge";
  usage.argument = "DIR...";
  usage.folders = true;
  usage.about =
      "Joins the parts in these folders, which headroom run has made with --shard, --keep-answers or as a\n"
      "checkpoint, and writes the files of the whole run into --out: the same bytes as one run of all paths,\n"
      "whatever made the parts and in whatever order they are given. Parts of other configs, seeds or "
      "versions\n"
      "are refused by name, and so are paths that two parts share or that none has.\n";
  auto add = usage.options.add_options();
  add("out", po::value<std::string>()->value_name("DIR"), "write the files of the run into DIR");
  add("keep-answers", "also write the merged answers into --out, to merge them with other parts later");
  usage.examples =
      "  headroom run configs/demo.toml --paths 1e7 --shard 1/2 --out a\n"
      "  headroom run configs/demo.toml --paths 1e7 --shard 2/2 --out b\n"
      "  headroom merge a b --out results\n";
  return usage;
}

Usage answers_usage() {
  Usage usage;
  usage.command = "answers";
  usage.argument = "DIR...";
  usage.folders = true;
  usage.about =
      "Prints which paths the parts and checkpoints in these folders hold, and the figures of these paths,\n"
      "summed over the folders. Paths may be missing.\n";
  usage.options.add_options()("csv", "print the figures as results.csv, and nothing else");
  usage.examples = "  headroom answers part-1 part-3 --csv > so-far.csv\n";
  return usage;
}

std::vector<std::filesystem::path> paths_of(const std::vector<std::string>& folders) {
  return {folders.begin(), folders.end()};
}

std::string spans_text(const std::vector<PathSpan>& spans) {
  std::vector<std::string> texts;
  texts.reserve(spans.size());
  for (const PathSpan& each : spans)
    texts.push_back(fmt::format("{} to {}", each.first, each.first + each.count - 1));
  return fmt::format("{}", fmt::join(texts, ", "));
}

}  // namespace

int merge_command(const Arguments& arguments) {
  const Usage usage = merge_usage();
  const auto options = parse(usage, arguments);
  if (!options) return kOk;
  const std::vector<std::string> folders = parse_folders(usage, *options);
  const std::string out = parse_path(*options, "out");
  if (out.empty()) throw UsageError("headroom merge needs --out, the folder of the results");
  const auto started = std::chrono::system_clock::now();
  Merged merged = merge_parts(paths_of(folders), true);
  report::ResultFolder results(out);
  if (has_part(out)) {
    throw UsageError(
        fmt::format("{}/{} would be replaced; move it, or give another folder for --out", out, kPartName));
  }

  report::RunFacts facts;
  facts.version = build::version;
  facts.commit = build::commit;
  facts.backend = merged.head.backend;
  facts.reason = fmt::format("merged from {} part{}", folders.size(), folders.size() == 1 ? "" : "s");
  facts.device = merged.head.device;
  facts.isa = "auto";
  facts.simulation_seconds = merged.answers.seconds;
  facts.id = report::new_run_id();
  facts.command = {"headroom", "merge"};
  facts.command.insert(facts.command.end(), arguments.begin(), arguments.end());
  facts.host = host_name();
  facts.started = utc(started);
  facts.asked_paths = merged.head.paths.count;
  facts.exact_paths = merged.head.exact_paths;

  const std::string part = options->count("keep-answers") == 0 ? "" : part_bytes(merged.head, merged.answers);
  const Result result = result_of(merged.company, merged.head.request(), std::move(merged.answers));
  facts.analysis_seconds = result.analysis_seconds;
  facts.finished = utc(std::chrono::system_clock::now());
  results.write(facts.id, report::result_files(merged.company, result, facts));
  if (!part.empty()) report::write_file(std::filesystem::path(out) / kPartName, part);
  show(report::run_text(merged.company, result.data.view(), result.risk, result.guidance, facts));
  if (!merged.head.figures.empty()) show(report::figures_text(result.figures(merged.head.figures)));
  show(fmt::format("Written to {}: {}\n", out, fmt::join(report::kResultNames, ", ")));
  if (result.risk.violations.paths > 0) {
    say(fmt::format("{} paths violate identities of the model; the result is not to be trusted. {}",
                    result.risk.violations.paths, kIdentityRemedy));
    return kIdentityFailed;
  }
  return kOk;
}

int answers_command(const Arguments& arguments) {
  const Usage usage = answers_usage();
  const auto options = parse(usage, arguments);
  if (!options) return kOk;
  const std::vector<std::string> folders = parse_folders(usage, *options);
  Merged merged = merge_parts(paths_of(folders), false);
  const bool csv = options->count("csv") != 0;
  if (!csv) {
    for (const std::string& folder : folders) {
      const PartHead head = read_head(folder);
      show(fmt::format("{}: paths {}, {} of the {} asked of it\n", folder, spans_text(head.done),
                       head.done_paths(), head.paths.count));
    }
    show(fmt::format("{}: config {}, seed {}, headroom {} ({}), {}\n{} paths: {}\n\n", merged.company.name,
                     merged.head.config, merged.head.paths.seed, merged.head.version, merged.head.commit,
                     merged.answers.kept ? "values kept" : "values counted", merged.answers.paths(),
                     spans_text(merged.answers.spans)));
  }
  const Result result = result_of(merged.company, merged.head.request(), std::move(merged.answers));
  show(csv ? report::results_csv(result.figures()) : report::figures_text(result.figures()));
  return kOk;
}

}  // namespace headroom::cli
