// SPDX-License-Identifier: Apache-2.0
#include "host/study/gates.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "host/report/format.hpp"
#include "host/run/run.hpp"

namespace headroom::study {

namespace {

constexpr const char* kExample = "write for example 'breach.dscr.24m <= 2% @95'";

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  return first == text.npos ? "" : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

double number_in(const Gate& gate, std::string_view text, const char* what) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
    throw std::invalid_argument(fmt::format("gate '{}': '{}' is no {}; {}", gate.text, text, what, kExample));
  return value;
}

// The two-sided quantile of the normal distribution: bisection, to the last digit.
double two_sided(double percent) {
  double low = 0, high = 40;
  for (int i = 0; i < 200; ++i) {
    const double middle = (low + high) / 2;
    (std::erf(middle / std::sqrt(2.0)) < percent / 100 ? low : high) = middle;
  }
  return high;
}

std::string amount(double value, const Value& of) {
  const double error =
      std::isfinite(of.low) && std::isfinite(of.high) ? (of.high - of.low) / (2 * kNormal95) : 0;
  if (of.unit == "probability") return report::supported(100 * value, 100 * error, 4) + "%";
  return fmt::format("{} {}", report::supported(value, error, 4), of.unit);
}

const char* word(Verdict verdict) {
  return verdict == Verdict::passed ? "passed" : verdict == Verdict::failed ? "failed" : "undecided";
}

std::string xml(const std::string& text) {
  std::string out;
  for (const char c : text) {
    out += c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : c == '"' ? "&quot;" : std::string(1, c);
  }
  return out;
}

}  // namespace

Gate parse_gate(const std::string& text) {
  Gate gate{.text = text};
  const auto sign = text.find_first_of("<>=");
  if (sign == text.npos || sign + 1 >= text.size() || text[sign + 1] != '=' || text[sign] == '=')
    throw std::invalid_argument(fmt::format("gate '{}' has no <= or >=; {}", text, kExample));
  gate.at_most = text[sign] == '<';
  gate.figure = trim(std::string_view(text).substr(0, sign));
  if (gate.figure.empty())
    throw std::invalid_argument(fmt::format("gate '{}' names no figure; {}", text, kExample));
  std::string_view rest = trim(std::string_view(text).substr(sign + 2));
  if (const auto at = rest.find('@'); at != rest.npos) {
    gate.confidence = number_in(gate, trim(rest.substr(at + 1)), "confidence in percent");
    if (!(gate.confidence >= 50 && gate.confidence <= 99.99))
      throw std::invalid_argument(fmt::format("gate '{}': confidence {} is not from 50 to 99.99 percent; {}",
                                              text, gate.confidence, kExample));
    rest = trim(rest.substr(0, at));
  }
  const bool percent = rest.ends_with('%');
  if (percent) rest = trim(rest.substr(0, rest.size() - 1));
  gate.limit = number_in(gate, rest, "number") / (percent ? 100 : 1);
  return gate;
}

void check_gates(const std::vector<Gate>& gates, const Company& company) {
  const Scenario scenario = company.data.view();
  const Catalogue all = catalogue(company, scenario);
  const Selection selection = select_figures(all, scenario, {});
  const RiskReport blank = blank_report(scenario, {});
  for (const Gate& gate : gates) {
    const std::vector<Figure> figures = figures_of(all, selection, blank, {gate.figure});
    if (figures.empty())
      throw UnknownFigure(fmt::format("{} names no figure of {}", gate.figure, company.name));
    if (figures.front().unit == "probability" && (gate.limit < 0 || gate.limit > 1))
      throw std::invalid_argument(
          fmt::format("gate '{}': {} is no probability, which is from 0 to 1; write {}%", gate.text, gate.limit,
                      gate.limit));
  }
}

Judgement judge(const Gate& gate, const Value& value, std::uint64_t paths, const std::string& point) {
  Judgement judged{.gate = gate, .point = point, .value = value, .low = value.low, .high = value.high};
  if (gate.confidence != 95) {
    const double z = two_sided(gate.confidence);
    const auto count = static_cast<std::uint64_t>(std::llround(value.value * static_cast<double>(paths)));
    const Probability share = wilson(count, paths);
    if (value.unit == "probability" && share.low == value.low && share.high == value.high) {
      const Probability wider = wilson(count, paths, z);
      judged.low = wider.low;
      judged.high = wider.high;
    } else {  // of a normal estimate
      judged.low = value.value - (value.value - value.low) * z / kNormal95;
      judged.high = value.value + (value.high - value.value) * z / kNormal95;
    }
  }
  if (value.name.ends_with(".plan")) judged.low = judged.high = value.value;  // does not depend on paths
  const double good = gate.at_most ? judged.high : judged.low, bad = gate.at_most ? judged.low : judged.high;
  const auto holds = [&](double bound) { return gate.at_most ? bound <= gate.limit : bound >= gate.limit; };
  if (std::isfinite(good) && holds(good)) judged.verdict = Verdict::passed;
  if (std::isfinite(bad) && !holds(bad)) judged.verdict = Verdict::failed;
  return judged;
}

