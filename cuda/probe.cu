// SPDX-License-Identifier: Apache-2.0
// Finds the card, and checks that this build runs on it.
#include <string>

#include "cuda/backend.hpp"
#include "cuda/check.cuh"

namespace headroom {

namespace {

std::string version_text(int version) {  // 13000: 13.0
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

// "NVIDIA H200, 139 GiB, driver 13.0, sm_90". Throws std::runtime_error with the reason if no card can be
// used.
std::string describe_device() {
  int driver = 0;
  HEADROOM_CUDA(cudaDriverGetVersion(&driver));
  if (driver == 0) throw std::runtime_error("no NVIDIA driver is installed");
  int devices = 0;
  const cudaError_t counted = cudaGetDeviceCount(&devices);
  if (counted == cudaErrorInsufficientDriver) {
    throw std::runtime_error("the NVIDIA driver is too old: it supports CUDA " + version_text(driver) +
                             ", this build needs " + version_text(CUDART_VERSION));
  }
  if (counted == cudaErrorNoDevice) throw std::runtime_error("the NVIDIA driver finds no card");
  cuda::check(counted, "cudaGetDeviceCount", __FILE__, __LINE__);
  cudaDeviceProp card{};
  HEADROOM_CUDA(cudaGetDeviceProperties(&card, 0));
  const std::string sm = "sm_" + std::to_string(card.major) + std::to_string(card.minor);
  HEADROOM_CUDA(cudaSetDevice(0));
  try {
    cuda::load_kernel();
  } catch (const cuda::Error& error) {
    if (error.code != cudaErrorNoKernelImageForDevice && error.code != cudaErrorInvalidDeviceFunction &&
        error.code != cudaErrorUnsupportedPtxVersion) {
      throw;
    }
    throw std::runtime_error("this build has no code that " + std::string(card.name) + " (" + sm + ") can run");
  }
  return std::string(card.name) + ", " + std::to_string(card.totalGlobalMem >> 30) + " GiB, driver " +
         version_text(driver) + ", " + sm;
}

}  // namespace

CudaProbe probe_cuda() {
  try {
    return {.built = true, .usable = true, .text = describe_device()};
  } catch (const std::runtime_error& error) {
    return {.built = true, .usable = false, .text = error.what()};
  }
}

}  // namespace headroom
