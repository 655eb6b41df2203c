// SPDX-License-Identifier: Apache-2.0
// The definitions that let one source compile for a CUDA thread and for a CPU SIMD lane.
// This is the only file of the project that may test __CUDACC__.
#pragma once

#include <cstdint>

#if defined(__CUDACC__)
#define HEADROOM_HD __host__ __device__ __forceinline__
#else
// always_inline: this header is compiled once per instruction set. The linker would merge out-of-line copies
// across instruction sets.
#define HEADROOM_HD inline __attribute__((always_inline))
#endif
// For lambdas: their attribute stands after the parameters.
#if defined(__CUDACC__)
#define HEADROOM_LANE
#else
#define HEADROOM_LANE __attribute__((always_inline))
#endif
// Put before a short loop of constant length over an array that must stay in registers.
#if defined(__CUDA_ARCH__)
#define HEADROOM_UNROLL _Pragma("unroll")
#elif defined(__CUDACC__)
#define HEADROOM_UNROLL
#else
#define HEADROOM_UNROLL _Pragma("GCC unroll 8")
#endif

namespace headroom {

using Real = float;
static_assert(sizeof(Real) == 4);

// Branch-free choice. Both operands are evaluated; compilers if-convert it in SIMD lanes.
template <class T>
HEADROOM_HD constexpr T select(bool condition, T if_true, T if_false) {
  return condition ? if_true : if_false;
}

HEADROOM_HD constexpr Real min(Real a, Real b) { return a < b ? a : b; }
HEADROOM_HD constexpr Real max(Real a, Real b) { return a > b ? a : b; }
HEADROOM_HD constexpr std::int32_t min(std::int32_t a, std::int32_t b) { return a < b ? a : b; }
HEADROOM_HD constexpr std::int32_t max(std::int32_t a, std::int32_t b) { return a > b ? a : b; }

// The 32 bits of a float and back.
HEADROOM_HD constexpr std::uint32_t to_bits(Real x) { return __builtin_bit_cast(std::uint32_t, x); }
HEADROOM_HD constexpr Real from_bits(std::uint32_t bits) { return __builtin_bit_cast(Real, bits); }

// true: compiled for lanes of a vector; false: for one thread of many. Computing several values side by side
// pays differently on the two.
#if defined(__CUDACC__)
inline constexpr bool kSimdLanes = false;
#else
inline constexpr bool kSimdLanes = true;
#endif

// A constant bound for min(), max() and clamp() that g++ treats as a variable. Between variables g++ emits
// one min or max instruction; with a constant it emits a compare and a blend.
#if defined(__CUDACC__)
HEADROOM_HD constexpr Real bound(Real x) { return x; }
#else
extern const std::uint32_t kZeroFromElsewhere;  // in host/cpu/backend.cpp, so that no lane loop knows its value
HEADROOM_HD Real bound(Real x) { return from_bits(to_bits(x) ^ kZeroFromElsewhere); }
#endif
HEADROOM_HD Real clamp(Real x, Real lo, Real hi) { return min(max(x, bound(lo)), bound(hi)); }

// A condition that is the same in every lane, as a bit mask. g++ does not vectorise a blend by a
// loop-invariant bool, but it vectorises a blend by bits. The empty asm keeps the optimiser from turning the
// mask back into a bool.
struct Mask {
  std::uint32_t bits;
  HEADROOM_HD explicit Mask(bool condition) : bits(condition ? ~0U : 0U) {
#if !defined(__CUDACC__)
    asm("" : "+r"(bits));
#endif
  }
};
HEADROOM_HD Real select(Mask mask, Real if_true, Real if_false) {
  return from_bits((to_bits(if_true) & mask.bits) | (to_bits(if_false) & ~mask.bits));
}
HEADROOM_HD std::int32_t select(Mask mask, std::int32_t if_true, std::int32_t if_false) {
  return static_cast<std::int32_t>((static_cast<std::uint32_t>(if_true) & mask.bits) |
                                   (static_cast<std::uint32_t>(if_false) & ~mask.bits));
}

namespace detail {

// Fused multiply-add in plain IEEE double arithmetic. The product of two floats is exact in double. The sum
// is rounded to odd, so only the second rounding, to float, counts (Boldo & Melquiond, "Emulation of a FMA
// and correctly rounded sums: proved algorithms using rounding to odd", IEEE Trans. Computers 57(4), 2008).
// Equal to fmaf for every operand, including subnormal results, overflow, infinities and signed zeros (no
// intermediate can leave the range of double); only the payload of a NaN may differ.
HEADROOM_HD Real fma_exact(Real a, Real b, Real c) {
  const double product = static_cast<double>(a) * static_cast<double>(b);
  const double addend = static_cast<double>(c);
  const double sum = product + addend;
  const double addend_part = sum - product;
  const double error = (product - (sum - addend_part)) + (addend - addend_part);  // exact (Knuth's TwoSum)
  const std::uint64_t bits = __builtin_bit_cast(std::uint64_t, sum);
  const std::uint64_t error_bits = __builtin_bit_cast(std::uint64_t, error);
  // If the last bit is even, take one step in the direction of the error: +1 if the error has the sign of the
  // sum, else -1.
  const std::uint64_t even = ~bits & 1;
  const std::uint64_t opposed = (bits ^ error_bits) >> 63;
  const std::uint64_t stepped = bits + even - 2 * (even & opposed);
  const bool inexact = (error < 0.0) | (error > 0.0);  // false for NaN: the sum is not finite
  return static_cast<Real>(select(inexact, __builtin_bit_cast(double, stepped), sum));
}

}  // namespace detail

// a * b + c with one rounding.
HEADROOM_HD Real fma(Real a, Real b, Real c) {
#if defined(__CUDA_ARCH__)
  return __fmaf_rn(a, b, c);
#elif defined(__FMA__) || defined(__FP_FAST_FMAF)
  return __builtin_fmaf(a, b, c);
#else
  return detail::fma_exact(a, b, c);
#endif
}

// Nearest integer, halves to even, of |x| <= 2^30. One conversion on every target; g++ vectorises irintf alone.
HEADROOM_HD std::int32_t nearest_int(Real x) {
#if defined(__CUDA_ARCH__)
  return __float2int_rn(x);
#elif defined(__CUDACC__) || defined(__clang__)
  return static_cast<std::int32_t>(__builtin_lrintf(x));
#else
  return __builtin_irintf(x);
#endif
}

// Square root, correctly rounded (IEEE).
HEADROOM_HD Real sqrt(Real x) {
#if defined(__CUDA_ARCH__)
  return __fsqrt_rn(x);
#else
  return __builtin_sqrtf(x);
#endif
}

// Upper half of the 64-bit product.
HEADROOM_HD std::uint32_t mul_high(std::uint32_t a, std::uint32_t b) {
#if defined(__AVX2__) && !defined(__AVX512DQ__) && !defined(__CUDA_ARCH__)
  // Multiplies 16-bit halves. On AVX2, widening and narrowing 32-bit lanes would cost more in shuffles than
  // this costs in multiplications.
  const std::uint32_t a_low = a & 0xffffu, a_high = a >> 16, b_low = b & 0xffffu, b_high = b >> 16;
  const std::uint32_t middle = a_high * b_low + (a_low * b_low >> 16);
  const std::uint32_t carry = a_low * b_high + (middle & 0xffffu);
  return a_high * b_high + (middle >> 16) + (carry >> 16);
#else
  return static_cast<std::uint32_t>(static_cast<std::uint64_t>(a) * b >> 32);
#endif
}

// Terms that the lanes read. On the host a copy: g++ then knows that no store of a lane changes them. On a card
// they are read in place, so that they do not fill registers.
#if defined(__CUDACC__)
template <class T>
using Held = const T&;
#else
template <class T>
using Held = const T;
#endif

// A non-owning array. Trivially copyable: it travels into kernels by value.
template <class T>
struct View {
  const T* data = nullptr;
  std::int32_t size = 0;
  HEADROOM_HD const T& operator[](std::int32_t i) const { return data[i]; }
  HEADROOM_HD const T* from(std::int32_t i) const { return data + i; }
};

}  // namespace headroom
