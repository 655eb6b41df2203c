// SPDX-License-Identifier: Apache-2.0
#include "host/run/run.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <limits>
#include <optional>
#include <utility>

#include "headroom_build.hpp"
#include "host/cli/interrupt.hpp"
#include "host/cli/options.hpp"
#include "host/cli/progress.hpp"
#include "host/cli/streams.hpp"
#include "host/parts/part.hpp"
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
  add("shard", po::value<std::string>()->value_name("I/N"),
      "run only the I-th of N equal parts of the paths, and write its answers into --out, for headroom merge");
  add("keep-answers", "also write the answers into --out, so that headroom merge can add other paths later");
  add("resume", "go on from the checkpoint in --out, if there is one");
  add("checkpoint-seconds", po::value<std::string>()->value_name("S"),
      "write the answers so far into --out every S seconds (60; with up to --exact-paths paths, which take "
      "seconds, none unless this is given); 0: after each block of paths");
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
  std::uint64_t run_paths = 0;  // of the run that this is a shard of
  bool shard = false, keep_answers = false, resume = false;
  std::optional<int> checkpoint_seconds{};
};

// I/N of --shard.
std::pair<std::uint64_t, std::uint64_t> parse_shard(const std::string& text) {
  const std::size_t slash = text.find('/');
  if (slash != text.npos) {
    const auto number = parse_paths("shard", text.substr(0, slash));
    const auto shards = parse_paths("shard", text.substr(slash + 1));
    if (number <= shards) return {number, shards};
  }
  throw UsageError(fmt::format("--shard '{}' is not a part of a number of parts; as in --shard 3/8", text));
}

Invocation read_invocation(const po::variables_map& options) {
  Invocation invocation{read_run_options(options)};
  invocation.gates = read_gates(options);
  invocation.folder = parse_path(options, "out");
  invocation.paths_file = parse_path(options, "paths-out");
  Request& request = invocation.request;
  request.by_month = !invocation.folder.empty();
  if (!invocation.paths_file.empty()) {
    if (request.paths.count > request.exact_paths)
      throw UsageError(
          fmt::format("--paths-out keeps every path, and --paths {} is more than --exact-paths {}; lower "
                      "the one or raise the other",
                      request.paths.count, request.exact_paths));
    report::prepare_file(invocation.paths_file);
  }
  invocation.run_paths = request.paths.count;
  invocation.shard = options.count("shard") != 0;
  invocation.keep_answers = options.count("keep-answers") != 0;
  invocation.resume = options.count("resume") != 0;
  if (options.count("checkpoint-seconds") != 0) {
    invocation.checkpoint_seconds =
        parse_count("checkpoint-seconds", options["checkpoint-seconds"].as<std::string>(), 0, 86400);
  }
  if (invocation.shard) {
    if (!invocation.gates.empty())
      throw UsageError("--gate judges a whole run, and --shard runs a part of it; leave one of them out");
    const auto [number, shards] = parse_shard(options["shard"].as<std::string>());
    if (shards > request.paths.count)
      throw UsageError(
          fmt::format("{} shards of {} paths leave some empty; give fewer", shards, request.paths.count));
    request.paths = shard_of(request.paths, number, shards);
  }
  for (const char* name : {"shard", "keep-answers", "resume", "checkpoint-seconds"}) {
    if (options.count(name) != 0 && invocation.folder.empty())
      throw UsageError(fmt::format("--{} needs --out, the folder of the answers", name));
  }
  return invocation;
}

int interrupted(std::uint64_t done, std::uint64_t total) {
  say(fmt::format("interrupted; {} of {} paths were done, nothing was written", done, total));
  return kInterrupted;
}

// The part in the folder of a run: its checkpoint, and at the end its answers.
class Checkpoint {
 public:
  Checkpoint(const Invocation& invocation, const Request& request, const Company& company,
             const std::string& backend)
      : folder_(invocation.folder) {
    head_ = {std::string(build::version),
             std::string(build::commit),
             backend,
             "",
             company.hash,
             company.sources,
             request.paths,
             {},
             invocation.run_paths,
             request.exact_paths,
             request.figures};
    if (invocation.checkpoint_seconds) {
      every_ = std::chrono::seconds(*invocation.checkpoint_seconds);
    } else if (invocation.run_paths > request.exact_paths) {
      every_ = std::chrono::seconds(60);
    }
  }
  bool wanted() const { return every_.has_value(); }

  // Removes what a killed program has left of a file. Only for the holder of the folder's lock.
  void remove_leftovers() const {
    std::error_code error;
    std::vector<std::filesystem::path> left;
    for (std::filesystem::directory_iterator at(folder_, error), end; !error && at != end;
         at.increment(error)) {
      if (at->path().filename().string().starts_with(fmt::format(".{}.", kPartName)))
        left.push_back(at->path());
    }
    for (const auto& each : left) std::filesystem::remove(each, error);
  }

