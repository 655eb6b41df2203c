// SPDX-License-Identifier: Apache-2.0
// Every return value of the CUDA runtime is checked.
#pragma once

#include <cuda_runtime.h>

#include <stdexcept>
#include <string>
#include <string_view>

namespace headroom::cuda {

struct Error : std::runtime_error {
  Error(cudaError_t code_, const std::string& what) : std::runtime_error(what), code(code_) {}
  cudaError_t code;
};

// Throws "CALL failed: NAME (words) at FILE:LINE" unless the call succeeded.
inline void check(cudaError_t code, std::string_view call, std::string_view file, int line) {
  if (code == cudaSuccess) return;
  cudaGetLastError();  // clears an error that the caller may ignore: the next launch's check must not find it
  file.remove_prefix(file.rfind('/') + 1);
  throw Error(code, std::string(call) + " failed: " + cudaGetErrorName(code) + " (" + cudaGetErrorString(code) +
                        ") at " + std::string(file) + ":" + std::to_string(line));
}

}  // namespace headroom::cuda

#define HEADROOM_CUDA(...) ::headroom::cuda::check((__VA_ARGS__), #__VA_ARGS__, __FILE__, __LINE__)
