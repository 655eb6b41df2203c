// SPDX-License-Identifier: Apache-2.0
// The CUDA backend's own parts: checked calls, memory, launches of a few threads, reductions.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cuda/backend.hpp"
#include "cuda/buffer.cuh"
#include "cuda/check.cuh"
#include "cuda/device_columns.cuh"
#include "headroom/state.hpp"
#include "host/cpu/pilot.hpp"
#include "host/engine/calendar.hpp"
#include "host/engine/engine.hpp"
#include "host/engine/host_columns.hpp"
#include "tests/gpu_fixture.hpp"
#include "tests/outcomes_fixture.hpp"

namespace headroom {
namespace {

template <class Throws>
std::string message_of(Throws&& call) {
  try {
    call();
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

// ---- Checked calls ----

// Needs no card.
TEST(CudaCheck, SaysCallNameWordsAndPlace) {
  EXPECT_NO_THROW(cuda::check(cudaSuccess, "call", "file", 1));
  EXPECT_EQ(message_of([] { cuda::check(cudaErrorMemoryAllocation, "cudaMalloc", "/a/b.cu", 7); }),
            "cudaMalloc failed: cudaErrorMemoryAllocation (out of memory) at b.cu:7");
}

class CudaDevice : public GpuTest {};

TEST_F(CudaDevice, AFailedCallIsThrownAndForgotten) {
  const int line = __LINE__ + 1;
  EXPECT_EQ(message_of([] { HEADROOM_CUDA(cudaSetDevice(9999)); }),
            "cudaSetDevice(9999) failed: cudaErrorInvalidDevice (invalid device ordinal) at "
            "cuda_backend_gpu_test.cu:" +
                std::to_string(line));
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
}

TEST_F(CudaDevice, ABufferTooLargeSaysHowLargeAndForWhat) {
  const std::string message = message_of([] { cuda::DeviceBuffer<double>(std::size_t{1} << 40, "a test"); });
  EXPECT_EQ(message.find("cudaMalloc of 8192 GiB for a test failed: cudaErrorMemoryAllocation (out of memory)"),
            0U)
      << message;
}

TEST_F(CudaDevice, BuffersAreCopiedMovedAndFreed) {
  const std::vector<std::int32_t> values{3, -1, 4, -1, 5};
  cuda::DeviceBuffer<std::int32_t> first(values, "a test");
  const cuda::DeviceBuffer<std::int32_t> second(std::move(first));
  std::vector<std::int32_t> back(3);
  second.copy_to(back, 2);
  EXPECT_EQ(back, (std::vector<std::int32_t>{4, -1, 5}));
  EXPECT_THROW(second.copy_to(back, 3), std::out_of_range);
  EXPECT_EQ(first.size(), 0U);  // NOLINT: moved from
  EXPECT_EQ(cuda::DeviceBuffer<std::int32_t>(0, "nothing").data(), nullptr);
}

// ---- Reductions: the host's answers ----

class DeviceReductions : public GpuTest, public testing::WithParamInterface<std::uint64_t> {};

TEST_P(DeviceReductions, EqualTheHosts) {
  constexpr std::int32_t kColumns = 5;
  const std::uint64_t paths = GetParam();
  HostColumns host(kColumns, paths, 1);
  cuda::DeviceColumns device(kColumns, paths);
  std::uint64_t state = paths;
  const auto random = [&] {
    state = state * 6364136223846793005U + 1442695040888963407U;
    return static_cast<std::int32_t>(state >> 33);
  };
  for (std::uint64_t path = 0; path < paths; ++path) {
    host.column(0)[path] = random() % kFixedMax - kFixedMax / 2;
    host.column(1)[path] = random() % 5 == 0 ? random() % 60 + 1 : kNever;  // months
    host.column(2)[path] = random() % 3 == 0 ? random() % 60 + 1 : kNever;
    host.column(3)[path] = random() % 997 == 0 ? 16 : 0;            // violations
    host.column(4)[path] = path % 2 == 0 ? -kFixedMax : kFixedMax;  // squares beyond 64 bits in sum
  }
  for (std::int32_t c = 0; c < kColumns; ++c) {
    HEADROOM_CUDA(
        cudaMemcpy(device.column(c), host.column(c), paths * sizeof(std::int32_t), cudaMemcpyHostToDevice));
  }
  EXPECT_EQ(device.paths(), paths);
  const std::vector<std::uint64_t> ranks{0, paths / 100, paths / 2, paths / 2, paths - 1, paths + 7};
  using Kind = Question::Kind;
  for (std::int32_t c = 0; c < kColumns; ++c) {
    SCOPED_TRACE(testing::Message() << "column " << c);
    EXPECT_EQ(device.order_statistics(c, ranks), host.order_statistics(c, ranks));
    for (const std::uint64_t count : {std::uint64_t{0}, std::uint64_t{1}, paths / 20, paths}) {
      EXPECT_EQ(device.sums_of_smallest(c, count), host.sums_of_smallest(c, count));
    }
    for (const std::int32_t limit : {-kFixedMax, -1, 0, 36, kNever, kFixedMax, kNoMarker}) {
      for (std::int32_t other = 0; other < kColumns; ++other) {
        for (const Kind kind : {Kind::sums, Kind::both}) {
          const Question question{kind, c, other, limit};
          EXPECT_TRUE(device.answer(question) == host.answer(question));
        }
      }
    }
    for (const Question& question : {Question{Kind::counts, c, 0, 61}, Question{Kind::offenders, c, 0, 0}}) {
      EXPECT_TRUE(device.answer(question) == host.answer(question));
    }
    Tally on_device{
        .lo = -kFixedMax / 8, .shift = 12, .none = kFixedMax / 4, .count = std::vector<std::uint64_t>(3000)};
    Tally on_host = on_device;
    EXPECT_EQ(device.count_into(on_device, c), host.count_into(on_host, c));
    EXPECT_EQ(on_device, on_host);
    // Chunk after chunk, of columns in the memory of either.
    const std::unique_ptr<Counter> counter = device.counter(on_host);
    EXPECT_EQ(counter->add(device, c), counter->add(host, c));
    counter->add(device, c);
    for (int chunk = 0; chunk < 3; ++chunk) host.count_into(on_host, c);
    EXPECT_EQ(counter->tally(), on_host);
    EXPECT_EQ(column_of(device, c), column_of(host, c));
  }
  std::vector<std::int32_t> one(1);
  EXPECT_THROW(device.read(0, paths, one), std::out_of_range);
  EXPECT_THROW(device.answer({Kind::sums, kColumns, 0, 0}), std::out_of_range);
}

INSTANTIATE_TEST_SUITE_P(Paths, DeviceReductions, testing::Values(1, 2, 129, 10'000, 1'000'003));

// ---- Runs that do not fit ----

class CudaLimits : public GpuTest {
 protected:
  Outcomes run(Backend& backend, std::uint64_t count) {
    plan_.paths = {1, 0, count};
    return backend.simulate(scenario_, plan_, bins_);
  }
  Company company_ = planned_company("demo");
  Scenario scenario_ = company_.data.view();
  std::vector<BinRange> bins_ = pilot_bins(scenario_, 1);
  RunPlan plan_{};
};

TEST_F(CudaLimits, OneBlockManyLaunches) {
  const auto cuda = cuda::make_backend({.threads = 128});
  expect_same_outcomes(run(*make_cpu_backend(), 5000), run(*cuda, 5000));
}

TEST_F(CudaLimits, ColumnsThatDoNotFitAreCopiedToTheHost) {
  const std::uint64_t whole = 20'000 * column_layout(scenario_).count() * sizeof(std::int32_t);
  const auto cuda = cuda::make_backend({.bytes = whole, .threads = 1024});
  const Outcomes outcomes = run(*cuda, 20'000);
  EXPECT_EQ(dynamic_cast<cuda::DeviceColumns*>(outcomes.columns.get()), nullptr);
  expect_same_outcomes(run(*make_cpu_backend(), 20'000), outcomes);
  const Outcomes resident = run(*cuda::make_backend({}), 20'000);
  EXPECT_NE(dynamic_cast<cuda::DeviceColumns*>(resident.columns.get()), nullptr);
}

TEST_F(CudaLimits, FewerThreadsWhereTheStateDoesNotFit) {
  const StateLayout layout = state_layout(scenario_, calendar_of(scenario_));
  const auto a_path = static_cast<std::uint64_t>(layout.words + column_layout(scenario_).count());
  const auto cuda = cuda::make_backend({.bytes = 300 * a_path * 4});
  expect_same_outcomes(run(*make_cpu_backend(), 3000), run(*cuda, 3000));
}

TEST_F(CudaLimits, TooLittleMemoryIsSaid) {
  const auto cuda = cuda::make_backend({.bytes = 20'480});
  const std::string message = message_of([&] { run(*cuda, 1000); });
  EXPECT_EQ(message.find("the card has 20 KiB free for paths and 32 of them need "), 0U) << message;
}

TEST_F(CudaLimits, TooManyPathsAreSaid) {
  const std::string message = message_of([&] { run(*make_cuda_backend(), std::uint64_t{1} << 32); });
  EXPECT_EQ(message, "the CUDA backend counts up to 4,294,967,295 paths; run more in parts");
}

TEST_F(CudaLimits, ProgressIsToldAndAStopIsHeeded) {
  const auto cuda = cuda::make_backend({.threads = 128});
  std::atomic<bool> stop = false;
  std::vector<std::uint64_t> done;
  plan_.stop = &stop;
  plan_.progress = [&](std::uint64_t now, std::uint64_t total) {
    EXPECT_EQ(total, 5000U);
    done.push_back(now);
  };
  run(*cuda, 5000);
  EXPECT_EQ(done, (std::vector<std::uint64_t>{1024, 2048, 3072, 4096, 5000}));
  done.clear();
  plan_.progress = [&](std::uint64_t now, std::uint64_t) {
    done.push_back(now);
    stop = done.size() == 2;
  };
  EXPECT_THROW(run(*cuda, 5000), Interrupted);
  EXPECT_EQ(done, (std::vector<std::uint64_t>{1024, 2048}));
}

TEST_F(CudaLimits, AllMemoryIsGivenBack) {
  const auto cuda = cuda::make_backend({});
  run(*cuda, 1000);
  std::size_t before = 0, after = 0, total = 0;
  HEADROOM_CUDA(cudaMemGetInfo(&before, &total));
  run(*cuda, 100'000);
  HEADROOM_CUDA(cudaMemGetInfo(&after, &total));
  EXPECT_EQ(before, after);
}

}  // namespace
}  // namespace headroom
