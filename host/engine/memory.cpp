// SPDX-License-Identifier: Apache-2.0
#include "host/engine/memory.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <fstream>
#include <string>

namespace headroom {

namespace {

std::optional<std::uint64_t> number_in(const char* file) {
  std::ifstream in(file);
  std::uint64_t value = 0;
  if (in >> value) return value;  // "max" is not a number
  return {};
}

// The cgroup's inactive page cache, which the kernel frees when memory is needed.
std::uint64_t reclaimable(const char* file) {
  std::ifstream in(file);
  std::string key;
  std::uint64_t value = 0;
  while (in >> key >> value) {
    if (key == "inactive_file" || key == "total_inactive_file") return value;
  }
  return 0;
}

std::optional<std::uint64_t> left_in_group(const char* limit, const char* used, const char* stat) {
  const auto most = number_in(limit);
  const auto now = number_in(used);
  if (!most || !now) return {};
  const std::uint64_t taken = *now - std::min(*now, reclaimable(stat));
  return *most - std::min(*most, taken);
}

}  // namespace

std::optional<std::uint64_t> available_memory() {
  std::optional<std::uint64_t> least;
  const auto consider = [&least](std::optional<std::uint64_t> bytes) {
    if (bytes && (!least || *bytes < *least)) least = bytes;
  };
  std::ifstream in("/proc/meminfo");
  std::string key;
  while (in >> key) {
    std::uint64_t kib = 0;
    if (key == "MemAvailable:" && in >> kib) consider(kib * 1024);
    in.ignore(256, '\n');
  }
  consider(left_in_group("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current",
                         "/sys/fs/cgroup/memory.stat"));
  consider(left_in_group("/sys/fs/cgroup/memory/memory.limit_in_bytes",
                         "/sys/fs/cgroup/memory/memory.usage_in_bytes", "/sys/fs/cgroup/memory/memory.stat"));
  return least;
}

void prefer_huge_pages(void* memory, std::size_t bytes) {
  constexpr std::uintptr_t kHuge = std::uintptr_t{2} << 20;
  const auto start = reinterpret_cast<std::uintptr_t>(memory);
  const std::uintptr_t first = (start + kHuge - 1) / kHuge * kHuge, end = (start + bytes) / kHuge * kHuge;
  // A kernel that refuses gives small pages, as without the call.
  if (first < end) madvise(static_cast<char*>(memory) + (first - start), end - first, MADV_HUGEPAGE);
}

}  // namespace headroom
