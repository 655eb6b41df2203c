// SPDX-License-Identifier: Apache-2.0
#include "host/run/run.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "host/plan/make_plan.hpp"

namespace headroom {

namespace {

// The by-month histograms that are observed, of those that the figures and the guidance need.
std::optional<std::vector<std::int32_t>> cells_of(const Company& company, const Request& request,
                                                  const Scenario& scenario, const Selection& selection) {
  if (request.by_month) return {};
  std::vector<std::int32_t> cells = selection.cells;
  if (!request.only_figures) {
    const std::vector<std::int32_t> guidance = guidance_cells(company, scenario);
    cells.insert(cells.end(), guidance.begin(), guidance.end());
  }
  return cells;
}

}  // namespace

Result prepare(const Company& company, const Request& request) {
  Result result;
  result.data = company.data;
  make_plan(result.data);
  const Scenario scenario = result.data.view();
  result.catalogue = catalogue(company, scenario);
  if (const auto unknown = unmatched(result.catalogue, scenario, request.figures); !unknown.empty()) {
    throw UnknownFigure(fmt::format("{} names no figure of {}", fmt::join(unknown, ", "), company.name));
  }
  result.selection = select_figures(result.catalogue, scenario, request.figures, request.only_figures);
  const auto asks_balance = [&](std::int32_t cell) {
    return cell / scenario.months >= balance_series(scenario, 0);
  };
  if (std::any_of(result.selection.cells.begin(), result.selection.cells.end(), asks_balance))
    result.data.parameters.observed_tranches = scenario.tranche.size;
  return result;
}

namespace {

void analyse(Result& result, const Company& company, const Request& request) {
  const Scenario scenario = result.data.view();
  const auto start = std::chrono::steady_clock::now();
  const std::vector<std::int32_t> planned = plan_trace(scenario);
  result.plan = plan_table(company, scenario, planned);
  result.risk = report_of(result.catalogue, result.selection, scenario, result.answers, planned);
  if (!request.only_figures) result.guidance = check_guidance(company, scenario, result.plan, &result.risk);
  result.analysis_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

Result run(const Company& company, Backend& backend, const Request& request) {
  Result result = prepare(company, request);
  const Scenario scenario = result.data.view();
  Asked asked;
  asked.questions = questions_of(result.catalogue, result.selection);
  asked.exact_paths = request.exact_paths;
  asked.enough = request.enough;
  asked.begun = request.begun;
  asked.checkpoint = request.checkpoint;
  asked.cells = cells_of(company, request, scenario, result.selection);
  RunPlan plan;
  plan.paths = request.paths;
  plan.list = request.list;
  std::sort(plan.list.begin(), plan.list.end());
  plan.list.erase(std::unique(plan.list.begin(), plan.list.end()), plan.list.end());
  if (!plan.list.empty()) plan.paths.count = plan.list.size();
  plan.threads = request.threads;
  plan.isa = request.isa;
  plan.progress = request.progress;
  plan.stop = request.stop;
  result.answers = simulate(backend, scenario, plan, asked);
  result.answers.config = company.hash;
  analyse(result, company, request);
  return result;
}

Result result_of(const Company& company, const Request& request, Answers answers) {
  Result result = prepare(company, request);
  if (answers.questions != questions_of(result.catalogue, result.selection))
    throw MergeError("these answers are to other questions than this version of headroom asks");
  result.answers = std::move(answers);
  analyse(result, company, request);
  return result;
}

}  // namespace headroom
