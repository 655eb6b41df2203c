// SPDX-License-Identifier: Apache-2.0
#include "host/replay/verify.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <system_error>

#include "host/report/folder.hpp"
#include "host/report/report.hpp"
#include "host/report/sha256.hpp"
#include "host/run/run.hpp"

namespace headroom {

namespace {

std::string read(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string first_difference(const std::string& stored, const std::string& again) {
  std::istringstream left(stored), right(again);
  std::string a, b;
  for (int line = 1;; ++line) {
    const bool more_left = static_cast<bool>(std::getline(left, a)),
               more_right = static_cast<bool>(std::getline(right, b));
    if (!more_left && !more_right) return "the ends of lines differ";
    if (more_left != more_right || a != b)
      return fmt::format("line {} is '{}', and the run gives '{}'", line, more_left ? a.substr(0, 100) : "",
                         more_right ? b.substr(0, 100) : "");
  }
}

// The names in the first column.
std::vector<std::string> names_in(const std::string& csv) {
  std::istringstream in(csv);
  std::vector<std::string> names;
  std::string line;
  std::getline(in, line);
  while (std::getline(in, line)) names.push_back(line.substr(0, line.find(',')));
  return names;
}

}  // namespace

std::vector<std::string> check_files(const StoredRun& run) {
  std::vector<std::string> problems;
  for (const std::string_view name : report::kResultNames) {
    if (name == "manifest.json") continue;
    const auto found = std::find_if(run.files.begin(), run.files.end(),
                                    [&](const StoredFile& each) { return each.name == name; });
    if (found == run.files.end()) problems.push_back(fmt::format("{}: manifest.json does not name it", name));
  }
  for (const StoredFile& each : run.files) {
    const std::filesystem::path file = run.folder / each.name;
    std::error_code error;
    const std::uintmax_t bytes = std::filesystem::file_size(file, error);
    if (error) {
      problems.push_back(fmt::format("{}: it cannot be read ({})", each.name, error.message()));
    } else if (bytes != each.bytes) {
      problems.push_back(
          fmt::format("{}: it has {} bytes, and the run wrote {}", each.name, bytes, each.bytes));
    } else if (report::sha256(read(file)) != each.sha256) {
      problems.push_back(fmt::format("{}: its SHA-256 is not that of what the run wrote", each.name));
    }
  }
  if (run.summary_schema != report::kSummarySchema) {
    problems.push_back(fmt::format("summary.json: it is of form {}, and this headroom writes form {}",
                                   run.summary_schema, report::kSummarySchema));
  }
  return problems;
}

std::vector<std::string> run_again(const StoredRun& run, Backend& backend, int threads) {
  const Company company = load_stored_company(run);
  Request request;
  request.paths = run.paths;
  request.exact_paths = run.exact_paths;
  request.by_month = true;
  request.threads = threads;
  Result result = headroom::run(company, backend, request);
  const std::string stored = read(run.folder / "results.csv");
  std::string again = report::results_csv(result.figures());
  if (stored != again) {
    // Figures that were asked for by name are not in every run.
    const std::vector<std::string> given = names_in(again);
    const std::set<std::string> known(given.begin(), given.end());
    for (const std::string& name : names_in(stored)) {
      if (!known.contains(name)) request.figures.push_back(name);
    }
    if (!request.figures.empty()) {
      try {
        result = headroom::run(company, backend, request);
        again = report::results_csv(result.figures());
      } catch (const UnknownFigure&) {
        // It names a figure that the company does not have: a difference, told below.
      }
    }
  }
  std::vector<std::string> problems;
  const auto compare = [&](const char* name, const std::string& now) {
    const std::string was = read(run.folder / name);
    if (was != now) problems.push_back(fmt::format("{}: {}", name, first_difference(was, now)));
  };
  compare("fcf.csv", report::fcf_csv(company, result.risk));
  compare("covenants.csv", report::covenants_csv(company, result.risk));
  compare("monthly.csv", report::monthly_csv(company, result.risk));
  compare("results.csv", again);
  return problems;
}

}  // namespace headroom
