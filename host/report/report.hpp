// SPDX-License-Identifier: Apache-2.0
// The text and files of a run, a plan and a check. Nothing is computed here; figures come from host/risk as
// they are.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "headroom/scenario.hpp"
#include "host/config/company.hpp"
#include "host/config/problems.hpp"
#include "host/plan/funding.hpp"
#include "host/plan/plan_table.hpp"
#include "host/report/files.hpp"
#include "host/risk/analysis.hpp"
#include "host/run/run.hpp"

namespace headroom::report {

// How a result was made: everything that may differ between two runs with equal results.
struct RunFacts {
  std::string version{}, commit{};
  std::string backend{};  // cpu, cuda
  std::string reason{};   // why this backend was chosen; empty if it was asked for
  std::string device{};   // in words
  int threads = 0;        // 0: all cores
  std::string isa{};
  double simulation_seconds = 0;
  double analysis_seconds = 0;
  std::string id{};                    // new_run_id(); every file of the folder is of this run
  std::vector<std::string> command{};  // headroom, run, ...
  std::string host{};                  // the machine's name
  std::string started{}, finished{};   // UTC
  std::uint64_t asked_paths = 0;       // more than were done: the run was interrupted
  std::uint64_t exact_paths = 0;
};

// The tables of a run: its settings, FCF by calendar year, covenants, liquidity, drivers, guidance,
// identities.
std::string run_text(const Company& company, const Scenario& scenario, const RiskReport& risk,
                     const std::vector<GuidanceCheck>& guidance, const RunFacts& facts);

// The plan by quarter and calendar year, what it breaches, and what it lacks.
std::string plan_text(const Company& company, const Scenario& scenario, const PlanTable& table,
                      const PlanFunding& funding, const std::vector<GuidanceCheck>& guidance);

// The totals of what was read from a config.
std::string check_text(const Company& company, const Scenario& scenario);
// What looks like a slip of a unit: a line each, with place and reason.
std::string warning_lines(const std::vector<config::Problem>& warnings);
// Every value of the config and every default, a line each, by key, with where it comes from; `before` begins
// the line.
std::string setting_lines(const Company& company, std::string_view before = "");

// The number of manifest.json's form.
constexpr int kManifestSchema = 1;
// The number of summary.schema.json. It is raised when a member is removed or its meaning changes.
constexpr int kSummarySchema = 1;
// The files of a run. The part `results` of summary.json and the CSV files do not depend on backend, threads
// or time.
std::string summary_json(const Company& company, const Scenario& scenario, const RiskReport& risk,
                         const std::vector<GuidanceCheck>& guidance, const RunFacts& facts);
std::string fcf_csv(const Company& company, const RiskReport& risk);
std::string covenants_csv(const Company& company, const RiskReport& risk);
std::string monthly_csv(const Company& company, const RiskReport& risk);
// Every observed figure: figure,value,low,high,standard_error,unit,words.
std::string results_csv(const std::vector<Figure>& figures);
// The config as it was used, one file with includes, overlays and --set in it, how to repeat the run, and
// setting_lines() as comments.
std::string inputs_toml(const Company& company, const RiskReport& risk, const RunFacts& facts);
// Which run the files are of, how it came about, and their SHA-256.
std::string manifest_json(const Company& company, const RiskReport& risk, const RunFacts& facts,
                          const std::vector<OutputFile>& files);
// All files of a run.
std::vector<OutputFile> result_files(const Company& company, const Result& result, const RunFacts& facts);

// The values of each path as a NumPy structured array (.npy): the field `path`, its index, and one for each
// kept column with the name of its figures in the catalogue. Month numbers count from as_of; a path without a
// value has NaN. The columns must have been kept. Throws OutputError; then no file was changed.
void write_paths(const std::filesystem::path& file, const Result& result);

// Figures by name, with their errors. figure_names(): only names, units and words.
std::string figures_text(const std::vector<Figure>& figures);
std::string figure_names(const std::vector<Figure>& figures);

}  // namespace headroom::report
