// SPDX-License-Identifier: Apache-2.0
// The card: threads that change places where they meet, and as much of the CUDA runtime as this project calls.
//
// HEADROOM_PTX_ORDER=SEED  the threads of a block run in a random order, not in that of their numbers
#include "tests/ptx/sim.hpp"

#include <cuda_runtime_api.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <numeric>
#include <random>
#include <span>
#include <string>
#include <utility>

namespace headroom::ptx {

Memory memory;
Counters counters_now;

namespace {

constexpr u64 kCard = u64{8} << 30;       // bytes that can be allocated at one time
constexpr u64 kAddresses = u64{1} << 38;  // none is given out a second time
constexpr u64 kGap = 256;                 // unallocated, between two allocations
constexpr u32 kBlock = 1024, kWarp = 32;
constexpr int kProcessors = 2, kBlocksResident = 4;
constexpr std::size_t kStack = 256 << 10, kGuard = 16 << 10, kSharedMemory = 227 << 10;

template <class... Arguments>
[[noreturn]] void die(const char* format, const Arguments&... arguments) {
  std::fprintf(stderr, "ptx: ");
  std::fprintf(stderr, format, arguments...);
  std::fprintf(stderr, "\n");
  std::abort();
}

u8* map_memory(u64 bytes) {
  void* const at =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) die("no %llu bytes of addresses", static_cast<unsigned long long>(bytes));
  return static_cast<u8*>(at);
}

// Of global constructors and destructors, so never destroyed.
std::map<std::string, Kernel, std::less<>>& kernels() {
  static auto& all = *new std::map<std::string, Kernel, std::less<>>;
  return all;
}
std::map<const void*, std::string>& stubs() {
  static auto& all = *new std::map<const void*, std::string>;
  return all;
}
std::map<std::string, Counters, std::less<>> counted;
void add(Counters& sum, const Counters& of) {
  sum.instructions += of.instructions;
  sum.written += of.written;
  sum.read += of.read;
}

// ---- Threads ----

enum class State { kReady, kMeets, kAtBarrier, kEnded };

struct Fiber {
  Thread thread{};
  State state = State::kReady;
  bool started = false;
  std::jmp_buf here{};
  // What it brings to a meeting, and takes from it.
  How how{};
  u32 mask = 0, a = 0, b = 0, c = 0, line = 0;
  Met met{};
};

}  // namespace

struct Block {
  const Kernel* kernel = nullptr;
  u8* stacks = nullptr;
  std::vector<Fiber> fibers{};
  std::jmp_buf scheduler{};
  u32 at_barrier = 0, ended = 0;
  u32 meeting[kBlock / kWarp]{}, warps_ended[kBlock / kWarp]{};  // lanes of each warp
  bool any = false;
  Fiber* now = nullptr;
};

