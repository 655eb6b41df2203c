// SPDX-License-Identifier: Apache-2.0
// Why something happened. Paths on which it happened are rolled again with one factor on plan (does it go
// away?), with one factor random and all others on plan (does it happen with that alone?), and with two and
// three. A path's minimal sets are the smallest sets of factors with which alone it happens.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "host/config/company.hpp"
#include "host/engine/engine.hpp"
#include "host/risk/statistics.hpp"
#include "host/why/factors.hpp"

namespace headroom {

// Something that happens on a path or not, within the horizon.
struct Event {
  enum class Kind { covenant, payment_default, liquidity_default };
  Kind kind{};
  std::string id;           // of the covenant or borrower; liquidity
  std::string words;        // breach of ...
  std::int32_t column = 0;  // kept column with its month, or kNever
};

// Every covenant, every borrower's payment default and the parent's liquidity default.
std::vector<Event> events_of(const Company& company);

struct Reason {
  std::size_t factor = 0;  // index into WhyReport::groups or ::objects
  Probability goes_away;   // of the sampled paths: it does not happen with this factor on plan
  Probability alone;       // it happens with this factor random and all else on plan; of 0: it is in the plan
};

// Paths with the same minimal sets.
struct Storyline {
  std::vector<CauseSet> sets;  // any one suffices; {0}: the plan itself; none: more than kMostTogether
  Probability weight;          // of the sampled paths
  std::uint64_t path = 0;      // the first such path
};
constexpr int kMostTogether = 3;

struct EventReasons {
  Event event;
  Probability probability;  // of the paths that were looked through
  std::uint64_t first_path = 0;
  bool in_plan = false;  // it happens on the plan
  std::vector<Reason> groups, objects;
  std::vector<Storyline> storylines;  // the heaviest first
};

struct WhyRequest {
  PathRange paths{};                    // of the run
  std::optional<std::uint64_t> path{};  // this path alone
  std::vector<std::size_t> events{};    // indices into events_of(); empty: all
  std::uint64_t sample = 20'000;        // paths rolled again, of all events together
  int threads = 0;
  std::string isa = "auto";
  const std::atomic<bool>* stop = nullptr;
  std::function<void(std::uint64_t rolled)> progress{};
};

struct WhyReport {
  std::vector<Cause> groups, objects;
  std::vector<EventReasons> events;  // those asked for
  std::uint64_t seed = 0;
  std::uint64_t looked_through = 0;  // paths of the run
  std::uint64_t sampled = 0;         // paths rolled again
  std::uint64_t rolled = 0;          // paths simulated in all
  double seconds = 0;
};

// The result does not depend on threads, instruction set or backend. Throws Interrupted.
WhyReport why(const Company& company, Backend& backend, const WhyRequest& request);

// ---- The search for minimal sets, on any world. ----

// Whether each event happens on each path with these factors alone random: [event][path], 0 or 1.
using Alone =
    std::function<std::vector<std::vector<std::uint8_t>>(CauseSet, const std::vector<std::uint64_t>&)>;

struct MinimalSets {
  std::vector<std::vector<CauseSet>> of_path;  // by the event's sampled path, of the least size that suffices
  std::vector<std::uint64_t> alone;            // by factor: sampled paths on which it alone suffices
};
// `samples`: by event, ascending path indices. `factors`: the bits to try.
std::vector<MinimalSets> minimal_sets(const std::vector<std::vector<std::uint64_t>>& samples,
                                      const std::vector<int>& factors, const Alone& alone);
// Paths grouped by their minimal sets, the heaviest first.
std::vector<Storyline> storylines(const std::vector<std::uint64_t>& sample, const MinimalSets& sets);

}  // namespace headroom
