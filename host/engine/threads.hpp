// SPDX-License-Identifier: Apache-2.0
// Runs work on several threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <thread>
#include <vector>

namespace headroom {

// Runs every task once, at most `threads` at the same time, including the caller's thread. Each task writes
// to its own place, so the order does not matter. After all tasks have ended, the first exception is
// rethrown.
void run_tasks(int threads, const std::vector<std::function<void()>>& tasks);

// The cores that this process may use: those of its affinity (taskset, a Slurm cpuset), and not more than the
// CPU quota of its control groups (a container), rounded up. At least 1; found once.
unsigned available_cores();

// The least quota, in cores, of a process's control group and those above it (cgroup v2); 0 without one.
// `membership` is the text of /proc/self/cgroup, `mounts` that of /proc/self/mountinfo.
double cgroup_quota(std::string_view membership, std::string_view mounts);

// The number of threads for `wanted`: at most one per block; 0 means all available cores.
inline unsigned useful_threads(int wanted, std::uint64_t blocks) {
  const unsigned cores = available_cores();
  return static_cast<unsigned>(std::clamp<std::uint64_t>(wanted > 0 ? static_cast<unsigned>(wanted) : cores, 1,
                                                         std::max<std::uint64_t>(blocks, 1)));
}

// Calls work(0) .. work(threads - 1) side by side. An exception ends the program.
template <class F>
void on_threads(unsigned threads, F&& work) {
  std::vector<std::jthread> others;
  for (unsigned i = 1; i < threads; ++i) others.emplace_back([&work, i] { work(i); });
  work(0U);
}

// The results of work(first, last) for consecutive parts of 0 .. count - 1, in order, made on all cores.
template <class T, class F>
std::vector<T> in_parts(std::size_t count, F&& work) {
  const std::size_t parts = useful_threads(0, count);
  std::vector<T> results(parts);
  std::vector<std::function<void()>> tasks;
  for (std::size_t part = 0; part < parts; ++part)
    tasks.emplace_back([&, part] { results[part] = work(count * part / parts, count * (part + 1) / parts); });
  run_tasks(static_cast<int>(parts), tasks);
  return results;
}

// Calls work(next) on all cores. next() returns each of 0 .. count - 1 once, and then larger numbers.
template <class F>
void share_out(std::size_t count, F&& work) {
  std::atomic<std::size_t> taken{0};
  on_threads(useful_threads(0, count), [&](unsigned) { work([&taken] { return taken++; }); });
}

}  // namespace headroom
