// SPDX-License-Identifier: Apache-2.0
#include "host/why/why.hpp"

#include <algorithm>
#include <chrono>
#include <numeric>

#include "host/plan/make_plan.hpp"

namespace headroom {

namespace {

using Happens = std::vector<std::vector<std::uint8_t>>;  // [event][path]

// Rolls paths in worlds that differ from the run.
class Roller {
 public:
  Roller(Backend& backend, const WhyRequest& request, const std::vector<Event>& events)
      : backend_(backend), request_(request), events_(events) {}

  std::shared_ptr<Columns> columns(const ScenarioData& data, const PathRange& range,
                                   const std::vector<std::uint64_t>& list) {
    const Scenario scenario = data.view();
    RunPlan plan;
    plan.paths = range;
    plan.list = list;
    if (!list.empty()) plan.paths.count = list.size();
    plan.threads = request_.threads;
    plan.isa = request_.isa;
    plan.stop = request_.stop;
    const std::vector<BinRange> none(
        static_cast<std::size_t>(series_count(scenario)) * static_cast<std::size_t>(scenario.months),
        BinRange{0, kNotCounted});
    std::shared_ptr<Columns> columns = backend_.simulate(scenario, plan, none).columns;
    if (columns->paths() < plan.paths.count) throw Interrupted{};
    rolled_ += plan.paths.count;
    if (request_.progress) request_.progress(rolled_);
    return columns;
  }

  Happens happens(Columns& columns) const {
    Happens happens(events_.size());
    std::vector<std::int32_t> months(columns.paths());
    for (std::size_t e = 0; e < events_.size(); ++e) {
      columns.read(events_[e].column, 0, months);
      happens[e].resize(months.size());
      std::transform(months.begin(), months.end(), happens[e].begin(),
                     [](std::int32_t month) { return static_cast<std::uint8_t>(month < kNever ? 1 : 0); });
    }
    return happens;
  }
  Happens happens(const ScenarioData& data, const std::vector<std::uint64_t>& list) {
    return happens(*columns(data, {request_.paths.seed, 0, list.size()}, list));
  }
  std::uint64_t rolled() const { return rolled_; }

