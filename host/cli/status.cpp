// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "host/cli/options.hpp"
#include "host/cli/progress.hpp"
#include "host/cli/streams.hpp"
#include "host/parts/part.hpp"
#include "host/report/folder.hpp"

namespace headroom::cli {

namespace {

Usage status_usage() {
  Usage usage;
  usage.command = "status";
  usage.argument = "DIR...";
  usage.folders = true;
  usage.about =
      "Says for each folder whether a run writes into it now, what its last checkpoint or part holds, and\n"
      "whose results lie there. It changes nothing.\n";
  usage.examples = "  headroom status results part-*\n";
  return usage;
}

std::string written_at(const std::string& file) {
  struct stat status {};
  if (stat(file.c_str(), &status) != 0) return "at an unknown time";
  return "at " + utc(std::chrono::system_clock::from_time_t(status.st_mtime));
}

// Empty: there are no results.
std::string results_text(const std::string& folder) {
  std::ifstream in(folder + "/manifest.json", std::ios::binary);
  const auto json = nlohmann::json::parse(in, nullptr, false);
  if (!json.is_object() || !json.contains("headroom")) return "";
  const auto paths = json.value("paths", nlohmann::json::object());
  return fmt::format("results of {} of {} paths of {}, config {}, {} at {}",
                     paths.value("done", std::uint64_t{0}), paths.value("asked", std::uint64_t{0}),
                     json.value("company", ""), json.value("config_hash", ""),
                     json.value("complete", false) ? "finished" : "interrupted", json.value("finished", ""));
}

}  // namespace

int status_command(const Arguments& arguments) {
  const Usage usage = status_usage();
  const auto options = parse(usage, arguments);
  if (!options) return kOk;
  for (const std::string& folder : parse_folders(usage, *options)) {
    std::error_code ignored;
    if (!std::filesystem::is_directory(folder, ignored))
      throw UsageError(fmt::format("{} is not a folder; give the --out of a run", folder));
    const bool running = report::has_writer(folder);
    const std::string results = results_text(folder);
    std::string text =
        fmt::format("{}: {}\n", folder, running ? "a run is writing into it" : "no run is writing into it");
    if (has_part(folder)) {
      const PartHead head = read_head(folder);
      text += fmt::format("  {} of {} paths from path {} in {}, written {}; config {} ({}), seed {}\n",
                          head.done_paths(), head.paths.count, head.paths.first, kPartName,
                          written_at(fmt::format("{}/{}", folder, kPartName)), head.config, head.sources.file,
                          head.paths.seed);
      if (!running && !head.finished())
        text += "  it ended before its last path; its command with --resume goes on\n";
    } else if (results.empty()) {
      text += running ? "  no checkpoint yet\n" : "  neither results nor a checkpoint\n";
    }
    if (!results.empty()) text += fmt::format("  {}\n", results);
    show(text);
  }
  return kOk;
}

}  // namespace headroom::cli
