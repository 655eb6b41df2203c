// SPDX-License-Identifier: Apache-2.0
// cuRAND's Philox as the model's generator. This header is the only part of cuRAND that is used; it is a pure
// function.
#pragma once

#include <cuda_runtime.h>

// By default the header's functions are for the device only; the model needs them on both sides.
#define QUALIFIERS static __forceinline__ __host__ __device__
#include <curand_philox4x32_x.h>
#undef QUALIFIERS

#include <cstdint>

#include "headroom/philox.hpp"

namespace headroom::cuda {

struct CurandPhilox {
  HEADROOM_HD Philox4 operator()(Philox4 c, std::uint32_t key0, std::uint32_t key1) const {
    const uint4 words = curand_Philox4x32_10(make_uint4(c.w0, c.w1, c.w2, c.w3), make_uint2(key0, key1));
    return {words.x, words.y, words.z, words.w};
  }
};

}  // namespace headroom::cuda
