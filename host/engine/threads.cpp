// SPDX-License-Identifier: Apache-2.0
#include "host/engine/threads.hpp"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <exception>
#include <fstream>
#include <iterator>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>

namespace headroom {

namespace {

std::string text_of(const char* file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

// 0 if the kernel does not say.
unsigned cores_of_affinity() {
  // The kernel refuses a set that is smaller than its own.
  for (int size = 1024; size <= 1 << 20; size *= 4) {
    cpu_set_t* set = CPU_ALLOC(size);
    if (set == nullptr) return 0;
    const bool known = sched_getaffinity(0, CPU_ALLOC_SIZE(size), set) == 0;
    const int count = known ? CPU_COUNT_S(CPU_ALLOC_SIZE(size), set) : 0;
    CPU_FREE(set);
    if (count > 0) return static_cast<unsigned>(count);
  }
  return 0;
}

}  // namespace

double cgroup_quota(std::string_view membership, std::string_view mounts) {
  std::string line, path, root, mount;
  for (std::istringstream lines{std::string(membership)}; std::getline(lines, line);) {
    if (line.starts_with("0::")) path = line.substr(3);
  }
  // 30 23 0:26 ROOT MOUNT options - cgroup2 cgroup2 rw
  for (std::istringstream lines{std::string(mounts)}; std::getline(lines, line);) {
    if (line.find(" - cgroup2 ") == line.npos) continue;
    std::string skip;
    std::istringstream(line) >> skip >> skip >> skip >> root >> mount;
    break;
  }
  if (mount.empty() || path.empty()) return 0;
  // A container may see only a part of the tree, mounted as if it were all.
  if (root != "/" && path.starts_with(root)) path = path.substr(root.size());
  double least = 0;
  for (;;) {
    double quota = 0, period = 0;
    std::ifstream limit(mount + path + "/cpu.max");  // "max 100000" without a limit
    if (limit >> quota >> period && quota > 0 && period > 0) {
      least = least > 0 ? std::min(least, quota / period) : quota / period;
    }
    const std::size_t slash = path.rfind('/');
    if (slash == path.npos) return least;
    path = path.substr(0, slash);
  }
}

unsigned available_cores() {
  static const unsigned cores = [] {
    unsigned found = cores_of_affinity();
    if (found == 0) found = std::max(1U, std::thread::hardware_concurrency());
    const double quota = cgroup_quota(text_of("/proc/self/cgroup"), text_of("/proc/self/mountinfo"));
    if (quota > 0 && quota < found) found = std::max(1U, static_cast<unsigned>(std::ceil(quota)));
    return found;
  }();
  return cores;
}

void run_tasks(int threads, const std::vector<std::function<void()>>& tasks) {
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;
  std::exception_ptr failure;
  const auto work = [&] {
    for (std::size_t task = next++; task < tasks.size(); task = next++) {
      try {
        tasks[task]();
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!failure) failure = std::current_exception();
      }
    }
  };
  {
    std::vector<std::jthread> others;
    const int count = std::min(threads, static_cast<int>(tasks.size()));
    for (int other = 1; other < count; ++other) others.emplace_back(work);
    work();
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace headroom
