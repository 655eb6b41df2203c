// SPDX-License-Identifier: Apache-2.0
#include "host/report/folder.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace headroom::report {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kInside = ".headroom-";        // + id: a staging folder inside the folder
constexpr std::string_view kBeside = ".headroom-";        // "." + name + this + id: one beside it
constexpr std::string_view kOld = "old.";                 // + name: an old file in a staging folder
constexpr std::string_view kMoving = "all-files-staged";  // the files are being moved, or were
constexpr std::size_t kIdDigits = 16;

[[noreturn]] void fail(std::string_view what, const fs::path& path, int error, std::string_view more = "") {
  throw OutputError(fmt::format("{} {}: {}{}", what, path.string(), std::strerror(error), more));
}

constexpr std::string_view kUntouched = "; old files are untouched";

bool is_result(std::string_view name) {
  return std::find(kResultNames.begin(), kResultNames.end(), name) != kResultNames.end();
}

// Of the entry itself, not of what a link points to.
bool status_of(const fs::path& path, struct stat& status) { return lstat(path.c_str(), &status) == 0; }

bool is_there(const fs::path& path) {
  struct stat status {};
  return status_of(path, status);
}

bool same_file(const fs::path& a, const fs::path& b) {
  struct stat first {};
  struct stat second {};
  return status_of(a, first) && status_of(b, second) && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    names.push_back(at->path().filename().string());
  return names;
}

class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor() {
    if (value_ >= 0) close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return value_; }
  int release() { return std::exchange(value_, -1); }

 private:
  int value_;
};

