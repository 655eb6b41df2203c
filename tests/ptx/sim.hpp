// SPDX-License-Identifier: Apache-2.0
// Kernels that translate.py has made C++ of, run thread by thread on the CPU. What each instruction does, and
// the checks of every access to memory.
//
// Device memory is one range of addresses, with a byte of shadow for each byte: not allocated, not written, or
// written. An error ends the program; it is printed with kernel, block, thread and line of the PTX.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>
#include <type_traits>
#include <vector>

namespace headroom::ptx {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using s8 = std::int8_t;
using s16 = std::int16_t;
using s32 = std::int32_t;
using s64 = std::int64_t;
using f32 = float;
using f64 = double;
__extension__ using u128 = unsigned __int128;
__extension__ using s128 = __int128;

struct Block;

struct Thread {
  u32 tid[3], ntid[3], ctaid[3], nctaid[3];
  u32 lane, index;  // in the warp, in the block
  u32 number;       // in the launch, from 1 on
  u8* shared;
  u32 shared_bytes;
  const u8* param;
  u32 param_bytes;
  Block* block;
  u64 instructions;
};

struct Kernel {
  struct Param {
    u32 offset, size;
  };
  const char* name;
  void (*run)(Thread&);
  std::vector<Param> params;
  u32 param_bytes, shared_bytes;
};
struct RegisterKernel {
  explicit RegisterKernel(const Kernel& kernel);
};

// Of a kernel's launches so far. Bytes loaded and stored, those of an atomic once: `written` are those of words
// that the launch writes, `read` those of words that it finds written.
struct Counters {
  u64 instructions = 0, written = 0, read = 0;
};
Counters counters(std::string_view part_of_the_name);

constexpr u64 kRegister = 0xdeadbeefdeadbeef;  // a register that was not written

// ---- Memory ----

enum Space { kGlobal, kShared, kLocal, kParam };

constexpr u8 kUnallocated = 0, kUnwritten = 1, kWritten = 2;
constexpr u32 kAllThreads = ~0U;  // owner of a word that only atomics touch
struct Memory {
  u8* base = nullptr;
  u8* shadow = nullptr;
  u32* owner = nullptr;  // of each word, the thread of this launch that wrote it; null: not looked for
  u64 size = 0;
};
extern Memory memory;
extern Counters counters_now;  // of the launch

enum class Access { kLoad, kStore, kAtomic };
[[noreturn]] void fail(const Thread& t, u32 line, const char* what, u64 number);
inline void aligned(const Thread& t, u64 address, u64 bytes, u32 line) {
  if (address % bytes != 0) [[unlikely]]
    fail(t, line, "misaligned address", address);
}

template <class T, Space space, Access access>
inline u8* checked(const Thread& t, u64 address, u32 line) {
  aligned(t, address, sizeof(T), line);
  if constexpr (space == kShared) {
    if (address > t.shared_bytes || t.shared_bytes - address < sizeof(T)) [[unlikely]]
      fail(t, line, "outside of shared memory", address);
    return t.shared + address;
  }
  if constexpr (space == kParam) {
    const u64 offset = address - reinterpret_cast<u64>(t.param);
    if (offset > t.param_bytes || t.param_bytes - offset < sizeof(T)) [[unlikely]]
      fail(t, line, "outside of the parameters", address);
  }
  if constexpr (space == kGlobal) {
    const u64 offset = address - reinterpret_cast<u64>(memory.base);
    if (offset >= memory.size) [[unlikely]]
      fail(t, line, "no device memory", address);
    u8* const shadow = memory.shadow + offset;
    T states;
    std::memcpy(&states, shadow, sizeof(T));
    if (states != static_cast<T>(0x0202020202020202U)) {
      for (std::size_t i = 0; i < sizeof(T); ++i) {
        if (shadow[i] == kUnallocated) [[unlikely]]
          fail(t, line, "outside of what is allocated", address);
      }
      if (access != Access::kStore) [[unlikely]]
        fail(t, line, "load of what was not written", address);
      std::memset(shadow, kWritten, sizeof(T));
    }
    bool written = access != Access::kLoad;
    if (memory.owner != nullptr) {
      const u32 now = access == Access::kAtomic ? kAllThreads : t.number;
      for (u64 word = offset / 4; word < offset / 4 + (sizeof(T) + 3) / 4; ++word) {
        u32& owner = memory.owner[word];
        if (owner != 0 && owner != now) [[unlikely]]
          fail(t, line, "a word that another thread of the launch wrote", address);
        if (access != Access::kLoad) owner = now;
        written = written || owner != 0;
      }
    }
    (written ? counters_now.written : counters_now.read) += sizeof(T);
  }
  return reinterpret_cast<u8*>(address);  // NOLINT: a number that PTX holds
}
template <class T, Space space>
T load(const Thread& t, u64 address, u32 line) {
  T value;
  std::memcpy(&value, checked<T, space, Access::kLoad>(t, address, line), sizeof(T));
  return value;
}
template <class T, Space space>
void store(const Thread& t, u64 address, T value, u32 line) {
  std::memcpy(checked<T, space, Access::kStore>(t, address, line), &value, sizeof(T));
}

template <class T>
using Bits = std::conditional_t<
    std::is_same_v<T, bool>, bool,
    std::conditional_t<sizeof(T) == 1, u8,
                       std::conditional_t<sizeof(T) == 2, u16, std::conditional_t<sizeof(T) == 4, u32, u64>>>>;

// Threads change places only where they meet, so that an atomic is a load and a store.
enum class Atomic { kAdd, kOr, kAnd, kMin, kMax, kExch };
template <class T, Space space, Atomic how>
inline Bits<T> atomic(const Thread& t, u64 address, Bits<T> operand, u32 line) {
  u8* const at = checked<T, space, Access::kAtomic>(t, address, line);
  Bits<T> old = 0;
  std::memcpy(&old, at, sizeof(T));
  Bits<T> now = operand;
  if (how == Atomic::kAdd) now = static_cast<Bits<T>>(old + operand);
  if (how == Atomic::kOr) now = old | operand;
  if (how == Atomic::kAnd) now = old & operand;
  if (how == Atomic::kMin) now = static_cast<T>(old) < static_cast<T>(operand) ? old : operand;
  if (how == Atomic::kMax) now = static_cast<T>(old) > static_cast<T>(operand) ? old : operand;
  std::memcpy(at, &now, sizeof(T));
  return old;
}

// ---- Meetings ----

enum class How {
  k_vote_ballot,
  k_vote_any,
  k_vote_all,
  k_match_all,
  k_redux_add,
  k_redux_and,
  k_redux_or,
  k_redux_xor,
  k_warp,  // up to here all lanes take the same
  k_match_any,
  k_shfl_up,
  k_shfl_down,
  k_shfl_idx,
  k_shfl_bfly,
};
struct Met {
  u32 value = 0;
  bool flag = false;
};
Met meet(Thread& t, How how, u32 mask, u32 a, u32 b, u32 c, u32 line);
bool barrier(Thread& t, bool value, u32 line);  // whether any value of the block is true

// ---- Instructions ----

// Every NaN that arithmetic gives is the one of PTX.
template <class T>
inline Bits<T> bits_of(T value) {
  if constexpr (std::is_floating_point_v<T>) {
    if (value != value) return std::numeric_limits<Bits<T>>::max() >> 1;
  }
  return std::bit_cast<Bits<T>>(value);
}
template <class T>
inline T of_bits(Bits<T> bits) {
  return std::bit_cast<T>(bits);
}

#define HEADROOM_INTEGER(name, parameters, result) \
  template <class T>                               \
  inline Bits<T> op_##name parameters {            \
    using B = Bits<T>;                             \
    return static_cast<B>(result);                 \
  }
