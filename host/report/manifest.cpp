// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "host/engine/threads.hpp"
#include "host/report/report.hpp"
#include "host/report/sha256.hpp"

namespace headroom::report {

std::string inputs_toml(const Company& company, const RiskReport& risk, const RunFacts& facts) {
  // Interrupted below the exact paths, the quantiles still come from histograms.
  const bool binned = facts.exact_paths > 0 && facts.asked_paths > facts.exact_paths;
  const std::uint64_t exact_paths = binned && risk.paths <= facts.exact_paths ? 1 : facts.exact_paths;
  return fmt::format(
      "# The config of run {}, with includes, overlays and --set. The same results, in one line:\n"
      "# headroom run inputs.toml --paths {} --seed {} --first-path {}{}\n\n{}\n"
      "# Every value, and where it came from.\n{}",
      facts.id, risk.paths, risk.seed, risk.first_path,
      exact_paths == 0 ? "" : fmt::format(" --exact-paths {}", exact_paths), company.inputs,
      setting_lines(company, "# "));
}

std::string manifest_json(const Company& company, const RiskReport& risk, const RunFacts& facts,
                          const std::vector<OutputFile>& files) {
  using Json = nlohmann::ordered_json;
  Json sums = Json::object();
  for (const OutputFile& file : files)
    sums[file.name] = {{"bytes", file.content.size()}, {"sha256", sha256(file.content)}};
  const Json manifest = {{"headroom", facts.version},
                         {"commit", facts.commit},
                         {"schema", kManifestSchema},
                         {"run", facts.id},
                         {"complete", risk.paths >= facts.asked_paths},
                         {"command", facts.command},
                         {"host", facts.host},
                         {"started", facts.started},
                         {"finished", facts.finished},
                         {"paths", {{"asked", facts.asked_paths}, {"done", risk.paths}}},
                         {"seed", risk.seed},
                         {"first_path", risk.first_path},
                         {"exact_paths", facts.exact_paths},
                         {"company", company.name},
                         {"config_hash", company.hash},
                         {"summary_schema", kSummarySchema},
                         {"files", sums}};
  // Arguments and host names need not be UTF-8.
  return manifest.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::vector<OutputFile> result_files(const Company& company, const Result& result, const RunFacts& facts) {
  std::vector<OutputFile> files;
  for (const char* name :
       {"summary.json", "fcf.csv", "covenants.csv", "monthly.csv", "results.csv", "inputs.toml"})
    files.push_back({name, ""});
  // The longest first.
  run_tasks(static_cast<int>(available_cores()),
            {[&] { files[4].content = results_csv(result.figures()); },
             [&] {
               files[0].content =
                   summary_json(company, result.data.view(), result.risk, result.guidance, facts);
             },
             [&] { files[3].content = monthly_csv(company, result.risk); },
             [&] { files[2].content = covenants_csv(company, result.risk); },
             [&] { files[1].content = fcf_csv(company, result.risk); },
             [&] { files[5].content = inputs_toml(company, result.risk, facts); }});
  files.push_back({"manifest.json", manifest_json(company, result.risk, facts, files)});
  return files;
}

}  // namespace headroom::report