 private:
  Backend& backend_;
  const WhyRequest& request_;
  const std::vector<Event>& events_;
  std::uint64_t rolled_ = 0;
};

// The paths on which each event happens, in order, up to a share of the sample for each.
struct Found {
  std::vector<std::vector<std::uint64_t>> sample;
  std::vector<std::uint64_t> count, looked;  // by event: of the paths looked through
  std::uint64_t looked_through = 0;
};

Found find_paths(Roller& roller, const ScenarioData& data, const WhyRequest& request, std::size_t events) {
  Found found;
  found.sample.resize(events);
  found.count.assign(events, 0);
  const PathRange range = request.path ? PathRange{request.paths.seed, *request.path, 1} : request.paths;
  const std::uint64_t share = std::max<std::uint64_t>(1, request.sample / std::max<std::size_t>(1, events));
  constexpr std::uint64_t kChunk = std::uint64_t{1} << 16;
  for (std::uint64_t at = 0; at < range.count; at += kChunk) {
    const PathRange chunk{range.seed, range.first + at, std::min(kChunk, range.count - at)};
    const Happens happens = roller.happens(*roller.columns(data, chunk, {}));
    found.looked_through += chunk.count;
    bool full = true;
    for (std::size_t e = 0; e < events; ++e) {
      for (std::uint64_t i = 0; i < chunk.count; ++i) {
        if (happens[e][i] == 0) continue;
        ++found.count[e];
        if (found.sample[e].size() < share) found.sample[e].push_back(chunk.first + i);
      }
      full = full && found.sample[e].size() >= share;
    }
    if (full) break;
  }
  return found;
}

// Counts of an event's sampled paths in a roll of all of them.
std::uint64_t happening(const std::vector<std::uint64_t>& sample, const std::vector<std::uint64_t>& all,
                        const std::vector<std::uint8_t>& happens) {
  std::uint64_t count = 0;
  std::size_t at = 0;
  for (const std::uint64_t path : sample) {
    while (all[at] != path) ++at;
    count += happens[at];
  }
  return count;
}

bool same_columns(Columns& a, Columns& b, std::int32_t count) {
  std::vector<std::int32_t> x(a.paths()), y(b.paths());
  for (std::int32_t c = 0; c < count; ++c) {
    a.read(c, 0, x), b.read(c, 0, y);
    if (x != y) return false;
  }
  return true;
}

}  // namespace

std::vector<Event> events_of(const Company& company) {
  const Scenario scenario = company.data.view();
  const ColumnLayout layout = column_layout(scenario);
  std::vector<Event> events;
  for (std::int32_t v = 0; v < layout.covenants; ++v) {
    const Named& name = company.covenants[static_cast<std::size_t>(v)];
    events.push_back({Event::Kind::covenant, name.id, "breach of " + name.label, layout.first_breach(v)});
  }
  for (std::int32_t e = 0; e < layout.borrowers; ++e) {
    const Named& name = company.entities[static_cast<std::size_t>(e)];
    events.push_back(
        {Event::Kind::payment_default, name.id, "payment default of " + name.label, layout.payment_default(e)});
  }
  events.push_back(
      {Event::Kind::liquidity_default, "liquidity", "liquidity default of the parent", kLiquidityDefaultMonth});
  return events;
}

WhyReport why(const Company& company, Backend& backend, const WhyRequest& request) {
  const auto started = std::chrono::steady_clock::now();
  ScenarioData data = company.data;
  make_plan(data);
  std::vector<Event> events = events_of(company);
  if (!request.events.empty()) {
    std::vector<Event> asked;
    for (const std::size_t e : request.events) asked.push_back(events.at(e));
    events = std::move(asked);
  }
  WhyReport report;
  report.seed = request.paths.seed;
  report.groups = factor_groups(company);
  report.objects = factor_objects(company);
  Roller roller(backend, request, events);
  const Found found = find_paths(roller, data, request, events.size());
  report.looked_through = found.looked_through;
  std::vector<std::uint64_t> all;
  for (const auto& sample : found.sample) all.insert(all.end(), sample.begin(), sample.end());
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  report.sampled = all.size();
  for (std::size_t e = 0; e < events.size(); ++e) {
    EventReasons reasons;
    reasons.event = events[e];
    reasons.probability = wilson(found.count[e], found.looked_through);
    if (!found.sample[e].empty()) reasons.first_path = found.sample[e].front();
    report.events.push_back(std::move(reasons));
  }
  if (all.empty()) return report;

  // One factor on plan. A group that then changes no kept figure of any path is not tried further.
  const std::shared_ptr<Columns> as_run = roller.columns(data, {request.paths.seed, 0, all.size()}, all);
  const std::int32_t columns = column_layout(data.view()).count();
  std::vector<int> active;
  const auto goes_away = [&](const Cause& factor, std::size_t index, std::vector<Reason> EventReasons::*into) {
    const std::shared_ptr<Columns> rolled =
        roller.columns(with_on_plan(data, factor), {request.paths.seed, 0, all.size()}, all);
    if (same_columns(*as_run, *rolled, columns)) return false;
    const Happens happens = roller.happens(*rolled);
    for (std::size_t e = 0; e < events.size(); ++e) {
      const auto& sample = found.sample[e];
      (report.events[e].*into)
          .push_back({index, wilson(sample.size() - happening(sample, all, happens[e]), sample.size()), {}});
    }
    return true;
  };
  for (std::size_t f = 0; f < report.groups.size(); ++f) {
    if (goes_away(report.groups[f], f, &EventReasons::groups)) active.push_back(static_cast<int>(f));
  }
  const auto minimal =
      minimal_sets(found.sample, active, [&](CauseSet set, const std::vector<std::uint64_t>& paths) {
        return roller.happens(with_alone(data, report.groups, set), paths);
      });
  for (std::size_t e = 0; e < events.size(); ++e) {
    const auto& sets = minimal[e].of_path;
    EventReasons& reasons = report.events[e];
    reasons.in_plan = !sets.empty() && sets.front() == std::vector<CauseSet>{0};
    reasons.storylines = storylines(found.sample[e], minimal[e]);
    for (Reason& reason : reasons.groups) {
      if (!reasons.in_plan) reason.alone = wilson(minimal[e].alone[reason.factor], sets.size());
    }
  }
  for (std::size_t o = 0; o < report.objects.size(); ++o) {
    if (!goes_away(report.objects[o], o, &EventReasons::objects)) continue;
    const Happens happens = roller.happens(with_alone(data, report.groups, report.objects[o]), all);
    for (std::size_t e = 0; e < events.size(); ++e) {
      const auto& sample = found.sample[e];
      if (!report.events[e].in_plan)
        report.events[e].objects.back().alone = wilson(happening(sample, all, happens[e]), sample.size());
    }
  }
  report.rolled = roller.rolled();
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  return report;
}

}  // namespace headroom
