// What a run costs on the CPU: random words, normals, paths of the three companies, reductions. Each benchmark
// checks its answer before it is timed. See bench/README.md.
#include <benchmark/benchmark.h>

#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "headroom/philox.hpp"
#include "host/config/company.hpp"
#include "host/cpu/cpu.hpp"
#include "host/engine.hpp"
#include "host/risk/analysis.hpp"

namespace headroom {
namespace {

constexpr std::int32_t kWords = 4096;

// One Philox call gives four words; lanes as in a block of paths.
void draw_words(std::uint32_t path, std::vector<std::uint32_t>& out) {
#pragma omp simd
  for (std::int32_t lane = 0; lane < kWords / 4; ++lane) {
    const Philox4 w = philox4x32_10({path + static_cast<std::uint32_t>(lane), 0, 1, 2}, 3, 4);
    out[static_cast<std::size_t>(lane)] = w.w0 ^ w.w1 ^ w.w2 ^ w.w3;
  }
}

void philox_words(benchmark::State& state) {
  std::vector<std::uint32_t> out(kWords / 4);
  draw_words(0, out);
  const Philox4 known = philox4x32_10({7, 0, 1, 2}, 3, 4);
  if (out[7] != (known.w0 ^ known.w1 ^ known.w2 ^ known.w3))
    return state.SkipWithError("words differ from the generator's");
  std::uint32_t path = 0;
  for (auto _ : state) {
    draw_words(path++, out);
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * kWords);
}

void draw_normals(std::uint32_t path, std::vector<Real>& out) {
#pragma omp simd
  for (std::int32_t lane = 0; lane < kWords / 4; ++lane) {
    const Philox4 w = philox4x32_10({path + static_cast<std::uint32_t>(lane), 0, 1, 2}, 3, 4);
    out[static_cast<std::size_t>(lane)] = (normal(w.w0) + normal(w.w1)) + (normal(w.w2) + normal(w.w3));
  }
}

void philox_normals(benchmark::State& state) {
  std::vector<Real> out(kWords / 4);
  draw_normals(0, out);
  const Philox4 w = philox4x32_10({7, 0, 1, 2}, 3, 4);
  if (out[7] != (normal(w.w0) + normal(w.w1)) + (normal(w.w2) + normal(w.w3)))
    return state.SkipWithError("normals differ");
  std::uint32_t path = 0;
  for (auto _ : state) {
    draw_normals(path++, out);
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * kWords);
}

const Company& company(const std::string& name) {
  static std::map<std::string, Company> loaded;
  const auto found = loaded.find(name);
  if (found != loaded.end()) return found->second;
  Company made = load_company({.file = std::string(HEADROOM_SOURCE_DIR) + "/configs/" + name + ".toml"});
  make_plan(made.data);
  return loaded.emplace(name, std::move(made)).first->second;
}

// Range 0: paths; range 1: threads. Items are path-months.
void paths(benchmark::State& state, const std::string& name, const std::string& isa) {
  const Company& c = company(name);
  const Scenario scenario = c.data.view();
  const auto backend = make_cpu_backend();
  const auto bins = pilot_bins(scenario, 1);
  RunPlan plan;
  plan.paths = {1, 0, static_cast<std::uint64_t>(state.range(0))};
  plan.threads = static_cast<int>(state.range(1));
  plan.isa = isa;
  if (backend->simulate(scenario, plan, bins).columns->not_zero(kViolations).count != 0) {
    return state.SkipWithError("identities are violated");
  }
  for (auto _ : state) benchmark::DoNotOptimize(backend->simulate(scenario, plan, bins).sum.data());
  state.SetItemsProcessed(state.iterations() * state.range(0) * scenario.months);
}

void reduce(benchmark::State& state, const std::string& name) {
  const Company& c = company(name);
  const Scenario scenario = c.data.view();
  const auto backend = make_cpu_backend();
  RunPlan plan;
  plan.paths = {1, 0, static_cast<std::uint64_t>(state.range(0))};
  const Outcomes outcomes = backend->simulate(scenario, plan, pilot_bins(scenario, 1));
  const auto planned = trace_path(scenario, 0, 0);
  if (analyse(scenario, outcomes, plan.paths, planned).violations.paths != 0)
    return state.SkipWithError("identities are violated");
  for (auto _ : state)
    benchmark::DoNotOptimize(analyse(scenario, outcomes, plan.paths, planned).violations.paths);
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void register_all() {
  benchmark::RegisterBenchmark("philox_words", philox_words);
  benchmark::RegisterBenchmark("philox_normals", philox_normals);
  for (const std::string name : {"demo", "coreweave-1q26", "nebius-1q26"}) {
    for (const std::string& isa : cpu_isas()) {
      const std::int64_t count = isa == "baseline" ? 4096 : 100000;
      auto* b = benchmark::RegisterBenchmark(("paths/" + name + "/" + isa).c_str(),
                                             [=](benchmark::State& state) { paths(state, name, isa); });
      b->Args({count, 1})->Args({count, 2})->UseRealTime()->Unit(benchmark::kMillisecond);
    }
  }
  benchmark::RegisterBenchmark("reduce/coreweave-1q26",
                               [](benchmark::State& state) { reduce(state, "coreweave-1q26"); })
      ->Arg(100000)
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond);
}

}  // namespace
}  // namespace headroom

int main(int argc, char** argv) {
  headroom::register_all();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
}
