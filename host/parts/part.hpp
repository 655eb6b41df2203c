// SPDX-License-Identifier: Apache-2.0
// A part of a run: the answers of some of its paths, with everything that is needed to finish the run from
// them. A checkpoint and a shard are both parts. A folder has at most one, in the file answers.part: a line
// with the checksum of the rest, a line of JSON, and the answers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "host/config/company.hpp"
#include "host/engine/answers.hpp"
#include "host/run/run.hpp"

namespace headroom {

inline constexpr const char* kPartName = "answers.part";

// There is no part, it is damaged, or it does not belong to the others. The text names the folder.
struct PartError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// What a part is of.
struct PartHead {
  std::string version{}, commit{};  // of the program: other versions may give other answers
  std::string backend{}, device{};
  std::string config{};  // hash of the canonical config
  SourceTexts sources{};
  PathRange paths{};             // asked of this part
  std::vector<PathSpan> done{};  // of these
  std::uint64_t run_paths = 0;   // of the whole run: they decide whether values are kept
  std::uint64_t exact_paths = 0;
  std::vector<std::string> figures{};

  std::uint64_t done_paths() const;
  bool finished() const { return done_paths() >= paths.count; }
  // The request that the answers are answers to.
  Request request() const;
};

PathRange shard_of(const PathRange& run, std::uint64_t number, std::uint64_t shards);  // number: 1 to shards

std::string part_bytes(PartHead head, const Answers& answers);
bool has_part(const std::filesystem::path& folder);
// Throws PartError. read_head() reads the two lines alone, and checks no checksum.
PartHead read_head(const std::filesystem::path& folder);
Answers read_part(const std::filesystem::path& folder);

// What must not differ between two parts of one run, and does: a line each. The ranges may differ.
std::vector<std::string> differences(const PartHead& before, const PartHead& now);

struct Merged {
  PartHead head{};  // of the part with the lowest path; its paths are those of all parts
  Company company{};
  Answers answers{};
};

// The parts in these folders as one, in any order. Parts that do not belong together or share paths are
// refused, and so are missing paths if it must be `whole`. Throws PartError, which names the folders.
Merged merge_parts(const std::vector<std::filesystem::path>& folders, bool whole);

}  // namespace headroom
