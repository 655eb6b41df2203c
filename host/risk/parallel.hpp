// Runs independent tasks on a few threads.
#pragma once

#include <functional>
#include <vector>

namespace headroom {

// Every task once, at most `threads` at a time; the caller's thread is one of them. A task writes to its own
// place, so the order does not matter. The first exception is thrown on when all have ended.
void run_tasks(int threads, const std::vector<std::function<void()>>& tasks);

}  // namespace headroom
