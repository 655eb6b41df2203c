// SPDX-License-Identifier: Apache-2.0
// Kernels with one error each: a check that finds nothing here would find nothing elsewhere.
#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "cuda/buffer.cuh"
#include "cuda/check.cuh"

namespace headroom {
namespace {

constexpr int kThreads = 64, kSize = 256;

enum Error : int {
  kNone,
  kLoadBeyond,
  kStoreBefore,
  kMisalignedWord,
  kMisalignedVector,
  kUnwritten,
  kSharedBeyond,
  kStoreOfTwo,
  kLoadOfAnothers,
  kStoreAndAtomic,
  kTwoPlaces,
  kLeavesEarly,
  kOutsideOfMask,
  kShuffleFromOutside,
  kBarrierForSome,
};

// Correct for kNone, whatever else it does then. `in`: kSize words, written; `out`: kSize words that are not.
__global__ void broken(Error error, const std::uint32_t* in, std::uint32_t* out) {
  __shared__ std::uint32_t shared[kThreads];
  const std::uint32_t i = threadIdx.x, lane = i % 32;
  if (error == kLeavesEarly && i == 3) return;
  std::uint32_t word = in[error == kLoadBeyond ? kSize + i : i];
  if (error == kMisalignedWord)
    word += *reinterpret_cast<const std::uint32_t*>(reinterpret_cast<const char*>(in) + 4 * i + 2);
  if (error == kUnwritten && i == 40) word += out[kSize - 1];
  const uint2 pair = *reinterpret_cast<const uint2*>(in + 2 * i + (error == kMisalignedVector ? 1 : 0));
  shared[error == kSharedBeyond ? i + 1 : i] = word + pair.x + pair.y;
  if (error != kBarrierForSome || i < 40) __syncthreads();
  word += shared[kThreads - 1 - i];
  if (error == kTwoPlaces && lane == 5) {
    word += __reduce_add_sync(~0U, word);
  } else {
    word += __ballot_sync(error == kOutsideOfMask ? 0xffU : ~0U, word > 7);
  }
  if (error == kShuffleFromOutside) {
    if (lane < 8) word += __shfl_sync(0xffU, word, 20);
  } else {
    word += __shfl_xor_sync(~0U, word, 1);
  }
  if (error == kBarrierForSome) __syncthreads();
  out[error == kStoreOfTwo ? i / 2 : error == kStoreBefore ? i - 1 : i] = word;
  if (error == kLoadOfAnothers) __syncthreads(), out[kThreads + i] = out[i ^ 1];
  atomicAdd(out + kThreads, error == kStoreAndAtomic ? 0U : 1U);
  if (error == kStoreAndAtomic) out[kThreads] = 0;
}

void run(Error error) {
  const std::vector<std::uint32_t> numbers(kSize, 3), zeros(1);
  const cuda::DeviceBuffer<std::uint32_t> in(numbers, "words");
  cuda::DeviceBuffer<std::uint32_t> out(kSize, "words");
  if (error != kLoadOfAnothers)
    HEADROOM_CUDA(cudaMemcpy(out.data() + kThreads, zeros.data(), 4, cudaMemcpyHostToDevice));
  broken<<<1, kThreads>>>(error, in.data(), out.data());
  HEADROOM_CUDA(cudaGetLastError());
  std::vector<std::uint32_t> back(kThreads + 1);
  out.copy_to(back);
  EXPECT_EQ(back[kThreads], kThreads);
}

TEST(Simulated, ACorrectKernelRuns) { run(kNone); }

TEST(Simulated, ErrorsOfMemoryAreFound) {
  EXPECT_DEATH(run(kLoadBeyond), "outside of what is allocated .*broken.*block 0, thread 0, line [0-9]+");
  EXPECT_DEATH(run(kStoreBefore), "outside of what is allocated .*thread 0");
  EXPECT_DEATH(run(kMisalignedWord), "misaligned address .*thread 0");
  EXPECT_DEATH(run(kMisalignedVector), "misaligned address .*thread 0");
  EXPECT_DEATH(run(kUnwritten), "load of what was not written .*thread 40");
  EXPECT_DEATH(run(kSharedBeyond), "outside of shared memory .*thread 63");
}

TEST(Simulated, WordsOfTwoThreadsAreFound) {
  EXPECT_DEATH(run(kStoreOfTwo), "a word that another thread of the launch wrote ");
  EXPECT_DEATH(run(kLoadOfAnothers), "a word that another thread of the launch wrote ");
  EXPECT_DEATH(run(kStoreAndAtomic), "a word that another thread of the launch wrote");
}

TEST(Simulated, ThreadsThatDoNotMeetAreFound) {
  EXPECT_DEATH(run(kTwoPlaces), "threads of a mask meet at two places ");
  EXPECT_DEATH(run(kLeavesEarly), "a thread of the mask has ended");
  EXPECT_DEATH(run(kOutsideOfMask), "a thread outside of the mask that it meets in .*thread [0-9]+,");
  EXPECT_DEATH(run(kShuffleFromOutside), "shuffle from a thread that is not of the mask ");
  EXPECT_DEATH(run(kBarrierForSome), "deadlock");
}

TEST(Simulated, ErrorsOfTheHostAreFound) {
  const std::vector<std::uint32_t> numbers(kSize, 3);
  std::vector<std::uint32_t> back(kSize);
  const auto with = [&](auto&& call) {
    cuda::DeviceBuffer<std::uint32_t> memory(numbers, "words");
    call(memory);
  };
  const auto freed = [&] {
    const std::uint32_t* old = nullptr;
    with([&](auto& memory) { old = memory.data(); });
    cuda::DeviceBuffer<std::uint32_t> out(kSize, "words");
    broken<<<1, kThreads>>>(kNone, old, out.data());
  };
  EXPECT_DEATH(freed(), "outside of what is allocated .*thread 0");
  EXPECT_DEATH(
      with([&](auto& memory) { cudaMemcpy(back.data(), memory.data(), 4 * kSize, cudaMemcpyHostToDevice); }),
      "cudaMemcpy: in the wrong direction");
  EXPECT_DEATH(with([&](auto& memory) {
                 cudaMemcpy(back.data(), memory.data() + 1, 4 * kSize, cudaMemcpyDeviceToHost);
               }),
               "cudaMemcpy: outside of what is allocated");
  EXPECT_DEATH(with([&](auto& memory) {
                 memory.fill(0xff);
                 memory.copy_to(back);
               }),
               "cudaMemcpy: of what was not written");
  EXPECT_DEATH(with([&](auto& memory) { cudaFree(memory.data() + 1); }), "cudaFree: of what is not allocated");
}

}  // namespace
}  // namespace headroom
