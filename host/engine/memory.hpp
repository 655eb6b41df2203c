// SPDX-License-Identifier: Apache-2.0
// How much memory this process may still take.
#pragma once

#include <cstdint>
#include <optional>

namespace headroom {

// Bytes: the kernel's estimate of what is available, or what the container (cgroup) leaves where that is less.
// Nothing where neither is known.
std::optional<std::uint64_t> available_memory();

}  // namespace headroom