namespace {

Block block;  // of which there is one at a time

void run_fiber();

// Functions that return twice stand alone: what their callers hold in registers must not be theirs.
[[gnu::noinline]] void leave(Fiber& fiber) {
  if (_setjmp(fiber.here) == 0) _longjmp(block.scheduler, 1);
}

[[gnu::noinline]] void enter(Fiber& fiber) {
  block.now = &fiber;
  if (_setjmp(block.scheduler) != 0) return;
  if (std::exchange(fiber.started, true)) _longjmp(fiber.here, 1);
  static ucontext_t start;
  getcontext(&start);
  start.uc_stack.ss_sp = block.stacks + fiber.thread.index * kStack;
  start.uc_stack.ss_size = kStack;
  makecontext(&start, run_fiber, 0);
  setcontext(&start);
}

void open_barrier() {
  if (block.at_barrier == 0 || block.at_barrier + block.ended != block.fibers.size()) return;
  for (Fiber& fiber : block.fibers) {
    if (fiber.state != State::kAtBarrier) continue;
    fiber.state = State::kReady;
    fiber.met.flag = block.any;
  }
  block.at_barrier = 0;
  block.any = false;
}

void run_fiber() {
  Fiber& fiber = *block.now;
  block.kernel->run(fiber.thread);
  counters_now.instructions += fiber.thread.instructions;
  fiber.state = State::kEnded;
  block.warps_ended[fiber.thread.index / kWarp] |= 1U << fiber.thread.lane;
  ++block.ended;
  open_barrier();
  leave(fiber);
}

void run_block(const std::vector<u32>& order) {
  while (block.ended < block.fibers.size()) {
    bool ran = false;
    for (const u32 i : order) {
      if (block.fibers[i].state != State::kReady) continue;
      ran = true;
      enter(block.fibers[i]);
    }
    if (ran) continue;
    for (const Fiber& fiber : block.fibers) {
      if (fiber.state == State::kEnded) continue;
      fail(fiber.thread, fiber.line, "deadlock: it waits for others here, as they do elsewhere", fiber.mask);
    }
  }
}

void launch(const Kernel& kernel, u32 blocks, u32 threads, void** arguments) {
  if (block.stacks == nullptr) {
    block.stacks = map_memory(kStack * kBlock);
    for (u32 i = 0; i < kBlock; ++i) mprotect(block.stacks + i * kStack, kGuard, PROT_NONE);
  }
  alignas(16) static u8 shared[kSharedMemory], param[8192];
  if (kernel.param_bytes > sizeof param || kernel.shared_bytes > sizeof shared)
    die("%s is too large", kernel.name);
  for (std::size_t i = 0; i < kernel.params.size(); ++i)
    std::memcpy(param + kernel.params[i].offset, arguments[i], kernel.params[i].size);
  // Kernels of CUB pass words from thread to thread behind barriers and fences. Those of this project do not.
  const std::string_view name = kernel.name;
  if (!name.starts_with("_ZN3cub") && !name.starts_with("_ZN6thrust")) {
    static u8* const owners = map_memory(memory.size);
    madvise(owners, memory.size, MADV_DONTNEED);
    memory.owner = reinterpret_cast<u32*>(owners);
  }
  const char* const seed = std::getenv("HEADROOM_PTX_ORDER");
  std::mt19937 random(seed != nullptr ? static_cast<u32>(std::atol(seed)) : 0);
  std::vector<u32> order(threads);
  std::iota(order.begin(), order.end(), 0U);
  block.kernel = &kernel;
  counters_now = {};
  block.fibers.resize(threads);
  for (u32 b = 0; b < blocks; ++b) {
    if (seed != nullptr) std::shuffle(order.begin(), order.end(), random);
    std::memset(shared, 0xa5, kernel.shared_bytes);
    block.ended = 0;
    std::ranges::fill(block.warps_ended, 0U);
    for (u32 i = 0; i < threads; ++i) {
      Fiber& fiber = block.fibers[i];
      fiber.thread = {
          {i, 0, 0}, {threads, 1, 1},     {b, 0, 0}, {blocks, 1, 1},     i % kWarp, i, b * threads + i + 1,
          shared,    kernel.shared_bytes, param,     kernel.param_bytes, &block,    0};
      fiber.state = State::kReady;
      fiber.started = false;
    }
    run_block(order);
  }
  memory.owner = nullptr;
  add(counted[kernel.name], counters_now);
}

}  // namespace

void fail(const Thread& t, u32 line, const char* what, u64 number) {
  die("%s (%#llx): kernel %s, block %u, thread %u, line %u of its PTX", what,
      static_cast<unsigned long long>(number), block.kernel->name, t.ctaid[0], t.index, line);
}

RegisterKernel::RegisterKernel(const Kernel& kernel) {
  kernels().emplace(kernel.name, kernel);  // of a template that two objects hold, one
}

Counters counters(std::string_view part_of_the_name) {
  Counters sum;
  for (const auto& [name, of] : counted) {
    if (name.find(part_of_the_name) == std::string::npos) continue;
    add(sum, of);
  }
  return sum;
}

// ---- Meetings ----

