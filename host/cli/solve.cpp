// SPDX-License-Identifier: Apache-2.0
#include "host/study/solve.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cmath>

#include "host/cli/interrupt.hpp"
#include "host/cli/options.hpp"
#include "host/cli/streams.hpp"
#include "host/report/files.hpp"
#include "host/report/format.hpp"
#include "host/run/backend.hpp"

namespace headroom::cli {

namespace {

Usage solve_usage() {
  Usage usage;
  usage.command = "solve";
  usage.argument = "CONFIG";
  usage.about =
      "Finds how far a key of CONFIG can go before a gate no longer holds: the largest loan, the loosest\n"
      "threshold, the latest date, the lowest price. Every value is run on the same draws. The answer has an\n"
      "interval: between its ends the estimate's own interval holds the limit.\n";
  auto add = usage.options.add_options();
  add("find", po::value<std::string>()->value_name("KEY=LO:HI"),
      "the key, or keys that move together, and the range to search: numbers or dates");
  add("frontier", po::value<std::string>()->value_name("AXIS"),
      "solve at each value of another key: 'KEY2 = 1.1,1.2,1.3', as --vary of headroom study");
  add("tolerance", po::value<std::string>()->default_value("0.001")->value_name("T"),
      "how exact the answer is, as a share of the range");
  add("csv", po::value<std::string>()->value_name("FILE"), "write the answers as a table");
  add_run_options(usage);
  add("gate", po::value<std::vector<std::string>>()->value_name("GATE"),
      "what must hold: 'FIGURE <= 2% @95', or >=");
  add_config_options(usage);
  usage.examples =
      "  headroom solve configs/demo.toml --find 'covenant.liquidity.threshold_musd = 0:100' \\\n"
      "      --gate 'breach.liquidity.24m <= 5%'\n";
  return usage;
}

double parse_tolerance(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != 0 || !(value >= 1e-6 && value <= 0.5))
    throw UsageError(fmt::format("--tolerance '{}' is not a number from 1e-6 to 0.5", text));
  return value;
}

std::string shown(const study::Axis& axis, double value) {
  if (axis.span->dates)
    return config::format_date(std::chrono::sys_days(std::chrono::days(static_cast<int>(std::lround(value)))));
  return fmt::format("{:.6g}", value);
}

std::string words(const study::Axis& axis, const study::Gate& gate, const study::Solution& solution) {
  using Kind = study::Solution::Kind;
  const study::Span& span = *axis.span;
  switch (solution.kind) {
    case Kind::everywhere:
      return fmt::format("holds from {} to {}, at both ends of the range", shown(axis, span.low),
                         shown(axis, span.high));
    case Kind::nowhere:
      return fmt::format("holds neither at {} nor at {}", shown(axis, span.low), shown(axis, span.high));
    case Kind::interrupted:
      return "interrupted";
    case Kind::found:
      break;
  }
  const auto end = [&](double value, bool open, const char* word) {
    return fmt::format("{}{}", open ? fmt::format("{} ", word) : "", shown(axis, value));
  };
  return fmt::format("holds {} {}; {:g}% interval {} to {}", solution.holds_below ? "up to" : "from",
                     shown(axis, solution.answer), gate.confidence,
                     end(solution.low, solution.open_low, "below"),
                     end(solution.high, solution.open_high, "above"));
}

}  // namespace

int solve_command(const Arguments& arguments) {
  const auto options = parse(solve_usage(), arguments);
  if (!options) return kOk;
  const std::vector<study::Gate> gates = read_gates(*options);
  if (gates.size() != 1) throw UsageError("headroom solve needs one --gate, such as 'breach.dscr.24m <= 2%'");
  const study::Gate& gate = gates.front();
  if (gate.figure.find_first_of("*?[") != std::string::npos)
    throw UsageError(
        fmt::format("gate '{}': solve needs one figure, not a pattern; name it in full", gate.text));
  if (options->count("find") == 0)
    throw UsageError(
        "headroom solve needs --find KEY=LO:HI, such as --find 'tranche.ddtl.undrawn_musd = 300:700'");
  const RunOptions run = read_run_options(*options);
  const double tolerance = parse_tolerance((*options)["tolerance"].as<std::string>());
  const std::string csv = parse_path(*options, "csv");
  study::Study study;
  study.request = run.request;
  study.base = base_of(*options);
  const Company& company = study.base.company;
  try_gates(gates, company);
  const study::Axis axis = study::parse_axis((*options)["find"].as<std::string>(), study.base);
  if (!axis.span || axis.span->kind != study::Span::Kind::absolute)
    throw UsageError("--find takes a range without a number of values, KEY=LO:HI");
  std::vector<study::Axis> fixed;
  if (options->count("frontier") != 0)
    fixed.push_back(study::parse_axis((*options)["frontier"].as<std::string>(), study.base));
  if (!fixed.empty() && fixed.front().span)
    throw UsageError("--frontier takes values, KEY2=1.1,1.2 or KEY2=lo:hi:n");
  std::vector<study::Axis> all = fixed;
  all.push_back(axis);
  study::check_axes(study.base, all);
  if (!csv.empty()) report::prepare_file(csv);
  say_warnings(company, *options);
  const Chosen chosen = choose_backend(run.backend, study.request.isa);
  const StopOnSignals guard(!csv.empty());

  show(fmt::format("{}: {} so that {}, {} paths, seed {}\n\n", company.name, axis.name, gate.text,
                   study.request.paths.count, study.request.paths.seed));
  std::string table = fixed.empty() ? "" : study::csv_cell(fixed.front().name) + ",";
  table += "verdict,answer,low,high,confidence_percent,holds,points\n";
  std::vector<study::Point> points;
  if (fixed.empty()) {
    points.emplace_back();
  } else {
    for (const study::Level& level : fixed.front().levels) points.push_back({level});
  }
  using Kind = study::Solution::Kind;
  bool found = true;
  for (const study::Point& point : points) {
    const study::Solution solution = study::solve(study, axis, fixed, point, gate, tolerance, *chosen.backend);
    if (solution.kind == Kind::interrupted) {
      say("interrupted; nothing was written");
      return kInterrupted;
    }
    found = found && solution.kind == Kind::found;
    show(fmt::format(
        "  {}{}{} ({} points)\n",
        fixed.empty() ? "" : fmt::format("{} = {}: ", fixed.front().name, point.front().text),
        words(axis, gate, solution),
        solution.monotone ? "" : "; the estimate crosses the limit more than once: search a smaller range",
        solution.tried.size()));
    if (!fixed.empty()) table += study::csv_cell(point.front().text) + ",";
    const bool known = solution.kind == Kind::found;
    table += fmt::format("{},{},{},{},{:g},{},{}\n",
                         known                               ? "found"
                         : solution.kind == Kind::everywhere ? "everywhere"
                                                             : "nowhere",
                         known ? shown(axis, solution.answer) : "", known ? shown(axis, solution.low) : "",
                         known ? shown(axis, solution.high) : "", gate.confidence,
                         known ? (solution.holds_below ? "below" : "above") : "", solution.tried.size());
  }
  if (!csv.empty()) report::write_file(csv, table);
  return found ? kOk : kGateFailed;
}

}  // namespace headroom::cli
