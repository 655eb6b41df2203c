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

// A file under a temporary name beside its target; removed unless committed.
class TemporaryFile {
 public:
  TemporaryFile(const std::filesystem::path& folder, const std::string& name)
      : target_(folder / name), path_((folder / ("." + name + ".XXXXXX")).string()) {
    descriptor_ = mkstemp(path_.data());
    if (descriptor_ < 0) fail("cannot create a file for", target_, errno);
    // mkstemp makes it private; a result file has the permissions that the user's mask allows.
    const mode_t mask = umask(0);
    umask(mask);
    fchmod(descriptor_, 0666 & ~mask);
  }
  TemporaryFile(TemporaryFile&& other) noexcept
      : target_(std::move(other.target_)), path_(std::move(other.path_)), descriptor_(other.descriptor_) {
    other.path_.clear();
    other.descriptor_ = -1;
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  TemporaryFile& operator=(TemporaryFile&&) = delete;
  ~TemporaryFile() {
    if (descriptor_ >= 0) close(descriptor_);
    if (!path_.empty()) unlink(path_.c_str());
  }

  void write(std::string_view content) {
    while (!content.empty()) {
      const ssize_t written = ::write(descriptor_, content.data(), content.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail("cannot write", target_, errno);
      content.remove_prefix(static_cast<std::size_t>(written));
    }
    if (fsync(descriptor_) != 0 && errno != EINVAL) fail("cannot write", target_, errno);
    const int descriptor = descriptor_;
    descriptor_ = -1;
    if (close(descriptor) != 0) fail("cannot write", target_, errno);
  }

  void commit() {
    if (rename(path_.c_str(), target_.c_str()) != 0) fail("cannot write", target_, errno);
    path_.clear();
  }

 private:
  std::filesystem::path target_;
  std::string path_;
  int descriptor_ = -1;
};

}  // namespace

void prepare_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (!std::filesystem::is_directory(folder)) {
    fail("cannot create the folder", folder, error ? error.value() : ENOTDIR);
  }
  const TemporaryFile probe(folder, "headroom");
}

void write_files(const std::filesystem::path& folder, const std::vector<OutputFile>& files) {
  prepare_folder(folder);
  std::vector<TemporaryFile> written;
  for (const OutputFile& file : files) {
    if (std::filesystem::is_directory(folder / file.name)) fail("cannot write", folder / file.name, EISDIR);
    written.emplace_back(folder, file.name).write(file.content);
  }
  for (TemporaryFile& file : written) file.commit();
}

}  // namespace headroom::report
