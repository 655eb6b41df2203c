// SPDX-License-Identifier: Apache-2.0
// The model's arithmetic and random words in a kernel: the bits of the host.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "cuda/buffer.cuh"
#include "cuda/check.cuh"
#include "cuda/generator.cuh"
#include "headroom/philox.hpp"
#include "tests/gpu_fixture.hpp"

namespace headroom {
namespace {

class DeviceMath : public GpuTest {};
class DevicePhilox : public GpuTest {};

// A NaN that no function here gives: an output that was not written.
constexpr std::uint32_t kNotWritten = 0xffffffffU;

struct Triple {
  Real x, y, z;
};

template <class Function, class In>
__global__ void apply(const In* in, std::uint32_t* out, std::size_t size) {
  const std::size_t step = std::size_t{gridDim.x} * blockDim.x;
  for (std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < size; i += step) {
    out[i] = Function{}(in[i]);
  }
}

// The payload of a NaN is left open by math.hpp.
std::uint32_t one_nan(std::uint32_t bits) { return (bits & 0x7fffffffU) > 0x7f800000U ? 0x7fc00000U : bits; }

// Results are 32 bits each; `real`: floats, whose NaNs are all alike.
template <class Function, class In>
void expect_same_bits(const char* name, const std::vector<In>& in, bool real) {
  const cuda::DeviceBuffer<In> device_in(in, "arguments");
  cuda::DeviceBuffer<std::uint32_t> device_out(in.size(), "results");
  device_out.fill(0xff);
  apply<Function><<<256, 256>>>(device_in.data(), device_out.data(), in.size());
  HEADROOM_CUDA(cudaGetLastError());
  HEADROOM_CUDA(cudaDeviceSynchronize());
  std::vector<std::uint32_t> got(in.size());
  device_out.copy_to(got);
  std::size_t wrong = 0, first = 0;
  for (std::size_t i = 0; i < in.size(); ++i) {
    const std::uint32_t expected = Function{}(in[i]);
    const bool same = real ? got[i] != kNotWritten && one_nan(got[i]) == one_nan(expected) : got[i] == expected;
    if (!same && wrong++ == 0) first = i;
  }
  EXPECT_EQ(wrong, 0U) << name << ": first at " << first << " of " << in.size() << ", the card's bits "
                       << std::hex << got[first] << ", the host's " << Function{}(in[first]);
}

// Every 1,009th float, from all of them.
std::vector<Real> floats() {
  std::vector<Real> all;
  for (std::uint64_t bits = 0; bits < std::uint64_t{1} << 32; bits += 1009) {
    all.push_back(from_bits(static_cast<std::uint32_t>(bits)));
  }
  for (const Real edge :
       {0.0F, -0.0F, 1.0F, -1.0F, 0.5F, kInfinity, -kInfinity, kNaN, kLeastNormal, kGreatest}) {
    all.push_back(edge);
  }
  return all;
}

std::uint64_t splitmix(std::uint64_t& state) {
  state += 0x9E3779B97F4A7C15U;
  std::uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31);
}

#define FUNCTION_OF_A_FLOAT(function)                                                   \
  struct Apply_##function {                                                             \
    HEADROOM_HD std::uint32_t operator()(Real x) const { return to_bits(function(x)); } \
  };
FUNCTION_OF_A_FLOAT(exp)
FUNCTION_OF_A_FLOAT(log)
FUNCTION_OF_A_FLOAT(log1p)
FUNCTION_OF_A_FLOAT(expm1)
FUNCTION_OF_A_FLOAT(logistic)
FUNCTION_OF_A_FLOAT(normal_quantile)
FUNCTION_OF_A_FLOAT(normal_cdf)
FUNCTION_OF_A_FLOAT(sqrt)
#undef FUNCTION_OF_A_FLOAT
struct Rounded {
  HEADROOM_HD std::uint32_t operator()(Real x) const { return static_cast<std::uint32_t>(round_to_int(x)); }
};

TEST_F(DeviceMath, FunctionsOfAFloat) {
  const std::vector<Real> in = floats();
  expect_same_bits<Apply_exp>("exp", in, true);
  expect_same_bits<Apply_log>("log", in, true);
  expect_same_bits<Apply_log1p>("log1p", in, true);
  expect_same_bits<Apply_expm1>("expm1", in, true);
  expect_same_bits<Apply_logistic>("logistic", in, true);
  expect_same_bits<Apply_normal_quantile>("normal_quantile", in, true);
  expect_same_bits<Apply_normal_cdf>("normal_cdf", in, true);
  expect_same_bits<Apply_sqrt>("sqrt", in, true);
  expect_same_bits<Rounded>("round_to_int", in, false);
}

struct Fused {
  HEADROOM_HD std::uint32_t operator()(const Triple& t) const { return to_bits(fma(t.x, t.y, t.z)); }
};
struct NotFused {
  HEADROOM_HD std::uint32_t operator()(const Triple& t) const { return to_bits(t.x * t.y + t.z); }
};
struct Divided {
  HEADROOM_HD std::uint32_t operator()(const Triple& t) const { return to_bits((t.x - t.z) / t.y); }
};

