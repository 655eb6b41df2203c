// SPDX-License-Identifier: Apache-2.0
#include "host/run/simulation.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "host/cpu/pilot.hpp"
#include "host/engine/host_columns.hpp"
#include "host/engine/tally.hpp"

namespace headroom {

namespace {

constexpr std::uint64_t kPilotPaths = 4096;

// Empty tallies of the distributions. Their bins come from the first paths of the seed on the CPU, so they
// are the same for every backend and every part of a run.
std::vector<Tally> tallies(const Scenario& scenario, const RunPlan& plan,
                           const std::vector<Question>& questions, std::span<const BinRange> bins) {
  RunPlan pilot = plan;
  pilot.progress = {};
  pilot.paths = {plan.paths.seed, 0, kPilotPaths};
  pilot.list.clear();
  const Outcomes outcomes = make_cpu_backend()->simulate(scenario, pilot, bins);
  std::vector<Tally> made;
  for (const Question& question : questions) {
    if (question.kind == Question::Kind::distribution) made.push_back(tally_over(*outcomes.columns, question));
  }
  return made;
}

// The paths [first, first + count) of a run as spans; a list is ascending.
std::vector<PathSpan> spans_of(const RunPlan& plan, std::uint64_t first, std::uint64_t count) {
  if (plan.list.empty()) return {{plan.paths.first + first, count}};
  std::vector<PathSpan> spans;
  for (std::uint64_t i = first; i < first + count; ++i) {
    if (!spans.empty() && spans.back().first + spans.back().count == plan.list[i]) {
      ++spans.back().count;
    } else {
      spans.push_back({plan.list[i], 1});
    }
  }
  return spans;
}

}  // namespace

Answers simulate(Backend& backend, const Scenario& scenario, const RunPlan& plan, const Asked& asked) {
  const bool exact = plan.paths.count <= asked.exact_paths;
  const std::vector<BinRange> bins = pilot_bins(scenario, plan.paths.seed, asked.cells);
  const bool in_chunks =
      asked.enough || asked.begun || (asked.checkpoint && plan.paths.count > backend.chunk());
  if (exact && !in_chunks) {
    Outcomes outcomes = backend.simulate(scenario, plan, bins);
    const std::uint64_t done = outcomes.columns->paths();
    return ask(std::move(outcomes), asked.questions, plan.paths.seed, spans_of(plan, 0, done), {});
  }
  const auto started = std::chrono::steady_clock::now();
  std::optional<Counters> counters;
  if (!exact) counters.emplace(tallies(scenario, plan, asked.questions, bins));
  RunPlan part = plan;
  part.progress = {};
  std::uint64_t done = asked.begun ? asked.begun->paths() : 0;
  if (plan.progress)
    part.progress = [&](std::uint64_t now, std::uint64_t) { plan.progress(done + now, plan.paths.count); };
  std::optional<Answers> all;
  const auto so_far = [&] {
    Answers answers = *all;
    if (counters) counters->copy_to(answers);
    if (asked.begun) merge(answers, Answers(*asked.begun));
    return answers;
  };
  while (done < plan.paths.count) {
    part.paths.first = plan.paths.first + done;
    part.paths.count = std::min(backend.chunk(), plan.paths.count - done);
    if (!plan.list.empty()) {
      const auto from = plan.list.begin() + static_cast<std::ptrdiff_t>(done);
      part.list.assign(from, from + static_cast<std::ptrdiff_t>(part.paths.count));
    }
    try {
      Outcomes outcomes = backend.simulate(scenario, part, bins);
      const std::uint64_t finished = outcomes.columns->paths();
      Answers answers = ask(std::move(outcomes), asked.questions, plan.paths.seed,
                            spans_of(plan, done, finished), counters ? &*counters : nullptr);
      if (all) {
        merge(*all, std::move(answers));
      } else {
        all = std::move(answers);
      }
      done += finished;
      if (finished < part.paths.count || (asked.enough && asked.enough(so_far()))) break;
      if (asked.checkpoint && done < plan.paths.count) asked.checkpoint(so_far);
    } catch (const Interrupted&) {
      if (!all && !asked.begun) throw;
      break;
    }
  }
  if (!all) return *asked.begun;
  if (counters) counters->move_to(*all);
  if (asked.begun) merge(*all, Answers(*asked.begun));
  all->seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  return std::move(*all);
}

std::vector<Tally> empty_tallies(const Scenario& scenario, const Answers& like) {
  RunPlan plan;
  plan.paths.seed = like.seed;
  return tallies(scenario, plan, like.questions, like.by_month.bins);
}

void count_values(Answers& answers, std::vector<Tally> empty) {
  std::size_t next = 0;
  for (std::size_t i = 0; i < answers.questions.size(); ++i) {
    if (answers.questions[i].kind != Question::Kind::distribution) continue;
    answers.answers[i].tally = std::move(empty[next++]);
    answers.kept->count_into(answers.answers[i].tally, answers.questions[i].column);
  }
  answers.kept.reset();
}

std::uint64_t simulation_bytes(const Backend& backend, const Scenario& scenario, std::uint64_t paths,
                               std::uint64_t exact_paths, int threads) {
  const ColumnLayout layout = column_layout(scenario);
  if (paths <= exact_paths) return host_columns_bytes(layout, paths, threads);
  const auto tallies = static_cast<std::uint64_t>(layout.count()) * kMostTallyBins;
  return host_columns_bytes(layout, std::min(paths, backend.chunk()), threads) +
         tallies * sizeof(std::uint64_t);
}

}  // namespace headroom
