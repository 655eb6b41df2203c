// SPDX-License-Identifier: Apache-2.0
#include "host/report/files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace headroom::report {

namespace {

[[noreturn]] void fail(std::string_view what, const std::filesystem::path& path, int error) {
  throw OutputError(fmt::format("{} {}: {}", what, path.string(), std::strerror(error)));
}

namespace fs = std::filesystem;

void write_all(int descriptor, std::string_view content, const fs::path& path) {
  while (!content.empty()) {
    const ssize_t written = ::write(descriptor, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("cannot write", path, errno);
    content.remove_prefix(static_cast<std::size_t>(written));
  }
}

// Whether it exists and can only be written into: a pipe, a terminal, a device.
bool is_special(const fs::path& path) {
  std::error_code ignored;
  const fs::file_status status = fs::status(path, ignored);
  return fs::exists(status) && !fs::is_regular_file(status) && !fs::is_directory(status);
}

void write_special(const fs::path& path, std::string_view content) {
  const int descriptor = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (descriptor < 0) fail("cannot write", path, errno);
  try {
    write_all(descriptor, content, path);
  } catch (...) {
    close(descriptor);
    throw;
  }
  if (close(descriptor) != 0) fail("cannot write", path, errno);
}

// The target of a link, which may not exist yet.
fs::path behind_links(fs::path path) {
  std::error_code error;
  for (int links = 0; links < 40 && fs::is_symlink(fs::symlink_status(path, error)); ++links) {
    const fs::path target = fs::read_symlink(path, error);
    if (error) break;
    path = path.parent_path() / target;
  }
  return path;
}

// A file under a temporary name beside its target; removed unless committed.
class TemporaryFile {
 public:
  explicit TemporaryFile(const fs::path& file)
      : target_(behind_links(file)),
        path_((target_.parent_path() / ("." + target_.filename().string() + ".XXXXXX")).string()) {
    descriptor_ = mkstemp(path_.data());
    if (descriptor_ < 0) fail("cannot create a file for", target_, errno);
    // mkstemp makes a private file; a result file gets the permissions that the user's umask allows.
    const mode_t mask = umask(0);
    umask(mask);
    fchmod(descriptor_, 0666 & ~mask);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (descriptor_ >= 0) close(descriptor_);
    if (!path_.empty()) unlink(path_.c_str());
  }

  void write(std::string_view content) {
    write_all(descriptor_, content, target_);
    if (fsync(descriptor_) != 0 && errno != EINVAL) fail("cannot write", target_, errno);
    const int descriptor = descriptor_;
    descriptor_ = -1;
    if (close(descriptor) != 0) fail("cannot write", target_, errno);
  }

  void commit() {
    if (rename(path_.c_str(), target_.c_str()) != 0) fail("cannot write", target_, errno);
    path_.clear();
    // The new name, too, goes to disk. Some file systems cannot flush a folder, and say EINVAL.
    const int folder = open(target_.has_parent_path() ? target_.parent_path().c_str() : ".",
                            O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return;
    const int error = fsync(folder) == 0 ? 0 : errno;
    close(folder);
    if (error != 0 && error != EINVAL) fail("cannot flush to disk", target_, error);
  }

 private:
  fs::path target_;
  std::string path_;
  int descriptor_ = -1;
};

}  // namespace

void prepare_file(const fs::path& file) {
  if (is_special(file)) return;
  const fs::path folder = file.has_parent_path() ? file.parent_path() : ".";
  std::error_code error, ignored;
  fs::create_directories(folder, error);
  if (!fs::is_directory(folder, ignored)) {
    fail("cannot create the folder", folder, error ? error.value() : ENOTDIR);
  }
  const TemporaryFile probe(folder / "headroom");
}

void write_file(const fs::path& file, const std::string& content) {
  if (is_special(file)) return write_special(file, content);
  prepare_file(file);
  std::error_code ignored;
  if (fs::is_directory(file, ignored)) fail("cannot write", file, EISDIR);
  TemporaryFile written(file);
  written.write(content);
  written.commit();
}

}  // namespace headroom::report