namespace {

// What the lane takes from a meeting; all lanes of `mask` are there.
Met taken(std::span<const Fiber> warp, u32 mask, u32 lane) {
  const Fiber& me = warp[lane];
  const auto fold = [&](u32 value, auto&& join) {
    for (u32 l = 0; l < warp.size(); ++l)
      if ((mask >> l & 1) != 0) value = join(value, warp[l].a);
    return value;
  };
  const auto lanes_where = [&](auto&& test) {
    u32 lanes = 0;
    for (u32 l = 0; l < warp.size(); ++l)
      if ((mask >> l & 1) != 0 && test(warp[l])) lanes |= 1U << l;
    return lanes;
  };
  const auto hold = [](const Fiber& fiber) { return fiber.a != 0; };
  const auto like_me = [&](const Fiber& fiber) { return fiber.a == me.a; };
  switch (me.how) {
    case How::k_vote_ballot:
      return {lanes_where(hold), false};
    case How::k_vote_any:
      return {0, lanes_where(hold) != 0};
    case How::k_vote_all:
      return {0, lanes_where(hold) == mask};
    case How::k_match_all: {
      const bool all = lanes_where(like_me) == mask;
      return {all ? mask : 0, all};
    }
    case How::k_match_any:
      return {lanes_where(like_me), false};
    case How::k_redux_add:
      return {fold(0, [](u32 x, u32 y) { return x + y; }), false};
    case How::k_redux_and:
      return {fold(~0U, [](u32 x, u32 y) { return x & y; }), false};
    case How::k_redux_or:
      return {fold(0, [](u32 x, u32 y) { return x | y; }), false};
    case How::k_redux_xor:
      return {fold(0, [](u32 x, u32 y) { return x ^ y; }), false};
    case How::k_warp:
      return {};
    default:
      break;
  }
  // Shuffles, as the PTX manual has them.
  const u32 by = me.b & 31, clamp = me.c & 31, segment = me.c >> 8 & 31;
  const auto last = static_cast<s32>((lane & segment) | (clamp & ~segment));
  s32 from = 0;
  if (me.how == How::k_shfl_up) from = static_cast<s32>(lane) - static_cast<s32>(by);
  if (me.how == How::k_shfl_down) from = static_cast<s32>(lane + by);
  if (me.how == How::k_shfl_bfly) from = static_cast<s32>(lane ^ by);
  if (me.how == How::k_shfl_idx) from = static_cast<s32>((lane & segment) | (by & ~segment));
  const bool inside = me.how == How::k_shfl_up ? from >= last : from <= last;
  if (!inside) from = static_cast<s32>(lane);
  if (static_cast<u32>(from) >= warp.size() || (mask >> from & 1) == 0)
    fail(me.thread, me.line, "shuffle from a thread that is not of the mask", mask);
  return {warp[static_cast<u32>(from)].a, inside};
}

}  // namespace

Met meet(Thread& t, How how, u32 mask, u32 a, u32 b, u32 c, u32 line) {
  const u32 first = t.index - t.lane;
  const std::span<Fiber> warp(&block.fibers[first], std::min<std::size_t>(kWarp, block.fibers.size() - first));
  if (warp.size() < kWarp) mask &= (1U << warp.size()) - 1;
  if ((mask >> t.lane & 1) == 0) fail(t, line, "a thread outside of the mask that it meets in", mask);
  Fiber& me = warp[t.lane];
  me.state = State::kMeets;
  me.how = how, me.mask = mask, me.a = a, me.b = b, me.c = c, me.line = line;
  u32& meeting = block.meeting[first / kWarp];
  meeting |= 1U << t.lane;
  if ((block.warps_ended[first / kWarp] & mask) != 0) fail(t, line, "a thread of the mask has ended", mask);
  if ((meeting & mask) != mask) {
    leave(me);
    return me.met;
  }
  const Met all = how <= How::k_warp ? taken(warp, mask, t.lane) : Met{};
  for (u32 l = 0; l < warp.size(); ++l) {
    if ((mask >> l & 1) == 0) continue;
    Fiber& other = warp[l];
    if (other.mask != mask || other.line != line)
      fail(t, line, "threads of a mask meet at two places", other.line);
    other.met = how <= How::k_warp ? all : taken(warp, mask, l);
    other.state = State::kReady;
  }
  meeting &= ~mask;
  return me.met;
}

bool barrier(Thread& t, bool value, u32 line) {
  Fiber& me = block.fibers[t.index];
  me.state = State::kAtBarrier;
  me.line = line, me.mask = ~0U;
  block.any = block.any || value;
  ++block.at_barrier;
  open_barrier();
  if (me.state == State::kAtBarrier) leave(me);
  return me.met.flag;
}

// ---- Device memory ----

namespace {

std::map<u64, u64> allocations;  // bytes by offset
u64 next_offset = 0, in_use = 0;

void make_memory() {
  if (memory.base != nullptr) return;
  memory.size = kAddresses;
  memory.base = map_memory(kAddresses);
  memory.shadow = map_memory(kAddresses);
}

bool on_card(const void* at) {
  return memory.base != nullptr && reinterpret_cast<u64>(at) - reinterpret_cast<u64>(memory.base) < memory.size;
}

std::span<u8> shadow_of(const void* at, u64 bytes) {
  return {memory.shadow + (static_cast<const u8*>(at) - memory.base), bytes};
}

// The states of bytes that the host names in a call.
std::span<u8> host_access(const char* call, const void* at, u64 bytes, bool reads) {
  const std::span<u8> states = shadow_of(at, bytes);
  for (const u8 state : states) {
    if (state == kUnallocated) die("%s: outside of what is allocated", call);
    if (reads && state != kWritten) die("%s: of what was not written", call);
  }
  return states;
}

thread_local cudaError_t last_error = cudaSuccess;
cudaError_t answer(cudaError_t code) {
  if (code != cudaSuccess) last_error = code;
  return code;
}

const Kernel* kernel_of(const void* stub) {
  const auto name = stubs().find(stub);
  if (name == stubs().end()) return nullptr;
  const auto kernel = kernels().find(name->second);
  if (kernel == kernels().end()) die("no translation of %s", name->second.c_str());
  return &kernel->second;
}
cudaError_t known(const void* stub) {
  return answer(kernel_of(stub) != nullptr ? cudaSuccess : cudaErrorInvalidDeviceFunction);
}

struct Configuration {
  dim3 grid, threads;
  std::size_t shared;
  cudaStream_t stream;
};
std::vector<Configuration> configurations;

}  // namespace
}  // namespace headroom::ptx

