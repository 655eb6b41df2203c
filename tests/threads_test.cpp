// SPDX-License-Identifier: Apache-2.0
// The cores that a process may use.
#include "host/engine/threads.hpp"

#include <gtest/gtest.h>
#include <sched.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

namespace headroom {
namespace {

TEST(Threads, AvailableCoresKeepToTheAffinity) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) != 0) GTEST_SKIP() << "more than 1024 cores";
  EXPECT_GE(available_cores(), 1U);
  EXPECT_LE(available_cores(), static_cast<unsigned>(CPU_COUNT(&set)));
}

TEST(Threads, TheLeastQuotaOfAControlGroupAndThoseAboveItCounts) {
  namespace fs = std::filesystem;
  std::string name = (fs::temp_directory_path() / "headroom-cgroup-XXXXXX").string();
  const fs::path root = mkdtemp(name.data());
  const auto limit = [&](const fs::path& group, const char* text) {
    fs::create_directories(root / group);
    std::ofstream(root / group / "cpu.max") << text;
  };
  const std::string mounts = "24 1 8:1 / / rw - ext4 /dev/sda rw\n30 23 0:26 / " + root.string() +
                             " rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";
  limit("slurm/job1/step", "max 100000\n");
  EXPECT_EQ(cgroup_quota("0::/slurm/job1/step\n", mounts), 0);
  limit("slurm/job1", "250000 100000\n");
  EXPECT_EQ(cgroup_quota("0::/slurm/job1/step\n", mounts), 2.5);
  limit("slurm", "800000 100000\n");
  EXPECT_EQ(cgroup_quota("0::/slurm/job1/step\n", mounts), 2.5);
  limit("slurm", "100000 100000\n");
  EXPECT_EQ(cgroup_quota("0::/slurm/job1/step\n", mounts), 1);
  // A container sees its own group as the root.
  limit("", "150000 100000\n");
  EXPECT_EQ(cgroup_quota("0::/\n", mounts), 1.5);
  // Version 1 alone, and no mount at all.
  EXPECT_EQ(cgroup_quota("4:memory:/x\n1:cpu:/\n", mounts), 0);
  EXPECT_EQ(cgroup_quota("0::/slurm\n", ""), 0);
  fs::remove_all(root);
}

}  // namespace
}  // namespace headroom
