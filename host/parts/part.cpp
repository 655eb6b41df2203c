// SPDX-License-Identifier: Apache-2.0
#include "host/parts/part.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "host/report/sha256.hpp"
#include "host/run/simulation.hpp"

namespace headroom {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::string_view kFirst = "headroom part 1 ";

Json to_json(const PartHead& head) {
  Json done = Json::array();
  for (const PathSpan& span : head.done) done.push_back({span.first, span.count});
  return {{"headroom", head.version},
          {"commit", head.commit},
          {"backend", head.backend},
          {"device", head.device},
          {"config_hash", head.config},
          {"seed", head.paths.seed},
          {"first_path", head.paths.first},
          {"paths", head.paths.count},
          {"done", done},
          {"run_paths", head.run_paths},
          {"exact_paths", head.exact_paths},
          {"figures", head.figures},
          {"config", head.sources.file},
          {"overlays", head.sources.overlays},
          {"set", head.sources.sets},
          {"texts", head.sources.texts}};
}

PartHead from_json(const Json& json) {
  PartHead head;
  json.at("headroom").get_to(head.version);
  json.at("commit").get_to(head.commit);
  json.at("backend").get_to(head.backend);
  json.at("device").get_to(head.device);
  json.at("config_hash").get_to(head.config);
  json.at("seed").get_to(head.paths.seed);
  json.at("first_path").get_to(head.paths.first);
  json.at("paths").get_to(head.paths.count);
  for (const Json& span : json.at("done")) head.done.push_back({span.at(0), span.at(1)});
  json.at("run_paths").get_to(head.run_paths);
  json.at("exact_paths").get_to(head.exact_paths);
  json.at("figures").get_to(head.figures);
  json.at("config").get_to(head.sources.file);
  json.at("overlays").get_to(head.sources.overlays);
  json.at("set").get_to(head.sources.sets);
  json.at("texts").get_to(head.sources.texts);
  return head;
}

[[noreturn]] void damaged(const fs::path& folder, std::string_view why) {
  throw PartError(
      fmt::format("{} is damaged ({}); remove it and run this part again", (folder / kPartName).string(), why));
}

std::ifstream open_part(const fs::path& folder) {
  std::ifstream in(folder / kPartName, std::ios::binary);
  if (!in) {
    throw PartError(
        fmt::format("{} holds no part of a run (it has no {}); make one with headroom run --shard, or "
                    "--keep-answers",
                    folder.string(), kPartName));
  }
  return in;
}

PartHead parse_head(const fs::path& folder, const std::string& line) {
  try {
    return from_json(Json::parse(line));
  } catch (const nlohmann::json::exception& error) {
    damaged(folder, error.what());
  }
}

std::string checked_line(const fs::path& folder, std::istream& in) {
  std::string line;
  std::getline(in, line);
  if (!line.starts_with(kFirst)) damaged(folder, "it does not begin as a part of this version does");
  return line.substr(kFirst.size());
}

std::string paths_text(std::uint64_t first, std::uint64_t count) {
  return count == 1 ? fmt::format("path {}", first) : fmt::format("paths {} to {}", first, first + count - 1);
}

// Adds parts so that each path's kept value is copied a few times and not once for every later part.
class Sum {
 public:
  void add(Answers&& part) {
    parts_.push_back(std::move(part));
    const bool kept = parts_.back().kept != nullptr;
    while (parts_.size() > 1 && (!kept || parts_[parts_.size() - 2].paths() <= parts_.back().paths())) join();
  }
  Answers all() {
    while (parts_.size() > 1) join();
    return std::move(parts_.front());
  }

 private:
  void join() {
    Answers last = std::move(parts_.back());
    parts_.pop_back();
    merge(parts_.back(), std::move(last));
  }
  std::vector<Answers> parts_{};
};

}  // namespace

std::uint64_t PartHead::done_paths() const {
  std::uint64_t count = 0;
  for (const PathSpan& span : done) count += span.count;
  return count;
}

Request PartHead::request() const {
  Request request;
  request.paths = paths;
  request.exact_paths = exact_paths;
  request.figures = figures;
  request.by_month = true;
  return request;
}

PathRange shard_of(const PathRange& run, std::uint64_t number, std::uint64_t shards) {
  // The first shards are a path longer if the paths do not divide.
  const std::uint64_t each = run.count / shards, longer = run.count % shards;
  const std::uint64_t before = (number - 1) * each + std::min(number - 1, longer);
  return {run.seed, run.first + before, each + (number <= longer ? 1 : 0)};
}

std::string part_bytes(PartHead head, const Answers& answers) {
  head.done = answers.spans;
  head.device = answers.device;
  // File names and arguments need not be UTF-8.
  std::string rest = to_json(head).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  rest += to_bytes(answers);
  return fmt::format("{}{}\n", kFirst, report::sha256(rest)) + rest;
}

bool has_part(const fs::path& folder) {
  std::error_code ignored;
  return fs::exists(folder / kPartName, ignored);
}

PartHead read_head(const fs::path& folder) {
  std::ifstream in = open_part(folder);
  checked_line(folder, in);
  std::string line;
  std::getline(in, line);
  return parse_head(folder, line);
}