// ---- The CUDA runtime: a function that is missing here does not link ----

using namespace headroom::ptx;

extern "C" {

void** __cudaRegisterFatBinary(void*) {
  static void* handle = nullptr;
  return &handle;
}
void __cudaRegisterFatBinaryEnd(void**) {}
void __cudaUnregisterFatBinary(void**) {}
void __cudaRegisterVar(void**, char*, char*, const char*, int, std::size_t, int, int) {}
void __cudaRegisterFunction(void**, const char* stub, char*, const char* name, int, uint3*, uint3*, dim3*,
                            dim3*, int*) {
  stubs()[stub] = name;
}
unsigned __cudaPushCallConfiguration(dim3 grid, dim3 threads, std::size_t shared, cudaStream_t stream) {
  configurations.push_back({grid, threads, shared, stream});
  return 0;
}
cudaError_t __cudaPopCallConfiguration(dim3* grid, dim3* threads, std::size_t* shared, void* stream) {
  const Configuration last = configurations.back();
  configurations.pop_back();
  *grid = last.grid, *threads = last.threads, *shared = last.shared;
  *static_cast<cudaStream_t*>(stream) = last.stream;
  return cudaSuccess;
}
cudaError_t cudaLaunchKernel(const void* stub, dim3 grid, dim3 threads, void** arguments, std::size_t shared,
                             cudaStream_t) {
  const Kernel* const kernel = kernel_of(stub);
  if (kernel == nullptr) return answer(cudaErrorInvalidDeviceFunction);
  if (shared != 0 || grid.y * grid.z * threads.y * threads.z != 1)
    die("%s: a launch of this kind", kernel->name);
  if (grid.x == 0 || threads.x == 0 || threads.x > kBlock) return answer(cudaErrorInvalidConfiguration);
  make_memory();
  launch(*kernel, grid.x, threads.x, arguments);
  return cudaSuccess;
}
cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t* launch, const void* stub, void** arguments) {
  return cudaLaunchKernel(stub, launch->gridDim, launch->blockDim, arguments, launch->dynamicSmemBytes,
                          launch->stream);
}
// From CUDA 13 on, the stubs that nvcc writes call these two.
cudaError_t __cudaGetKernel(cudaKernel_t* kernel, const void* stub) {
  *kernel = static_cast<cudaKernel_t>(const_cast<void*>(stub));
  return cudaSuccess;
}
cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 threads, void** arguments,
                               std::size_t shared, cudaStream_t stream) {
  return cudaLaunchKernel(kernel, grid, threads, arguments, shared, stream);
}

