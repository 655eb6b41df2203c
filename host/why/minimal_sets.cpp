// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bit>
#include <map>

#include "host/why/why.hpp"

namespace headroom {

namespace {

// The sets of `size` of the factors, ascending.
std::vector<CauseSet> sets_of(const std::vector<int>& factors, int size) {
  std::vector<CauseSet> sets;
  const auto extend = [&](const auto& self, std::size_t next, int left, CauseSet set) -> void {
    if (left == 0) {
      sets.push_back(set);
      return;
    }
    for (std::size_t f = next; f < factors.size(); ++f)
      self(self, f + 1, left - 1, set | CauseSet{1} << factors[f]);
  };
  extend(extend, 0, size, 0);
  std::sort(sets.begin(), sets.end());
  return sets;
}

}  // namespace

std::vector<MinimalSets> minimal_sets(const std::vector<std::vector<std::uint64_t>>& samples,
                                      const std::vector<int>& factors, const Alone& alone) {
  std::vector<MinimalSets> found(samples.size());
  for (std::size_t e = 0; e < samples.size(); ++e) {
    found[e].of_path.resize(samples[e].size());
    found[e].alone.assign(32, 0);
  }
  for (int size = 0; size <= std::min<int>(kMostTogether, static_cast<int>(factors.size())); ++size) {
    // Only the paths that no smaller set explains.
    std::vector<std::vector<std::size_t>> open(samples.size());
    std::vector<std::uint64_t> paths;
    for (std::size_t e = 0; e < samples.size(); ++e) {
      for (std::size_t i = 0; i < samples[e].size(); ++i) {
        if (!found[e].of_path[i].empty()) continue;
        open[e].push_back(i);
        paths.push_back(samples[e][i]);
      }
    }
    std::sort(paths.begin(), paths.end());
    paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
    if (paths.empty()) break;
    for (const CauseSet set : sets_of(factors, size)) {
      const auto happens = alone(set, paths);
      for (std::size_t e = 0; e < samples.size(); ++e) {
        std::size_t at = 0;
        for (const std::size_t i : open[e]) {
          while (paths[at] != samples[e][i]) ++at;
          if (happens[e][at] == 0) continue;
          found[e].of_path[i].push_back(set);
          if (size == 1) ++found[e].alone[static_cast<std::size_t>(std::countr_zero(set))];
        }
      }
    }
  }
  return found;
}

std::vector<Storyline> storylines(const std::vector<std::uint64_t>& sample, const MinimalSets& sets) {
  struct Paths {
    std::uint64_t count = 0, first = 0;
  };
  std::map<std::vector<CauseSet>, Paths> groups;
  for (std::size_t i = 0; i < sample.size(); ++i) {
    Paths& group = groups[sets.of_path[i]];
    if (group.count++ == 0) group.first = sample[i];
  }
  std::vector<Storyline> lines;
  lines.reserve(groups.size());
  for (const auto& [key, paths] : groups)
    lines.push_back({key, wilson(paths.count, sample.size()), paths.first});
  std::stable_sort(lines.begin(), lines.end(),
                   [](const Storyline& a, const Storyline& b) { return a.weight.count > b.weight.count; });
  return lines;
}

}  // namespace headroom
