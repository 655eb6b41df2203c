// SPDX-License-Identifier: Apache-2.0
// The memory that this process may still take, and how it takes large blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace headroom {

// Bytes: the kernel's estimate of available memory, or the rest of the container's limit (cgroup) if that is
// less. Empty if neither is known.
std::optional<std::uint64_t> available_memory();

// Asks the kernel for huge pages under a block of several MiB that was not touched yet. Without them, the first
// touch of each 4 KiB costs a fault, which is most of a small run's time. Not for the kept columns: a path is
// written to all of them at once, at equal distances, and in huge pages these fall into the same sets of the
// caches.
void prefer_huge_pages(void* memory, std::size_t bytes);

}  // namespace headroom