  // The answers to go on from. Throws UsageError if what is there is of another run, or --resume is not given.
  std::optional<Answers> begun(bool resume) const {
    if (!has_part(folder_)) return {};
    const PartHead before = read_head(folder_);
    const std::string file = (std::filesystem::path(folder_) / kPartName).string();
    if (!resume) {
      throw UsageError(
          fmt::format("{} holds {} of {} paths of an earlier run; go on with --resume, move it, or give "
                      "another folder",
                      file, before.done_paths(), before.paths.count));
    }
    auto lines = differences(before, head_);
    if (before.paths.first != head_.paths.first || before.paths.count != head_.paths.count ||
        before.run_paths != head_.run_paths) {
      lines.push_back(fmt::format("the paths were {} from {} and are {} from {}", before.paths.count,
                                  before.paths.first, head_.paths.count, head_.paths.first));
    }
    if (!lines.empty()) {
      throw UsageError(fmt::format("cannot go on from {}: {}; repeat its command, or give another folder", file,
                                   fmt::join(lines, "\n  ")));
    }
    Answers answers = read_part(folder_);
    if (answers.spans.size() != 1 || answers.spans[0].first != head_.paths.first)
      throw UsageError(fmt::format("cannot go on from {}: it does not hold the first paths", file));
    return answers;
  }

  void write(const Answers& answers) const {
    report::write_file(std::filesystem::path(folder_) / kPartName, part_bytes(head_, answers));
  }

  // After a block of paths. Writing takes at most a twentieth of the time. A failure does not end the run.
  void after_block(const std::function<Answers()>& so_far) {
    const auto now = Clock::now();
    if (now - last_ < std::max<Clock::duration>(*every_, 20 * cost_)) return;
    try {
      write(so_far());
      failed_ = false;
    } catch (const report::OutputError& error) {
      if (!std::exchange(failed_, true)) say(fmt::format("no checkpoint: {}; the run goes on", error.what()));
    }
    last_ = Clock::now();
    if (every_->count() > 0) cost_ = last_ - now;
  }

  void remove() const {
    std::error_code ignored;
    std::filesystem::remove(std::filesystem::path(folder_) / kPartName, ignored);
  }

 private:
  using Clock = std::chrono::steady_clock;
  std::string folder_;
  PartHead head_{};
  std::optional<std::chrono::seconds> every_{};
  Clock::time_point last_ = Clock::now();
  Clock::duration cost_{};
  bool failed_ = false;
};

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
  std::optional<Checkpoint> checkpoint;
  if (!folder.empty()) {
    results.emplace(folder);
    checkpoint.emplace(invocation, request, company, chosen.backend->name());
    checkpoint->remove_leftovers();
    request.begun = checkpoint->begun(invocation.resume);
    if (invocation.resume && !invocation.quiet) {
      say(request.begun
              ? fmt::format("going on after {} of {} paths", request.begun->paths(), request.paths.count)
              : "no checkpoint to go on from; starting with the first path");
    }
    if (checkpoint->wanted())
      request.checkpoint = [&](const std::function<Answers()>& so_far) { checkpoint->after_block(so_far); };
  }
  // A shard keeps values if the whole run does.
  if (invocation.shard)
    request.exact_paths = invocation.run_paths > request.exact_paths ? 0 : invocation.run_paths;

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
  facts.exact_paths = invocation.request.exact_paths;
  // All paths were done: a request to stop that came later has cut nothing.
  const bool interrupted_early = risk.paths < request.paths.count;
  // Write the files before the text, because a reader may close the pipe.
  std::string trouble;
  if (results || !invocation.paths_file.empty()) {
    try {
      if (!invocation.paths_file.empty()) report::write_paths(invocation.paths_file, result);
      if (!invocation.shard) results->write(facts.id, report::result_files(company, result, facts));
      if (invocation.shard || invocation.keep_answers || interrupted_early) {
        checkpoint->write(result.answers);
      } else {
        checkpoint->remove();
      }
    } catch (const report::OutputError& error) {
      trouble = error.what();
    }
  }
  show(report::run_text(company, scenario, risk, result.guidance, facts));
  const std::vector<std::string>& asked = invocation.request.figures;
  if (!asked.empty()) show(report::figures_text(result.figures(asked)));
  if (invocation.shard && trouble.empty()) {
    show(fmt::format("Written to {}: {}; the result above is that of these paths alone\n", folder, kPartName));
  } else if (!folder.empty() && trouble.empty()) {
    show(fmt::format("Written to {}: {}\n", folder, fmt::join(report::kResultNames, ", ")));
  }

  std::vector<study::Judgement> judgements;
  for (const study::Gate& gate : invocation.gates) {
    for (const Figure& figure : result.figures({gate.figure}))
      judgements.push_back(study::judge(gate, study::value_of(figure), risk.paths));
  }
  const int gates = tell_gates(judgements, options);
  if (interrupted_early) {
    say(fmt::format("interrupted; the result is that of the first {} of {} paths", risk.paths,
                    request.paths.count));
    if (results && trouble.empty()) say("the same command with --resume goes on from there");
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