TEST_F(DeviceMath, ArithmeticOfThreeFloats) {
  std::uint64_t state = 1;
  std::vector<Triple> in;
  for (int i = 0; i < 2'000'000; ++i) {
    const std::uint64_t a = splitmix(state), b = splitmix(state);
    in.push_back({from_bits(static_cast<std::uint32_t>(a)), from_bits(static_cast<std::uint32_t>(a >> 32)),
                  from_bits(static_cast<std::uint32_t>(b))});
  }
  for (int i = 0; i < 2'000'000; ++i) {  // products that all but cancel against the addend
    const std::uint64_t a = splitmix(state);
    const Real x = static_cast<Real>(a & 0xffffffU) * 0x1p-12F, y = static_cast<Real>(a >> 40) * 0x1p-12F;
    in.push_back({x, y, -x * y});
  }
  in.push_back({0x1.001p+0F, 0x1.001p+0F, -0x1.002p+0F});  // 2^-24 fused, 0 otherwise
  expect_same_bits<Fused>("fma", in, true);
  expect_same_bits<NotFused>("x * y + z", in, true);
  expect_same_bits<Divided>("(x - z) / y", in, true);
  EXPECT_EQ(Fused{}(in.back()), to_bits(0x1p-24F));
  EXPECT_EQ(NotFused{}(in.back()), 0U);
}

struct Uniform {
  HEADROOM_HD std::uint32_t operator()(std::uint32_t word) const { return to_bits(uniform(word)); }
};
struct Normal {
  HEADROOM_HD std::uint32_t operator()(std::uint32_t word) const { return to_bits(normal(word)); }
};
struct Exponential {
  HEADROOM_HD std::uint32_t operator()(std::uint32_t word) const { return to_bits(exponential(word)); }
};

TEST_F(DeviceMath, LawsOfAWord) {
  std::vector<std::uint32_t> words{0, 1, 0x7fffffffU, 0x80000000U, 0xfffffffeU, 0xffffffffU};
  for (std::uint64_t word = 0; word < std::uint64_t{1} << 32; word += 1009) {
    words.push_back(static_cast<std::uint32_t>(word));
  }
  expect_same_bits<Uniform>("uniform", words, true);
  expect_same_bits<Normal>("normal", words, true);
  expect_same_bits<Exponential>("exponential", words, true);
}

struct Block {
  Philox4 counter;
  std::uint32_t key0, key1;
};

template <class Generator>
__global__ void generate(const Block* in, Philox4* out, std::size_t size) {
  const std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i < size) out[i] = Generator{}(in[i].counter, in[i].key0, in[i].key1);
}

template <class Generator>
std::vector<Philox4> generated(const std::vector<Block>& in) {
  const cuda::DeviceBuffer<Block> device_in(in, "counters");
  cuda::DeviceBuffer<Philox4> device_out(in.size(), "words");
  device_out.fill(0xff);
  generate<Generator>
      <<<static_cast<unsigned>(in.size() / 128 + 1), 128>>>(device_in.data(), device_out.data(), in.size());
  HEADROOM_CUDA(cudaGetLastError());
  HEADROOM_CUDA(cudaDeviceSynchronize());
  std::vector<Philox4> out(in.size());
  device_out.copy_to(out);
  return out;
}

bool same(const Philox4& a, const Philox4& b) {
  return a.w0 == b.w0 && a.w1 == b.w1 && a.w2 == b.w2 && a.w3 == b.w3;
}

// Random123's kat_vectors, philox4x32 with 10 rounds, in every lane of several blocks.
TEST_F(DevicePhilox, KnownAnswers) {
  const Block kIn[] = {{{0, 0, 0, 0}, 0, 0},
                       {{~0U, ~0U, ~0U, ~0U}, ~0U, ~0U},
                       {{0x243f6a88U, 0x85a308d3U, 0x13198a2eU, 0x03707344U}, 0xa4093822U, 0x299f31d0U}};
  const Philox4 kOut[] = {{0x6627e8d5U, 0xe169c58dU, 0xbc57ac4cU, 0x9b00dbd8U},
                          {0x408f276dU, 0x41c83b0eU, 0xa20bc7c6U, 0x6d5451fdU},
                          {0xd16cfe09U, 0x94fdccebU, 0x5001e420U, 0x24126ea1U}};
  std::vector<Block> in;
  for (int i = 0; i < 999; ++i) in.push_back(kIn[i % 3]);
  const std::vector<Philox4> ours = generated<PhiloxGenerator>(in), curands = generated<cuda::CurandPhilox>(in);
  for (std::size_t i = 0; i < in.size(); ++i) {
    ASSERT_TRUE(same(ours[i], kOut[i % 3])) << "ours, thread " << i;
    ASSERT_TRUE(same(curands[i], kOut[i % 3])) << "cuRAND's, thread " << i;
  }
}

TEST_F(DevicePhilox, CurandOursAndTheHostAgree) {
  std::uint64_t state = 2;
  std::vector<Block> in;
  const auto word = [&] { return static_cast<std::uint32_t>(splitmix(state) >> 32); };
  for (int i = 0; i < 1'000'000; ++i) {
    Block block{};
    block.counter = {word(), word(), word(), word()};
    block.key0 = word(), block.key1 = word();
    in.push_back(block);
  }
  const std::vector<Philox4> ours = generated<PhiloxGenerator>(in), curands = generated<cuda::CurandPhilox>(in);
  for (std::size_t i = 0; i < in.size(); ++i) {
    const Philox4 host = philox4x32_10(in[i].counter, in[i].key0, in[i].key1);
    ASSERT_TRUE(same(ours[i], host)) << "ours, block " << i;
    ASSERT_TRUE(same(curands[i], host)) << "cuRAND's, block " << i;
  }
}

}  // namespace
}  // namespace headroom