Answers read_part(const fs::path& folder) {
  std::ifstream in = open_part(folder);
  const std::string sum = checked_line(folder, in);
  std::string rest{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (report::sha256(rest) != sum) damaged(folder, "its checksum is wrong");
  try {
    return from_bytes(std::string_view(rest).substr(rest.find('\n') + 1));
  } catch (const std::runtime_error& error) {
    damaged(folder, error.what());
  }
}

std::vector<std::string> differences(const PartHead& before, const PartHead& now) {
  std::vector<std::string> lines;
  const auto differ = [&](std::string_view what, const auto& a, const auto& b) {
    if (a != b) lines.push_back(fmt::format("{} was {} and is {}", what, a, b));
  };
  differ("the version", fmt::format("{} ({})", before.version, before.commit),
         fmt::format("{} ({})", now.version, now.commit));
  if (before.config != now.config) {
    lines.push_back(fmt::format("the config was {} and is {}", before.config, now.config));
    std::map<std::string, std::string> old;
    for (const config::Setting& each : reload_company(before.sources).settings) old[each.key] = each.value;
    for (const config::Setting& each : reload_company(now.sources).settings) {
      const auto found = old.find(each.key);
      const std::string was = found == old.end() ? "not set" : found->second;
      if (was != each.value) lines.push_back(fmt::format("  {} was {} and is {}", each.key, was, each.value));
      if (found != old.end()) old.erase(found);
    }
    for (const auto& [key, value] : old) lines.push_back(fmt::format("  {} was {} and is gone", key, value));
    constexpr std::size_t kMost = 8;
    if (lines.size() > kMost) {
      const std::size_t more = lines.size() - kMost;
      lines.resize(kMost);
      lines.push_back(fmt::format("  and {} more", more));
    }
  }
  differ("the seed", before.paths.seed, now.paths.seed);
  differ("--exact-paths", before.exact_paths, now.exact_paths);
  differ("--figures", fmt::format("'{}'", fmt::join(before.figures, ",")),
         fmt::format("'{}'", fmt::join(now.figures, ",")));
  return lines;
}

Merged merge_parts(const std::vector<fs::path>& folders, bool whole) {
  struct Place {
    PathSpan span;
    const fs::path* folder;
  };
  std::vector<Place> done, asked;
  Merged merged;
  for (const fs::path& folder : folders) {
    PartHead head = read_head(folder);
    for (const PathSpan& span : head.done) done.push_back({span, &folder});
    asked.push_back({{head.paths.first, head.paths.count}, &folder});
    if (merged.head.run_paths != 0) {
      // Places and --set of one config may be written differently; the hash says that its values are the same.
      if (const auto lines = differences(merged.head, head); !lines.empty()) {
        throw PartError(fmt::format("{} is not of the run of {}: {}; merge parts of one run", folder.string(),
                                    folders.front().string(), fmt::join(lines, "; ")));
      }
    }
    if (merged.head.run_paths == 0 || head.paths.first < merged.head.paths.first) merged.head = std::move(head);
  }
  const auto by_path = [](const Place& a, const Place& b) { return a.span.first < b.span.first; };
  std::sort(done.begin(), done.end(), by_path);
  std::sort(asked.begin(), asked.end(), by_path);
  for (std::size_t i = 1; i < done.size(); ++i) {
    const PathSpan &a = done[i - 1].span, &b = done[i].span;
    if (b.first - a.first < a.count) {
      throw PartError(fmt::format("{} and {} share {}; leave one of them out", done[i - 1].folder->string(),
                                  done[i].folder->string(),
                                  paths_text(b.first, std::min(b.count, a.first + a.count - b.first))));
    }
  }
  std::uint64_t last = asked.front().span.first;
  for (const Place& each : asked) last = std::max(last, each.span.first + each.span.count);
  if (whole) {
    std::vector<std::string> missing;
    std::uint64_t next = asked.front().span.first;
    for (const Place& each : done) {
      if (each.span.first > next) missing.push_back(paths_text(next, each.span.first - next));
      next = each.span.first + each.span.count;
    }
    if (next < last) missing.push_back(paths_text(next, last - next));
    if (!missing.empty()) {
      throw PartError(fmt::format("{} are missing; add the parts that hold them, or finish these with --resume",
                                  fmt::join(missing, ", ")));
    }
  }
  merged.head.paths.count = last - merged.head.paths.first;
  merged.company = reload_company(merged.head.sources);
  const std::uint64_t count = merged.head.paths.count;

  std::vector<const fs::path*> order;
  order.reserve(asked.size());
  for (const Place& each : asked) order.push_back(each.folder);
  // Values that some part has only counted are counted in all.
  const auto counts = [](const PartHead& head) { return head.run_paths > head.exact_paths; };
  const bool counted =
      count > merged.head.exact_paths ||
      std::any_of(order.begin(), order.end(), [&](auto* each) { return counts(read_head(*each)); });
  Sum sum;
  std::optional<std::vector<Tally>> empty;
  try {
    for (const fs::path* folder : order) {
      Answers part = read_part(*folder);
      if (part.kept && counted) {
        if (!empty) {
          const Result prepared = prepare(merged.company, merged.head.request());
          empty = empty_tallies(prepared.data.view(), part);
        }
        count_values(part, *empty);
      }
      sum.add(std::move(part));
    }
  } catch (const MergeError& error) {
    throw PartError(fmt::format("{}; merge parts of one run", error.what()));
  }
  merged.answers = sum.all();
  merged.head.done = merged.answers.spans;
  return merged;
}

}  // namespace headroom