// 64 bits hold sums and products of less; they wrap without being undefined.
HEADROOM_INTEGER(add, (Bits<T> a, Bits<T> b), u64{a} + b)
HEADROOM_INTEGER(sub, (Bits<T> a, Bits<T> b), u64{a} - b)
HEADROOM_INTEGER(mul_lo, (Bits<T> a, Bits<T> b), u64{a} * b)
HEADROOM_INTEGER(mad_lo, (Bits<T> a, Bits<T> b, Bits<T> c), u64{a} * b + c)
HEADROOM_INTEGER(and, (Bits<T> a, Bits<T> b), a& b)
HEADROOM_INTEGER(or, (Bits<T> a, Bits<T> b), a | b)
HEADROOM_INTEGER(xor, (Bits<T> a, Bits<T> b), a ^ b)
HEADROOM_INTEGER(not, (Bits<T> a), (std::is_same_v<T, bool> ? a == 0 : static_cast<B>(~a)))
HEADROOM_INTEGER(selp, (Bits<T> a, Bits<T> b, bool first), first ? a : b)
HEADROOM_INTEGER(shl, (Bits<T> a, u32 by), by < sizeof(T) * 8 ? u64{a} << by : 0)
HEADROOM_INTEGER(shr, (Bits<T> a, u32 by),
                 of_bits<T>(a) >> (by < sizeof(T) * 8 ? by : sizeof(T) * 8 - 1) >> (by < sizeof(T) * 8 ? 0 : 1))
HEADROOM_INTEGER(bmsk_clamp, (Bits<T> at, Bits<T> width),
                 at >= 32 ? 0 : ((u64{1} << (width < 32 ? width : 32)) - 1) << at)
#undef HEADROOM_INTEGER

template <class T>
using Twice = std::conditional_t<std::is_signed_v<T>, std::conditional_t<sizeof(T) == 4, s64, s128>,
                                 std::conditional_t<sizeof(T) == 4, u64, u128>>;
