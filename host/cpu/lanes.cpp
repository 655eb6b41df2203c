// SPDX-License-Identifier: Apache-2.0
// Compiled once per instruction set (HEADROOM_ISA). Nothing here may use inline functions of the standard
// library.
#include "host/cpu/lanes.hpp"

#include "headroom/month/month.hpp"
#include "host/cpu/block_words.hpp"

namespace headroom::HEADROOM_ISA {
namespace {

struct LaneGrid {
  static constexpr std::size_t kStride = kRow;
  // `start` is the start of a cache line. If g++ knows that, it keeps the pointer and reaches a struct's
  // other words at constant distances from it. Otherwise it computes a pointer for every word, and loads it
  // before each access.
  HEADROOM_HD static std::uint32_t* row(std::uint32_t* start) {
    return static_cast<std::uint32_t*>(__builtin_assume_aligned(start, 64));
  }
};

using Lane = Path<LaneGrid, PhiloxGenerator>;

struct Block {
  const Scenario& scenario;
  const StateLayout& layout;
  BlockMemory memory;
  std::uint64_t seed;
  std::int32_t count;
  const BlockIndices& indices;
  const BlockKeys& keys;
  BlockWords* drawn;  // [kDraws]

  template <class F>
  HEADROOM_HD void each(F&& f) {
    const Block& block = *this;
#pragma omp simd
    for (std::int32_t lane = 0; lane < kLanes; ++lane) f(block.path(lane));
  }

  // The OR of the bits of all lanes.
  template <class F>
  HEADROOM_HD std::uint32_t any(F&& f) {
    const Block& block = *this;
    std::uint32_t bits = 0;
#pragma omp simd reduction(| : bits)
    for (std::int32_t lane = 0; lane < kLanes; ++lane) bits |= f(block.path(lane));
    return bits;
  }

  // The words of a month and stream, for one of kDraws loops at a time.
  struct Draw {
    const BlockWords& words;
    HEADROOM_HD Philox4 operator()(const Lane& p) const {
      return {words.word[0][p.lane], words.word[1][p.lane], words.word[2][p.lane], words.word[3][p.lane]};
    }
  };
  HEADROOM_HD Draw draw(std::int32_t place, std::int32_t month, StreamId stream) {
    draw_block(indices, static_cast<std::uint32_t>(month), stream, keys, drawn[place]);
    return {drawn[place]};
  }

  HEADROOM_HD Lane path(std::int32_t lane) const {
    return {{memory.state, lane},
            indices.low[lane],
            indices.high[lane],
            static_cast<std::uint32_t>(seed),
            static_cast<std::uint32_t>(seed >> 32),
            memory.column + lane,
            static_cast<std::size_t>(memory.column_stride)};
  }

  HEADROOM_HD void observe(std::int32_t series, std::int32_t month) {
    const auto* value = reinterpret_cast<const std::int32_t*>(
        memory.state + static_cast<std::size_t>(layout.observed.first + observed_row(series)) * kRow);
    const std::int64_t row = static_cast<std::int64_t>(series) * scenario.months + month - 1;
    if (memory.trace != nullptr) memory.trace[row] = value[0];
    if (memory.pilot != nullptr) {
      for (std::int32_t lane = 0; lane < kLanes; ++lane) memory.pilot[row * kPilotPaths + lane] = value[lane];
    }
    if (memory.bins == nullptr) return;
    const BinRange range = memory.bins[row];
    if (range.shift != kNotCounted) {
      std::uint16_t* bin = memory.bin + row * kBatchLanes;
#pragma omp simd
      for (std::int32_t lane = 0; lane < kLanes; ++lane)
        bin[lane] = static_cast<std::uint16_t>(bin_of(range, value[lane]));
    }
    std::int64_t total = 0;
    for (std::int32_t lane = 0; lane < count; ++lane) total += value[lane];
    memory.sum[row] += total;
    if (is_headroom(scenario, series)) {
      std::uint64_t failing = 0;
      for (std::int32_t lane = 0; lane < count; ++lane) failing += value[lane] < 0 ? 1U : 0U;
      memory.failing[static_cast<std::int64_t>(series - headroom_series(0)) * scenario.months + month - 1] +=
          failing;
    }
  }
};

}  // namespace

void run_block(const Prepared& prepared, const BlockPaths& paths, const BlockMemory& memory) {
  // Local copies: the compiler then knows that no store of a lane changes them.
  const Scenario scenario = prepared.scenario;
  const StateLayout layout = prepared.layout;
  const Calendar calendar = prepared.calendar;
  const BlockKeys keys = block_keys(paths.seed);
  const BlockIndices indices = block_indices(paths);
  BlockWords drawn[kDraws];
  Block block{scenario, layout, memory, paths.seed, paths.count, indices, keys, drawn};
  start(Now{scenario, calendar, layout, 0}, block);
  for (std::int32_t month = 1; month <= scenario.months; ++month) {
    const Now now{scenario, calendar, layout, month};
    advance(now, block);
    if (memory.plan == nullptr) continue;
    const LaneMemory<LaneGrid> first{memory.state, 0};
    const MarketState market = first.load(layout.market);
    memory.plan[month - 1] = {market.log_supply, market.utilisation,       market.tightness,
                              market.short_rate, market.spread_multiplier, market.power_multiplier};
    for (std::int32_t g = 0; g < scenario.gpu_type.size; ++g)
      memory.plan_price[g * scenario.months + month - 1] = first.at(layout.gpu, g).price;
    for (std::int32_t e = 0; e < scenario.entity.size; ++e) {
      const WindowMonth& window = now.window(e);
      const WindowRow flows = subtract(sums_at(layout, window.now, first), sums_at(layout, window.last, first));
      memory.plan_contracted[e * scenario.months + month - 1] = flows.contracted;
      memory.plan_cfads[e * scenario.months + month - 1] = flows.cfads;
    }
  }
}

}  // namespace headroom::HEADROOM_ISA
