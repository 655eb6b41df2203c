// SPDX-License-Identifier: Apache-2.0
// The memory that this process may still take.
#pragma once

#include <cstdint>
#include <optional>

namespace headroom {

// Bytes: the kernel's estimate of available memory, or the rest of the container's limit (cgroup) if that is
// less. Empty if neither is known.
std::optional<std::uint64_t> available_memory();

}  // namespace headroom