cudaError_t cudaDriverGetVersion(int* version) { return *version = CUDART_VERSION, cudaSuccess; }
cudaError_t cudaGetDeviceCount(int* count) { return *count = 1, cudaSuccess; }
cudaError_t cudaGetDevice(int* device) { return *device = 0, cudaSuccess; }
cudaError_t cudaSetDevice(int device) { return answer(device == 0 ? cudaSuccess : cudaErrorInvalidDevice); }
cudaError_t cudaDeviceSynchronize() { return cudaSuccess; }
cudaError_t cudaStreamSynchronize(cudaStream_t) { return cudaSuccess; }
cudaError_t cudaGetLastError() { return std::exchange(last_error, cudaSuccess); }
cudaError_t cudaPeekAtLastError() { return last_error; }
const char* cudaGetErrorName(cudaError_t code) {
  return code == cudaErrorMemoryAllocation ? "cudaErrorMemoryAllocation"
         : code == cudaErrorInvalidDevice  ? "cudaErrorInvalidDevice"
                                           : "an error";
}
const char* cudaGetErrorString(cudaError_t code) {
  return code == cudaErrorMemoryAllocation ? "out of memory"
         : code == cudaErrorInvalidDevice  ? "invalid device ordinal"
                                           : "of some kind";
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* card, int) {
  *card = {};
  std::strcpy(card->name, "PTX on a CPU");
  card->major = 9;
  card->totalGlobalMem = kCard;
  card->multiProcessorCount = kProcessors;
  card->warpSize = kWarp;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  static const std::map<cudaDeviceAttr, int> kAttributes{
      {cudaDevAttrMultiProcessorCount, kProcessors},
      {cudaDevAttrComputeCapabilityMajor, 9},
      {cudaDevAttrComputeCapabilityMinor, 0},
      {cudaDevAttrWarpSize, kWarp},
      {cudaDevAttrMaxSharedMemoryPerBlock, 48 << 10},
      {cudaDevAttrMaxSharedMemoryPerBlockOptin, kSharedMemory},
      {cudaDevAttrMaxSharedMemoryPerMultiprocessor, 228 << 10},
      {cudaDevAttrReservedSharedMemoryPerBlock, 1 << 10},
      {cudaDevAttrMaxThreadsPerMultiProcessor, 2048},
      {cudaDevAttrMaxThreadsPerBlock, kBlock},
      {cudaDevAttrMaxGridDimX, std::numeric_limits<int>::max()},
  };
  const auto found = kAttributes.find(attribute);
  if (found == kAttributes.end()) die("device attribute %d", attribute);
  *value = found->second;
  return cudaSuccess;
}
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void* stub) {
  *attributes = {};
  if (const Kernel* const kernel = kernel_of(stub)) attributes->sharedSizeBytes = kernel->shared_bytes;
  attributes->maxThreadsPerBlock = kBlock;
  attributes->numRegs = 64;
  attributes->ptxVersion = attributes->binaryVersion = 90;
  return known(stub);
}
cudaError_t cudaFuncSetAttribute(const void* stub, cudaFuncAttribute, int) { return known(stub); }
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* blocks, const void* stub, int,
                                                                   std::size_t, unsigned) {
  *blocks = kBlocksResident;
  return known(stub);
}

cudaError_t cudaMalloc(void** at, std::size_t bytes) {
  make_memory();
  if (bytes > kCard - in_use) return answer(cudaErrorMemoryAllocation);
  const u64 offset = next_offset;
  next_offset += (bytes + 2 * kGap - 1) / kGap * kGap;
  if (next_offset > memory.size) die("no more addresses");
  allocations[offset] = bytes;
  in_use += bytes;
  *at = memory.base + offset;
  std::ranges::fill(shadow_of(*at, bytes), kUnwritten);
  std::memset(*at, 0xcd, bytes);
  return cudaSuccess;
}
cudaError_t cudaFree(void* at) {
  if (at == nullptr) return cudaSuccess;
  const auto found =
      on_card(at) ? allocations.find(static_cast<u64>(static_cast<u8*>(at) - memory.base)) : allocations.end();
  if (found == allocations.end()) die("cudaFree: of what is not allocated");
  const auto [offset, bytes] = *found;
  std::ranges::fill(shadow_of(at, bytes), kUnallocated);
  constexpr u64 kPage = 4096;
  const u64 first = (offset + kPage - 1) / kPage * kPage, last = (offset + bytes) / kPage * kPage;
  if (last > first) {
    madvise(memory.base + first, last - first, MADV_DONTNEED);
    madvise(memory.shadow + first, last - first, MADV_DONTNEED);
  }
  in_use -= bytes;
  allocations.erase(found);
  return cudaSuccess;
}
cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  *free = kCard - in_use, *total = kCard;
  return cudaSuccess;
}
cudaError_t cudaMemset(void* at, int byte, std::size_t bytes) {
  const std::span<u8> states = host_access("cudaMemset", at, bytes, false);
  // 0xff is how this project marks what a kernel has to write.
  std::ranges::fill(states, byte == 0xff ? kUnwritten : kWritten);
  std::memset(at, byte, bytes);
  return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void* at, int byte, std::size_t bytes, cudaStream_t) {
  return cudaMemset(at, byte, bytes);
}
cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
  const bool to_card = on_card(to), from_card = on_card(from);
  const bool says_to = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool says_from = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  if (kind != cudaMemcpyDefault && (to_card != says_to || from_card != says_from))
    die("cudaMemcpy: in the wrong direction");
  // From card to card, what was not written remains that.
  const std::span<u8> from_states =
      from_card ? host_access("cudaMemcpy", from, bytes, !to_card) : std::span<u8>{};
  if (to_card) {
    const std::span<u8> states = host_access("cudaMemcpy", to, bytes, false);
    if (from_card) {
      std::ranges::copy(from_states, states.begin());
    } else {
      std::ranges::fill(states, kWritten);
    }
  }
  std::memcpy(to, from, bytes);
  return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t) {
  return cudaMemcpy(to, from, bytes, kind);
}

}  // extern "C"
