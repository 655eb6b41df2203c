// SPDX-License-Identifier: Apache-2.0
// Replaces cuda/ in a build without CUDA.
#include <stdexcept>

#include "host/engine/floor.hpp"

namespace headroom {

CudaProbe probe_cuda() { return {.built = false, .usable = false, .text = "this build has no CUDA backend"}; }

std::unique_ptr<Backend> make_cuda_backend() { throw std::runtime_error(probe_cuda().text); }

std::unique_ptr<Floor> make_cuda_floor() { throw std::runtime_error(probe_cuda().text); }

}  // namespace headroom
