// SPDX-License-Identifier: Apache-2.0
// Two configs side by side, and a walk from one to the other over the keys that differ: which change moved
// what.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "host/study/study.hpp"

namespace headroom::study {

// A key whose value differs between two configs, and is written in one of them. What follows from it by default
// or by inheritance is not told again.
struct Change {
  std::string key{};
  std::string before{}, now{};  // as in canonical_text(); empty: there is no such key
};
// In the order of `now`; what is gone stands last.
std::vector<Change> changes_between(const Company& before, const Company& now);
// site.a.pue = 1.3, was 1.2
std::string text_of(const Change& change);

// A walk: the first config, then one change after another, and the second config at the end.
struct Walk {
  Study study{};  // its one axis is the walk; its first point is the first config
  std::vector<std::vector<std::string>> steps{};  // the changes of each point but the first, a text each
};

// At most `most` steps; the changes that --set cannot make one by one (a new object, say), and those beyond
// `most`, are the last step together. Without a change there is one step, without text.
Walk walk_between(Base before, const Company& now, std::size_t most);

// Runs the walk, the last point with the second config. Nothing if it was stopped.
Results run_walk(const Walk& walk, const Base& now, Backend& backend,
                 const std::function<void(std::uint64_t done, std::uint64_t total)>& progress);

// Paths on which an event happens under one config and not under the other: of the months of the columns that
// both runs keep: defaults and breaches.
struct Flips {
  std::string event{};  // its name in the catalogue, without the horizon
  std::uint64_t before = 0, now = 0;
  std::uint64_t example_before = 0, example_now = 0;  // the first of them
};
std::vector<Flips> flips_between(const Result& before, const Result& now);

// Figures as rows: both values, the difference, its paired interval, and whether it can be told from 0.
std::string compare_text(const Walk& walk, const Results& results);
// Each step's part of the difference of the figures; the parts add up.
std::string walk_text(const Walk& walk, const Results& results);
// step,change,figure,unit,value,difference,low,high: each step against the one before.
std::string walk_csv(const Walk& walk, const Results& results);

}  // namespace headroom::study
