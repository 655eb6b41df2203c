// SPDX-License-Identifier: Apache-2.0
// The pieces of a path, a vector at a time (random words, distributions, elementary functions), and the
// reductions of one column. Each is checked before it is timed. `headroom bench` measures whole paths.
#include <benchmark/benchmark.h>

#include <cmath>
#include <memory>
#include <random>
#include <vector>

#include "headroom/math.hpp"
#include "headroom/philox.hpp"
#include "host/engine/engine.hpp"
#include "host/engine/host_columns.hpp"

namespace headroom {
namespace {

constexpr std::size_t kCount = 4096;

// Times `f` over kCount inputs. `reference` must agree to within `ulps` float ULP.
template <class In, class F, class Reference>
void function(benchmark::State& state, const std::vector<In>& in, F f, Reference reference, double ulps) {
  std::vector<Real> out(in.size());
  const auto run = [&] {
#pragma omp simd
    for (std::size_t i = 0; i < kCount; ++i) out[i] = f(in[i]);
  };
  run();
  for (std::size_t i = 0; i < in.size(); ++i) {
    const double expected = reference(in[i]);
    if (std::fabs(out[i] - expected) > ulps * std::ldexp(std::fabs(expected), -23)) {
      return state.SkipWithError("beyond the stated error");
    }
  }
  for (auto _ : state) {
    run();
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kCount));
}

std::vector<Real> reals(Real from, Real to) {
  std::vector<Real> values(kCount);
  for (std::size_t i = 0; i < kCount; ++i)
    values[i] = from + (to - from) * (static_cast<Real>(i) + 0.5F) / kCount;
  return values;
}
std::vector<std::uint32_t> words() {
  std::mt19937 random(1);
  std::vector<std::uint32_t> values(kCount);
  for (std::uint32_t& each : values) each = static_cast<std::uint32_t>(random());
  return values;
}
double point(std::uint32_t word) { return (word + 0.5) * 0x1p-32; }

void philox(benchmark::State& state) {
  std::vector<std::uint32_t> out(kCount);
  for (auto _ : state) {
#pragma omp simd
    for (std::uint32_t i = 0; i < kCount; ++i) {
      const Philox4 w = philox4x32_10({i, 0, 1, 2}, 3, 4);
      out[i] = w.w0 ^ w.w1 ^ w.w2 ^ w.w3;
    }
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(4 * kCount));
}

#if defined(__AVX2__) && defined(__FMA__)
// The most instructions a second that a core can issue of a mix like a path's lanes (NOTES.md): loads,
// floats, integers, a store and a loop's end, none waiting for another. bench/issue_share.py divides by it.
void issue_limit(benchmark::State& state) {
  constexpr std::int64_t kBlocks = 100'000, kInstructions = 18;  // of a block
  alignas(64) Real memory[64] = {};
  for (auto _ : state) {
    std::int64_t left = kBlocks;
    asm volatile(
        "1:\n"
        "vmovaps (%[m]), %%ymm0\n vmovaps 32(%[m]), %%ymm1\n vmovaps 64(%[m]), %%ymm2\n vmovaps 96(%[m]), "
        "%%ymm3\n"
        "vmulps %%ymm0, %%ymm15, %%ymm4\n vpaddd %%ymm1, %%ymm14, %%ymm5\n vaddps %%ymm2, %%ymm15, %%ymm6\n"
        "vpand %%ymm3, %%ymm14, %%ymm7\n vmulps %%ymm1, %%ymm15, %%ymm8\n vpsubd %%ymm0, %%ymm14, %%ymm9\n"
        "vaddps %%ymm3, %%ymm15, %%ymm10\n vpor %%ymm2, %%ymm14, %%ymm11\n vminps %%ymm0, %%ymm15, %%ymm12\n"
        "vpcmpgtd %%ymm1, %%ymm14, %%ymm13\n vmovaps %%ymm15, 128(%[m])\n lea 1(%[n]), %%rax\n"
        "sub $1, %[n]\n jnz 1b\n"
        : [n] "+r"(left)
        : [m] "r"(memory)
        : "rax", "memory", "ymm0", "ymm1", "ymm2", "ymm3", "ymm4", "ymm5", "ymm6", "ymm7", "ymm8", "ymm9",
          "ymm10", "ymm11", "ymm12", "ymm13");
  }
  state.SetItemsProcessed(state.iterations() * kBlocks * kInstructions);
}
#endif

// Columns of Gaussian integers.
std::unique_ptr<HostColumns> gaussian(std::int64_t paths) {
  auto columns = std::make_unique<HostColumns>(1, static_cast<std::uint64_t>(paths), 1);
  std::mt19937 random(1);
  std::normal_distribution<double> normal_law(0, 1e6);
  for (std::int64_t i = 0; i < paths; ++i)
    columns->column(0)[i] = static_cast<std::int32_t>(normal_law(random));
  return columns;
}

// Each run sorts a fresh store, because a store keeps the sorted copy of its last column.
void sorted_column(benchmark::State& state) {
  const std::vector<std::uint64_t> ranks = {static_cast<std::uint64_t>(state.range(0)) / 2};
  for (auto _ : state) {
    state.PauseTiming();
    const std::unique_ptr<HostColumns> columns = gaussian(state.range(0));
    state.ResumeTiming();
    benchmark::DoNotOptimize(columns->order_statistics(0, ranks));
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void tallied_column(benchmark::State& state) {
  const std::unique_ptr<HostColumns> columns = gaussian(state.range(0));
  Tally tally;
  tally.lo = -4'000'000;
  tally.shift = 5;
  tally.count.resize(250'002);
  std::uint64_t counted = 0;
  for (auto _ : state) counted += columns->count_into(tally, 0).number;
  if (counted != static_cast<std::uint64_t>(state.iterations() * state.range(0)))
    return state.SkipWithError("values were lost");
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void register_all() {
  benchmark::RegisterBenchmark("philox_words", philox);
  benchmark::RegisterBenchmark("exp", [](benchmark::State& s) {
    function(
        s, reals(-20, 20), [](Real x) { return exp(x); }, [](Real x) { return std::exp(double{x}); }, 2);
  });
  benchmark::RegisterBenchmark("log", [](benchmark::State& s) {
    function(
        s, reals(0.01F, 50), [](Real x) { return log(x); }, [](Real x) { return std::log(double{x}); }, 4);
  });
  benchmark::RegisterBenchmark("uniform", [](benchmark::State& s) {
    function(
        s, words(), [](std::uint32_t w) { return uniform(w); }, point, 1);
  });
  benchmark::RegisterBenchmark("exponential", [](benchmark::State& s) {
    function(
        s, words(), [](std::uint32_t w) { return exponential(w); },
        [](std::uint32_t w) { return -std::log(point(w)); }, 4);
  });
  benchmark::RegisterBenchmark("normal", [](benchmark::State& s) {
    // Checked through the distribution function of the result.
    std::vector<Real> z(kCount);
    const std::vector<std::uint32_t> in = words();
    for (std::size_t i = 0; i < kCount; ++i) {
      z[i] = normal(in[i]);
      if (std::fabs(0.5 * std::erfc(-double{z[i]} / std::sqrt(2.0)) / point(in[i]) - 1) > 1e-5)
        return s.SkipWithError("not the quantile");
    }
    for (auto _ : s) {
#pragma omp simd
      for (std::size_t i = 0; i < kCount; ++i) z[i] = normal(in[i]);
      benchmark::DoNotOptimize(z.data());
      benchmark::ClobberMemory();
    }
    s.SetItemsProcessed(s.iterations() * static_cast<std::int64_t>(kCount));
  });
#if defined(__AVX2__) && defined(__FMA__)
  benchmark::RegisterBenchmark("issue_limit", issue_limit);
#endif
  benchmark::RegisterBenchmark("column/sorted", sorted_column)->Arg(1 << 18)->Arg(1 << 22);
  benchmark::RegisterBenchmark("column/tallied", tallied_column)->Arg(1 << 18);
}

}  // namespace
}  // namespace headroom

int main(int argc, char** argv) {
  headroom::register_all();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
}