int open_folder(const fs::path& folder) {
  return open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

// Flushes the names in a folder. Some file systems cannot, and say EINVAL.
bool flush_folder(const fs::path& folder) {
  const Descriptor descriptor(open_folder(folder));
  return descriptor.get() < 0 || fsync(descriptor.get()) == 0 || errno == EINVAL;
}

void remove_staging(const fs::path& folder) {
  unlink((folder / kMoving).c_str());  // first: without it nothing here is moved back
  for (const std::string& name : names_in(folder)) unlink((folder / name).c_str());
  rmdir(folder.c_str());
}

// Empty: `path` is not a manifest of a run.
std::string run_id_in(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  const auto json = nlohmann::json::parse(in, nullptr, false);
  if (!json.is_object() || !json.contains("headroom") || !json.contains("run") || !json["run"].is_string())
    return "";
  return json["run"].get<std::string>();
}

std::string id_after(std::string_view prefix, const std::string& name) {
  const bool is_one = name.starts_with(prefix) && name.size() == prefix.size() + kIdDigits &&
                      name.find_first_not_of("0123456789abcdef", prefix.size()) == name.npos;
  return is_one ? name.substr(prefix.size()) : "";
}

fs::path beside(const fs::path& folder, std::string_view id) {
  return folder.parent_path() / fmt::format(".{}{}{}", folder.filename().string(), kBeside, id);
}

// Removes a generation that was exchanged for the one in `folder`. What the user put there since is kept.
void remove_old(const fs::path& old, const fs::path& folder) {
  for (const std::string& name : names_in(old)) {
    if (is_result(name) || same_file(old / name, folder / name)) {
      unlink((old / name).c_str());
    } else {
      rename((old / name).c_str(), (folder / name).c_str());
    }
  }
  rmdir(old.c_str());
}

// Undoes what move_in() has done: the new files go back into its staging folder, and the old ones to their
// places. Killed halfway, it can be called again.
bool move_back(const fs::path& staging, const fs::path& folder) {
  bool done = true;
  const auto move = [&](const fs::path& from, const fs::path& to) {
    done = (!is_there(from) || rename(from.c_str(), to.c_str()) == 0) && done;
  };
  for (const std::string_view name : kResultNames) {
    if (!is_there(staging / name)) move(folder / name, staging / name);
    move(staging / fmt::format("{}{}", kOld, name), folder / name);
  }
  return done;
}

// `shown`: the name in messages.
void write_new(const fs::path& path, const std::string& content, const fs::path& shown) {
  Descriptor descriptor(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (descriptor.get() < 0) fail("cannot create", shown, errno, kUntouched);
  for (std::string_view rest = content; !rest.empty();) {
    const ssize_t written = ::write(descriptor.get(), rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("cannot write", shown, errno, kUntouched);
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  if (fsync(descriptor.get()) != 0 && errno != EINVAL) fail("cannot write", shown, errno, kUntouched);
  if (close(descriptor.release()) != 0) fail("cannot write", shown, errno, kUntouched);
}

// A new folder for the files, removed if it is still there at the end.
class Staging {
 public:
  explicit Staging(fs::path made) : path_(std::move(made)) {}
  ~Staging() {
    if (!path_.empty()) remove_staging(path_);
  }
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;
  const fs::path& path() const { return path_; }
  void keep() { path_.clear(); }

 private:
  fs::path path_;
};

// Owner, group and mode of one folder for another; false if it has an access list, which is not copied.
bool copy_rights(int from, int to) {
  struct stat old {};
  struct stat made {};
  if (fstat(from, &old) != 0 || fstat(to, &made) != 0) return false;
  for (const char* list : {"system.posix_acl_access", "system.posix_acl_default"}) {
    if (fgetxattr(from, list, nullptr, 0) >= 0) return false;
  }
  if ((old.st_uid != made.st_uid || old.st_gid != made.st_gid) && fchown(to, old.st_uid, old.st_gid) != 0)
    return false;
  return fchmod(to, old.st_mode & 07777U) == 0;
}

}  // namespace

std::string new_run_id() {
  std::uint64_t id = 0;
  if (getrandom(&id, sizeof(id), 0) != static_cast<ssize_t>(sizeof(id)))
    id = static_cast<std::uint64_t>(getpid()) << 32U ^ static_cast<std::uint64_t>(time(nullptr));
  return fmt::format("{:016x}", id);
}

bool has_writer(const fs::path& folder) {
  const Descriptor descriptor(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return descriptor.get() >= 0 && flock(descriptor.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

ResultFolder::ResultFolder(const fs::path& folder) {
  std::error_code error, ignored;
  made_ = fs::create_directories(folder, error);
  if (!fs::is_directory(folder, ignored)) {
    fail("cannot create the folder", folder, error ? error.value() : ENOTDIR);
  }
  path_ = fs::canonical(folder, error);
  if (error) fail("cannot read the folder", folder, error.value());
  lock(folder);
  try {
    if (locks_) remove_leftovers();
    check_names();
    const fs::path inside = path_ / fmt::format("{}{}", kInside, new_run_id());
    if (mkdir(inside.c_str(), 0700) != 0) fail("cannot write into", folder, errno);
    rmdir(inside.c_str());
  } catch (...) {
    if (made_) rmdir(path_.c_str());
    close(lock_);
    throw;
  }
}

ResultFolder::~ResultFolder() {
  if (made_ && !written_) rmdir(path_.c_str());
  if (lock_ >= 0) close(lock_);
  if (new_lock_ >= 0) close(new_lock_);
}

void ResultFolder::lock(const fs::path& given) {
  // A writer that ends while we wait may have exchanged the folder: then we hold the lock of the old one.
  for (int tries = 0; tries < 100; ++tries) {
    Descriptor descriptor(open_folder(path_));
    if (descriptor.get() < 0) fail("cannot read the folder", given, errno);
    if (flock(descriptor.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK)
        throw OutputError(
            fmt::format("another run is writing into {}; wait for it, or give another folder", given.string()));
      locks_ = false;  // this file system has no locks
    }
    struct stat held {};
    struct stat there {};
    if (fstat(descriptor.get(), &held) == 0 && status_of(path_, there) && held.st_ino == there.st_ino &&
        held.st_dev == there.st_dev) {
      lock_ = descriptor.release();
      return;
    }
  }
  throw OutputError(fmt::format("the folder {} is replaced all the time; give another folder", given.string()));
}

// Refuses to replace what no run has written.
void ResultFolder::check_names() const {
  const auto refuse = [&](std::string_view name, std::string_view what) {
    throw OutputError(fmt::format("{} {} and would be replaced; move it, or give another folder",
                                  (path_ / name).string(), what));
  };
  for (const std::string_view name : kResultNames) {
    struct stat status {};
    if (!status_of(path_ / name, status)) continue;
    if (S_ISDIR(status.st_mode)) refuse(name, "is a folder");
    if (!S_ISREG(status.st_mode)) refuse(name, "is not a file of its own");
  }
  const bool has_manifest = is_there(path_ / "manifest.json");
  if (has_manifest && run_id_in(path_ / "manifest.json").empty())
    refuse("manifest.json", "was not written by headroom");
  // A killed writer has left inputs.toml without a manifest, and its staging folder.
  const std::vector<std::string> names = names_in(path_);
  const bool killed =
      std::any_of(names.begin(), names.end(), [](const auto& n) { return !id_after(kInside, n).empty(); });
  if (!has_manifest && !killed && is_there(path_ / "inputs.toml"))
    refuse("inputs.toml", "was not written by headroom");
}

void ResultFolder::remove_leftovers() const {
  // A folder with a lock has a living writer.
  const auto is_dead = [](const fs::path& staging) {
    const Descriptor descriptor(open_folder(staging));
    return descriptor.get() >= 0 && flock(descriptor.get(), LOCK_EX | LOCK_NB) == 0;
  };
  for (const std::string& name : names_in(path_)) {
    const std::string id = id_after(kInside, name);
    const fs::path staging = path_ / name;
    if (id.empty() || !is_dead(staging)) continue;
    const bool half = is_there(staging / kMoving) && run_id_in(path_ / "manifest.json") != id;
    if (!half || move_back(staging, path_)) remove_staging(staging);
  }
  const std::string present = run_id_in(path_ / "manifest.json");
  for (const std::string& name : names_in(path_.parent_path())) {
    const std::string id = id_after(fmt::format(".{}{}", path_.filename().string(), kBeside), name);
    const fs::path staging = path_.parent_path() / name;
    if (id.empty() || !is_dead(staging)) continue;
    if (id == present) {
      remove_old(staging, path_);
    } else {
      remove_staging(staging);
    }
  }
}

void ResultFolder::write(const std::string& id, const std::vector<OutputFile>& files) {
  if (files.size() != kResultNames.size()) throw std::logic_error("a result folder has all files of a run");
  std::error_code ignored;
  fs::create_directories(path_, ignored);  // the user may have removed it since
  check_names();
  if (!try_exchange(id, files)) move_in(id, files);
  written_ = true;
}

// False: not possible here, and nothing was changed.
bool ResultFolder::try_exchange(const std::string& id, const std::vector<OutputFile>& files) {
  // Whoever stands in a folder that is exchanged stands in the old one.
  struct stat here {};
  struct stat old {};
  struct stat parent {};
  if (!path_.has_filename() || stat(".", &here) != 0 || stat(path_.c_str(), &old) != 0 ||
      stat(path_.parent_path().c_str(), &parent) != 0 || parent.st_dev != old.st_dev ||
      (here.st_dev == old.st_dev && here.st_ino == old.st_ino)) {
    return false;
  }
  std::vector<std::string> others = names_in(path_);
  std::erase_if(others, [](const std::string& name) { return is_result(name); });
  struct stat status {};
  for (const std::string& name : others) {
    if (!status_of(path_ / name, status) || S_ISDIR(status.st_mode)) return false;
  }
  const fs::path made = beside(path_, id);
  if (mkdir(made.c_str(), 0700) != 0) return false;
  Staging staging(made);
  Descriptor lock(open_folder(staging.path()));
  if (lock.get() < 0 || !copy_rights(lock_, lock.get())) return false;
  if (locks_ && flock(lock.get(), LOCK_EX | LOCK_NB) != 0) return false;
  for (const OutputFile& file : files) write_new(staging.path() / file.name, file.content, path_ / file.name);
  for (const std::string& name : others) {
    if (link((path_ / name).c_str(), (staging.path() / name).c_str()) != 0) return false;
  }
  if (fsync(lock.get()) != 0 && errno != EINVAL) fail("cannot write", path_, errno, kUntouched);
  if (renameat2(AT_FDCWD, staging.path().c_str(), AT_FDCWD, path_.c_str(), RENAME_EXCHANGE) != 0) return false;
  staging.keep();
  new_lock_ = lock.release();
  const bool flushed = flush_folder(path_.parent_path());
  const int error = errno;
  remove_old(made, path_);
  if (!flushed) fail("cannot flush to disk", path_, error, "; the new files are in their places");
  return true;
}

void ResultFolder::move_in(const std::string& id, const std::vector<OutputFile>& files) const {
  const fs::path made = path_ / fmt::format("{}{}", kInside, id);
  if (mkdir(made.c_str(), 0700) != 0) fail("cannot write into", path_, errno, kUntouched);
  Staging staging(made);
  const Descriptor lock(open_folder(staging.path()));
  if (locks_ && lock.get() >= 0) flock(lock.get(), LOCK_EX | LOCK_NB);
  for (const OutputFile& file : files) write_new(staging.path() / file.name, file.content, path_ / file.name);
  if (!flush_folder(staging.path())) fail("cannot write", path_, errno, kUntouched);
  write_new(staging.path() / kMoving, "", staging.path() / kMoving);
  if (!flush_folder(staging.path())) fail("cannot write", path_, errno, kUntouched);

  const auto old_of = [&](std::string_view name) { return staging.path() / fmt::format("{}{}", kOld, name); };
  const auto step = [&](const fs::path& from, const fs::path& to) {
    if (rename(from.c_str(), to.c_str()) == 0) return;
    const int error = errno;
    if (move_back(staging.path(), path_)) fail("cannot write", to, error, kUntouched);
    // The next writer tries again to put them back.
    const fs::path left = staging.path();
    staging.keep();
    fail("cannot write", to, error, fmt::format("; old files are in {}", left.string()));
  };
  const fs::path manifest = path_ / "manifest.json";
  if (is_there(manifest)) step(manifest, old_of("manifest.json"));
  for (const OutputFile& file : files) {
    const fs::path place = path_ / file.name;
    if (file.name == "manifest.json") continue;
    // The old file stays in its place until the new one takes it, where links are possible.
    if (is_there(place) && link(place.c_str(), old_of(file.name).c_str()) != 0) step(place, old_of(file.name));
    step(staging.path() / file.name, place);
  }
  step(staging.path() / "manifest.json", manifest);
  if (!flush_folder(path_)) fail("cannot flush to disk", path_, errno, "; the new files are in their places");
}

}  // namespace headroom::report