std::vector<Judgement> judge_all(const std::vector<Gate>& gates, const std::vector<Value>& values,
                                 std::uint64_t paths, const std::string& point) {
  std::vector<Judgement> all;
  for (const Gate& gate : gates) {
    for (const Value& value : values) {
      if (matches(gate.figure, value.name)) all.push_back(judge(gate, value, paths, point));
    }
  }
  return all;
}

Verdict worst(const std::vector<Judgement>& judgements) {
  const auto any = [&](Verdict verdict) {
    return std::any_of(judgements.begin(), judgements.end(),
                       [&](const Judgement& each) { return each.verdict == verdict; });
  };
  return any(Verdict::failed)      ? Verdict::failed
         : any(Verdict::undecided) ? Verdict::undecided
                                   : Verdict::passed;
}

std::string words(const Judgement& judged) {
  const Value& value = judged.value;
  const std::string interval = std::isfinite(judged.low) && std::isfinite(judged.high)
                                   ? fmt::format(", {:g}% interval {} to {}", judged.gate.confidence,
                                                 amount(judged.low, value), amount(judged.high, value))
                                   : ", without an interval";
  const char* why = judged.verdict == Verdict::undecided
                        ? std::isfinite(judged.low) && std::isfinite(judged.high)
                              ? "; the interval holds the limit: run more paths"
                              : "; it cannot be judged"
                        : "";
  return fmt::format("gate {}: {} is {}{}; the limit is {} {}{}{}", word(judged.verdict), value.name,
                     std::isfinite(value.value) ? amount(value.value, value) : "unknown", interval,
                     judged.gate.at_most ? "at most" : "at least",
                     value.unit == "probability" ? fmt::format("{:.10g}%", 100 * judged.gate.limit)
                                                 : fmt::format("{} {}", judged.gate.limit, value.unit),
                     judged.point.empty() ? "" : " [at " + judged.point + "]", why);
}

std::string gates_json(const std::vector<Judgement>& judgements) {
  using nlohmann::ordered_json;
  const auto real = [](double value) {
    return std::isfinite(value) ? ordered_json(value) : ordered_json(nullptr);
  };
  ordered_json gates = ordered_json::array();
  for (const Judgement& each : judgements) {
    gates.push_back({{"gate", each.gate.text},
                     {"point", each.point},
                     {"verdict", word(each.verdict)},
                     {"figure", each.value.name},
                     {"value", real(each.value.value)},
                     {"low", real(each.low)},
                     {"high", real(each.high)},
                     {"unit", each.value.unit},
                     {"limit", each.gate.limit},
                     {"confidence_percent", each.gate.confidence},
                     {"words", words(each)}});
  }
  return ordered_json{{"verdict", word(worst(judgements))}, {"gates", gates}}.dump(2) + "\n";
}

std::string gates_junit(const std::vector<Judgement>& judgements) {
  const auto count = [&](Verdict verdict) {
    return std::count_if(judgements.begin(), judgements.end(),
                         [&](const Judgement& each) { return each.verdict == verdict; });
  };
  std::string out = fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"headroom gates\" tests=\"{}\" "
      "failures=\"{}\" "
      "errors=\"0\" skipped=\"{}\">\n",
      judgements.size(), count(Verdict::failed), count(Verdict::undecided));
  for (const Judgement& each : judgements) {
    out +=
        fmt::format("  <testcase classname=\"{}\" name=\"{}\">", xml(each.point.empty() ? "run" : each.point),
                    xml(each.value.name + ": " + each.gate.text));
    if (each.verdict == Verdict::failed) out += fmt::format("<failure message=\"{}\"/>", xml(words(each)));
    if (each.verdict == Verdict::undecided) out += fmt::format("<skipped message=\"{}\"/>", xml(words(each)));
    out += "</testcase>\n";
  }
  return out + "</testsuite>\n";
}

}  // namespace headroom::study
