// SPDX-License-Identifier: Apache-2.0
// Loaded before the C library into a program under test: call number HEADROOM_FAULT_AT of those that change a
// file system fails with HEADROOM_FAULT_ERROR, or kills the process (error 0). With HEADROOM_FAULT_EXCHANGE=off
// no two folders can be exchanged. HEADROOM_FAULT_CLOCK: the time of day jumps forward by so many seconds after
// it was read once.
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

namespace {

int setting(const char* name) {
  const char* text = getenv(name);
  return text != nullptr ? atoi(text) : -1;
}

std::atomic<int> calls = 0;

bool fails(const char* call) {
  if (++calls != setting("HEADROOM_FAULT_AT")) return false;
  if (const char* file = getenv("HEADROOM_FAULT_LOG"); file != nullptr) {
    FILE* log = fopen(file, "w");
    fputs(call, log);
    fclose(log);
  }
  const int error = setting("HEADROOM_FAULT_ERROR");
  if (error == 0) kill(getpid(), SIGKILL);
  errno = error;
  return true;
}

template <class F>
F next(const char* name, F) {
  return reinterpret_cast<F>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

int mkdir(const char* path, mode_t mode) noexcept {
  return fails("mkdir") ? -1 : next("mkdir", &mkdir)(path, mode);
}
int link(const char* from, const char* to) noexcept {
  return fails("link") ? -1 : next("link", &link)(from, to);
}
int rename(const char* from, const char* to) noexcept {
  return fails("rename") ? -1 : next("rename", &rename)(from, to);
}
int renameat2(int a, const char* from, int b, const char* to, unsigned flags) noexcept {
  const char* exchange = getenv("HEADROOM_FAULT_EXCHANGE");
  if (exchange != nullptr && strcmp(exchange, "off") == 0) {
    errno = EINVAL;
    return -1;
  }
  return fails("renameat2") ? -1 : next("renameat2", &renameat2)(a, from, b, to, flags);
}
int unlink(const char* path) noexcept { return fails("unlink") ? -1 : next("unlink", &unlink)(path); }
int rmdir(const char* path) noexcept { return fails("rmdir") ? -1 : next("rmdir", &rmdir)(path); }
int fsync(int descriptor) { return fails("fsync") ? -1 : next("fsync", &fsync)(descriptor); }
int clock_gettime(clockid_t clock, struct timespec* at) noexcept {
  static std::atomic<int> reads = 0;
  const int code = next("clock_gettime", &clock_gettime)(clock, at);
  if (code == 0 && clock == CLOCK_REALTIME && setting("HEADROOM_FAULT_CLOCK") > 0 && reads++ > 0)
    at->tv_sec += setting("HEADROOM_FAULT_CLOCK");
  return code;
}
ssize_t write(int descriptor, const void* bytes, size_t size) {
  return descriptor > 2 && fails("write") ? -1 : next("write", &write)(descriptor, bytes, size);
}
}
