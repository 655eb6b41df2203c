// SPDX-License-Identifier: Apache-2.0
#include "host/replay/stored_run.hpp"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>

#include "host/report/report.hpp"

namespace headroom {

StoredRun read_stored_run(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / "manifest.json";
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    throw StoredRunError(fmt::format(
        "{} holds no manifest.json (no run has finished writing into it); give the DIR of a run --out DIR",
        folder.string()));
  }
  const auto json = nlohmann::json::parse(in, nullptr, false);
  StoredRun run;
  run.folder = folder;
  try {
    run.id = json.at("run").get<std::string>();
    run.version = json.at("headroom").get<std::string>();
    run.commit = json.at("commit").get<std::string>();
    run.config_hash = json.at("config_hash").get<std::string>();
    run.schema = json.at("schema").get<int>();
    run.summary_schema = json.at("summary_schema").get<int>();
    run.paths = {json.at("seed").get<std::uint64_t>(), json.at("first_path").get<std::uint64_t>(),
                 json.at("paths").at("done").get<std::uint64_t>()};
    run.exact_paths = json.at("exact_paths").get<std::uint64_t>();
    for (const auto& [name, facts] : json.at("files").items()) {
      run.files.push_back(
          {name, facts.at("bytes").get<std::uint64_t>(), facts.at("sha256").get<std::string>()});
    }
  } catch (const nlohmann::json::exception&) {
    throw StoredRunError(fmt::format(
        "{} is not a manifest of headroom (it is damaged, or of another program); run again with --out",
        file.string()));
  }
  if (run.schema != report::kManifestSchema) {
    throw StoredRunError(
        fmt::format("{} is of form {} and this headroom reads form {} (it was written by headroom "
                    "{}); use that version, or run again with --out",
                    file.string(), run.schema, report::kManifestSchema, run.version));
  }
  if (run.paths.count < 1 || run.paths.first > UINT64_MAX - run.paths.count) {
    throw StoredRunError(fmt::format("{} names no paths (it is damaged); run again with --out", file.string()));
  }
  return run;
}

bool is_folder(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored);
}

Company load_stored_company(const StoredRun& run) {
  config::Sources sources;
  sources.file = (run.folder / "inputs.toml").string();
  Company company = load_company(sources);
  if (company.hash != run.config_hash) {
    throw StoredRunError(fmt::format(
        "{} is config {} and the run was of config {} (it was changed, or another version of headroom reads it "
        "differently); headroom verify says which",
        sources.file, company.hash, run.config_hash));
  }
  return company;
}

}  // namespace headroom