template <class T>
inline u64 op_mul_wide(Bits<T> a, Bits<T> b) {
  return static_cast<u64>(Twice<T>{of_bits<T>(a)} * of_bits<T>(b));
}
template <class T>
inline Bits<T> op_mul_hi(Bits<T> a, Bits<T> b) {
  return static_cast<Bits<T>>(Twice<T>{of_bits<T>(a)} * of_bits<T>(b) >> sizeof(T) * 8);
}
template <class T>
inline u32 op_popc(Bits<T> a) {
  return static_cast<u32>(std::popcount(a));
}
template <class T>
inline u32 op_clz(Bits<T> a) {
  return static_cast<u32>(std::countl_zero(a));
}
template <class T>
inline u32 op_bfind_shiftamt(Bits<T> a) {
  static_assert(std::is_unsigned_v<T>);
  return a == 0 ? ~0U : op_clz<T>(a);
}
template <class T>
inline Bits<T> op_brev(Bits<T> a) {
  Bits<T> out = 0;
  for (std::size_t i = 0; i < sizeof(T) * 8; ++i) out |= (a >> i & 1U) << (sizeof(T) * 8 - 1 - i);
  return out;
}
template <class T>
inline T add_cc(T a, T b, T carry, T& out) {
  const T sum = a + b;
  out = sum + carry;
  return sum < a || out < sum ? 1 : 0;
}
template <class T>
inline T sub_cc(T a, T b, T borrow, T& out) {
  const T difference = a - b;
  out = difference - borrow;
  return a < b || difference < borrow ? 1 : 0;
}

#define HEADROOM_FLOAT(name, parameters, result) \
  template <class T>                             \
  inline Bits<T> op_##name parameters {          \
    const T x = of_bits<T>(a);                   \
    return bits_of<T>(result);                   \
  }
HEADROOM_FLOAT(add_rn, (Bits<T> a, Bits<T> b), x + of_bits<T>(b))
HEADROOM_FLOAT(sub_rn, (Bits<T> a, Bits<T> b), x - of_bits<T>(b))
HEADROOM_FLOAT(mul_rn, (Bits<T> a, Bits<T> b), x* of_bits<T>(b))
HEADROOM_FLOAT(div_rn, (Bits<T> a, Bits<T> b), x / of_bits<T>(b))
HEADROOM_FLOAT(fma_rn, (Bits<T> a, Bits<T> b, Bits<T> c), std::fma(x, of_bits<T>(b), of_bits<T>(c)))
HEADROOM_FLOAT(sqrt_rn, (Bits<T> a), std::sqrt(x))
HEADROOM_FLOAT(rcp_rn, (Bits<T> a), 1 / x)
HEADROOM_FLOAT(rni, (Bits<T> a), std::nearbyint(x))
#undef HEADROOM_FLOAT
template <class T>
constexpr Bits<T> kSign = Bits<T>{1} << (sizeof(T) * 8 - 1);
template <class T>
inline Bits<T> op_neg(Bits<T> a) {
  return std::is_floating_point_v<T> ? a ^ kSign<T> : 0 - a;
}
template <class T>
inline Bits<T> op_abs(Bits<T> a) {
  return a & ~kSign<T>;
}
// Of two floats the one that is no NaN; -0 is less than +0.
template <class T>
inline Bits<T> op_min(Bits<T> a, Bits<T> b) {
  const T x = of_bits<T>(a), y = of_bits<T>(b);
  if (x != x) return bits_of<T>(y);
  if (y != y) return a;
  return x < y ? a : y < x ? b : a | b;
}
template <class T>
inline Bits<T> op_max(Bits<T> a, Bits<T> b) {
  const T x = of_bits<T>(a), y = of_bits<T>(b);
  if (x != x) return bits_of<T>(y);
  if (y != y) return a;
  return x > y ? a : y > x ? b : a & b;
}

#define HEADROOM_COMPARE(name, test)              \
  template <class T>                              \
  inline bool op_##name(Bits<T> a, Bits<T> b) {   \
    const T x = of_bits<T>(a), y = of_bits<T>(b); \
    return test;                                  \
  }
HEADROOM_COMPARE(eq, x == y)
HEADROOM_COMPARE(ne, x<y || x> y)
HEADROOM_COMPARE(lt, x < y)
HEADROOM_COMPARE(le, x <= y)
HEADROOM_COMPARE(gt, x > y)
HEADROOM_COMPARE(ge, x >= y)
HEADROOM_COMPARE(equ, !(x < y || x > y))  // with u: or one is a NaN
HEADROOM_COMPARE(neu, x != y)
HEADROOM_COMPARE(ltu, !(x >= y))
HEADROOM_COMPARE(leu, !(x > y))
HEADROOM_COMPARE(gtu, !(x <= y))
HEADROOM_COMPARE(geu, !(x < y))
HEADROOM_COMPARE(num, x == x && y == y)
HEADROOM_COMPARE(nan, x != x || y != y)
#undef HEADROOM_COMPARE

// Floats to integers: towards zero, saturating; a NaN gives 0.
template <class To, class From>
inline Bits<To> op_cvt(Bits<From> a) {
  const From x = of_bits<From>(a);
  if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    constexpr auto kLeast = static_cast<double>(std::numeric_limits<To>::min());
    const double beyond = std::ldexp(1.0, std::numeric_limits<To>::digits);
    if (x != x) return 0;
    if (x >= beyond) return bits_of<To>(std::numeric_limits<To>::max());
    if (x <= kLeast) return bits_of<To>(std::numeric_limits<To>::min());
  }
  return bits_of<To>(static_cast<To>(x));
}

}  // namespace headroom::ptx
