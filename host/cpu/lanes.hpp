// SPDX-License-Identifier: Apache-2.0
// One block of paths on the CPU, per instruction set. lanes.cpp is compiled once for each. Only raw pointers
// cross this boundary, so that no inline function of one instruction set is linked into another.
#pragma once

#include <cstdint>

#include "headroom/hd.hpp"
#include "headroom/month/calendar.hpp"
#include "headroom/outcome.hpp"

namespace headroom {

constexpr std::int32_t kLanes = 128;  // paths per block
// The lanes plus one cache line: rows of a power of two would share few sets of the L1 cache (bench/NOTES.md).
constexpr std::int32_t kRow = kLanes + 16;

// The bins of so many blocks are kept before they are counted: each row of the histogram is then visited once
// per batch.
constexpr std::int32_t kBatch = 8;
constexpr std::int32_t kBatchLanes = kBatch * kLanes;

// Number of paths in the pilot run, which sets the bins of the by-month histograms. Printed quantiles are
// between 5% and 95%, and the bins reach from the pilot's 2% to its 98%: of 1,024 paths fewer than 21 are below
// the 5% quantile with a probability of 4e-7.
constexpr std::int32_t kPilotPaths = 1024;
static_assert(kPilotPaths % kLanes == 0);

// The paths of a block: `count` consecutive ones from `first` on, or those that `list` names.
struct BlockPaths {
  std::uint64_t seed, first;
  std::int32_t count;
  const std::uint64_t* list = nullptr;  // [count] indices in any order; null: consecutive
};

// The memory of a block. All arrays belong to the caller.
struct BlockMemory {
  std::uint32_t* state;        // [layout.words][kRow]
  std::int32_t* column;        // entry of the block's first path in column 0
  std::int64_t column_stride;  // entries between columns
  const BinRange* bins;        // [series][months]; null: no bins, sums or failures
  std::uint16_t* bin;          // of each value: [series][months][kBatchLanes], from the block's place on
  std::int64_t* sum;           // [series][months]
  std::uint64_t* failing;      // [covenant][months]
  // The arrays below are null unless they are asked for.
  std::int32_t* trace;     // [series][months] of lane 0
  std::int32_t* pilot;     // every value: [series][months][kPilotPaths], from the block's place on
  PlanMonth* plan;         // [months] of lane 0
  Money* plan_contracted;  // [entity][months] of lane 0
  Money* plan_cfads;       // [entity][months] of lane 0
  Real* plan_price;        // [gpu_type][months] of lane 0
};

using BlockFunction = void (*)(const Prepared&, const BlockPaths&, const BlockMemory&);

// Draws as many words and normals as the given number of paths draws, and adds them up
// (host/engine/floor.hpp).
using FloorFunction = std::uint64_t (*)(std::uint64_t seed, std::uint64_t first_path, std::int32_t count,
                                        std::int32_t calls, std::int32_t normals);

namespace baseline {
void run_block(const Prepared&, const BlockPaths&, const BlockMemory&);
std::uint64_t draw_floor(std::uint64_t, std::uint64_t, std::int32_t, std::int32_t, std::int32_t);
}  // namespace baseline
namespace avx2 {
void run_block(const Prepared&, const BlockPaths&, const BlockMemory&);
std::uint64_t draw_floor(std::uint64_t, std::uint64_t, std::int32_t, std::int32_t, std::int32_t);
}  // namespace avx2
namespace avx512 {
void run_block(const Prepared&, const BlockPaths&, const BlockMemory&);
std::uint64_t draw_floor(std::uint64_t, std::uint64_t, std::int32_t, std::int32_t, std::int32_t);
}  // namespace avx512

}  // namespace headroom
