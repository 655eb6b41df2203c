// SPDX-License-Identifier: Apache-2.0
#include "host/study/paired.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <memory>
#include <set>
#include <string_view>
#include <utility>

#include "host/engine/host_columns.hpp"
#include "host/plan/plan_table.hpp"

namespace headroom::study {

namespace {

constexpr double kStudent31 = 2.0395134463964077;  // two-sided 95%, kBatches - 1 degrees of freedom

}  // namespace

void add_batches(std::vector<Value>& values, const Result& run) {
  const std::uint64_t paths = run.answers.paths();
  if (!run.answers.kept || paths < kBatches) return;
  // Only the records of kept columns that were asked for.
  Catalogue records;
  for (std::size_t i = 0; i < run.catalogue.records.size(); ++i) {
    const Record& record = run.catalogue.records[i];
    const bool by_month = record.series >= 0 || (record.fill && record.questions.empty());
    if (run.selection.records[i] && !by_month) records.records.push_back(record);
  }
  const Selection all{std::vector<bool>(records.records.size(), true), {}};
  const std::vector<Question> questions = questions_of(records, all);
  std::set<std::int32_t> needed;
  for (const Question& question : questions) {
    needed.insert(question.column);
    const bool two = question.kind == Question::Kind::sums || question.kind == Question::Kind::both;
    if (two) needed.insert(question.other);
  }
  const std::vector<std::int32_t> numbers(needed.begin(), needed.end());
  std::map<std::string, Value*> by_name;
  for (Value& value : values) by_name[value.name] = &value;
  const Scenario scenario = run.data.view();
  const std::vector<std::int32_t> planned = plan_trace(scenario);
  for (std::size_t b = 0; b < kBatches; ++b) {
    const std::uint64_t first = paths * b / kBatches, last = paths * (b + 1) / kBatches;
    auto columns = std::make_shared<HostColumns>(numbers, last - first, 1);
    for (const std::int32_t number : numbers)
      run.answers.kept->read(number, first, {columns->column(number), last - first});
    Outcomes outcomes;
    outcomes.columns = std::move(columns);
    const Answers answers =
        ask(std::move(outcomes), questions, run.answers.seed, {{first, last - first}}, nullptr);
    for (const Figure& figure : figures_of(records, all, report_of(records, all, scenario, answers, planned))) {
      if (const auto found = by_name.find(figure.name); found != by_name.end())
        found->second->batches.push_back(figure.value);
    }
  }
}

Value difference(const Value& base, const Value& other, std::uint64_t paths) {
  Value found{.name = base.name, .value = other.value - base.value, .unit = base.unit};
  if (base.batches.size() != kBatches || other.batches.size() != kBatches) return found;
  std::array<double, kBatches> each{};
  double mean = 0;
  for (std::size_t b = 0; b < kBatches; ++b) mean += each[b] = other.batches[b] - base.batches[b];
  mean /= kBatches;
  double squares = 0;
  for (const double value : each) squares += (value - mean) * (value - mean);
  double reach = kStudent31 * std::sqrt(squares / (kBatches - 1) / kBatches);
  if (base.unit == "probability" && squares == 0) reach = wilson(0, paths).high;
  found.low = found.value - reach;
  found.high = found.value + reach;
  return found;
}

bool low_is_bad(const std::string& figure) {
  constexpr std::string_view kGood[] = {"fcf.", "least_liquidity", "revenue", "ebitda", "ocf",
                                        "cash", "liquidity"};
  return std::any_of(std::begin(kGood), std::end(kGood),
                     [&](std::string_view each) { return figure.starts_with(each); });
}

}  // namespace headroom::study
