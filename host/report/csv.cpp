// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "host/engine/threads.hpp"
#include "host/report/format.hpp"
#include "host/report/report.hpp"

namespace headroom::report {

namespace {

// One CSV line (RFC 4180, except that lines end in "\n"). A figure has enough digits to read back the same
// double; an unknown one is empty.
class Line {
 public:
  Line& text(std::string_view cell) {
    start_cell();
    const auto special = [](char c) { return c == ',' || c == '"' || c == '\n'; };
    if (std::none_of(cell.begin(), cell.end(), special)) {
      line_.append(cell);
      return *this;
    }
    line_.push_back('"');
    for (const char c : cell) {
      if (c == '"') line_.push_back(c);
      line_.push_back(c);
    }
    line_.push_back('"');
    return *this;
  }
  Line& figure(double value) {
    start_cell();
    if (std::isfinite(value)) fmt::format_to(fmt::appender(line_), "{}", value + 0.0);
    return *this;
  }
  Line& figure(const std::optional<double>& value) { return figure(value ? *value : kUnknown); }
  Line& count(std::uint64_t value) {
    start_cell();
    fmt::format_to(fmt::appender(line_), "{}", value);
    return *this;
  }
  Line& interval(const Probability& p) { return figure(p.value).figure(p.low).figure(p.high); }
  void end(std::string& out) const { out.append(line_.data(), line_.size()) += '\n'; }

 private:
  void start_cell() {
    if (line_.size() > 0) line_.push_back(',');
  }
  fmt::memory_buffer line_{};
};

void fcf_line(std::string& out, const Company& company, std::string_view period, std::string_view label,
              std::int32_t first, std::int32_t last, const std::optional<double>& plan, const Distribution& d) {
  Line line;
  line.text(period).text(label).text(month_label(company, first)).text(month_label(company, last));
  line.count(d.paths).figure(plan).figure(d.mean).figure(d.mean_error).figure(d.sd);
  for (const Quantile& q : d.quantiles) line.figure(q.value).figure(q.low).figure(q.high);
  for (const LowerTail& tail : d.tails) {
    line.figure(tail.value_at_risk).figure(tail.value_at_risk_error);
    line.figure(tail.expected_shortfall).figure(tail.expected_shortfall_error);
  }
  line.figure(d.resolution);
  line.end(out);
}

// Events without a test of their own: any covenant, liquidity default, consequences of a breach, borrowers'
// payment defaults.
void event_lines(std::string& out, const Company& company, std::string_view id, const EventRisk& event) {
  for (std::size_t t = 0; t < event.cumulative.size(); ++t) {
    Line line;
    line.text(id)
        .text(month_label(company, static_cast<std::int32_t>(t) + 1))
        .text("")
        .text("")
        .text("")
        .text("");
    line.interval(event.cumulative[t]);
    for (std::size_t k = 0; k < 1 + kBandPercents.size() + 2; ++k) line.text("");  // plan, quantiles, bins
    line.end(out);
  }
}

// The band's quantiles, the bin width, and the bounds of the quantiles beyond the bins: p5<3.9 p95>=7.25.
void band_figures(Line& line, const Band& band) {
  std::string outside;
  for (std::size_t k = 0; k < kBandPercents.size(); ++k) {
    const BinnedQuantile& q = band.quantiles[k];
    line.figure(q.value);
    const bool below = std::isfinite(q.below);
    if (!below && !std::isfinite(q.at_least)) continue;
    outside += fmt::format("{}p{}{}{}", outside.empty() ? "" : " ", kBandPercents[k],
                           below ? "<" : ">=", (below ? q.below : q.at_least) + 0.0);
  }
  line.figure(band.bin_width).text(outside);
}

}  // namespace

std::string fcf_csv(const Company& company, const RiskReport& risk) {
  Line header;
  for (const char* name : {"period", "label", "first_month", "last_month", "paths", "plan_musd", "mean_musd",
                           "mean_se_musd", "sd_musd"}) {
    header.text(name);
  }
  for (const int percent : kPercents) {
    header.text(fmt::format("p{}_musd", percent));
    header.text(fmt::format("p{}_low_musd", percent)).text(fmt::format("p{}_high_musd", percent));
  }
  for (const int level : {95, 99}) {
    header.text(fmt::format("var_{}_musd", level)).text(fmt::format("var_{}_se_musd", level));
    header.text(fmt::format("es_{}_musd", level)).text(fmt::format("es_{}_se_musd", level));
  }
  header.text("resolution_musd");
  std::string out;
  header.end(out);
  constexpr auto kFcfColumn = static_cast<std::size_t>(kYearFcf);
  for (const YearRisk& year : risk.years) {
    fcf_line(out, company, "year", year_label(company, year.first_month, year.last_month), year.first_month,
             year.last_month, year.plan[kFcfColumn], year.measures[kFcfColumn]);
  }
  for (const QuarterRisk& quarter : risk.quarters) {
    fcf_line(out, company, "quarter", quarter_label(company, quarter.first_month, quarter.last_month),
             quarter.first_month, quarter.last_month, quarter.plan_fcf, quarter.fcf);
  }
  fcf_line(out, company, "horizon", "total", 1, risk.months, risk.plan_total_fcf, risk.total_fcf);
  return out;
}

std::string covenants_csv(const Company& company, const RiskReport& risk) {
  std::string out;
  Line header;
  for (const char* name : {"covenant", "month", "threshold", "p_failing", "p_failing_low", "p_failing_high",
                           "p_breached", "p_breached_low", "p_breached_high", "headroom_plan"}) {
    header.text(name);
  }
  for (const int percent : kBandPercents) header.text(fmt::format("headroom_p{}", percent));
  header.text("bin_width").text("out_of_range").end(out);
  for (std::size_t v = 0; v < risk.covenants.size(); ++v) {
    const CovenantRisk& covenant = risk.covenants[v];
    const Series& headroom =
        risk.bands[static_cast<std::size_t>(headroom_series(static_cast<std::int32_t>(v)))];
    for (const CovenantRisk::Test& test : covenant.tests) {
      const auto row = static_cast<std::size_t>(test.month) - 1;
      const Band& band = headroom.months[row];
      Line line;
      line.text(company.covenants[v].id).text(month_label(company, test.month)).figure(test.threshold);
      line.interval(test.failing).interval(covenant.breach.cumulative[row]);
      line.figure(band.plan);
      band_figures(line, band);
      line.end(out);
    }
  }
  if (!risk.covenants.empty()) event_lines(out, company, "any", risk.any_breach);
  event_lines(out, company, "liquidity_default", risk.liquidity_default);
  event_lines(out, company, "event_of_default", risk.event_of_default);
  for (std::size_t v = 0; v < risk.covenants.size(); ++v) {
    const CovenantRisk& covenant = risk.covenants[v];
    if (!covenant.has_remedies) continue;
    event_lines(out, company, company.covenants[v].id + "/uncured", covenant.uncured);
    event_lines(out, company, company.covenants[v].id + "/acceleration", covenant.accelerated);
  }
  for (std::size_t e = 0; e < risk.borrowers.size(); ++e) {
    event_lines(out, company, company.entities[e].id + "/payment_default", risk.borrowers[e].payment_default);
  }
  return out;
}

std::string monthly_csv(const Company& company, const RiskReport& risk) {
  std::string out;
  Line header;
  for (const char* name : {"series", "unit", "month", "plan", "mean"}) header.text(name);
  for (const int percent : kBandPercents) header.text(fmt::format("p{}", percent));
  header.text("bin_width").text("out_of_range").end(out);
  for (const Series& series : risk.bands) {
    std::string name;
    std::string_view unit;
    if (series.covenant >= 0) {
      const auto v = static_cast<std::size_t>(series.covenant);
      name = "headroom/" + company.covenants[v].id;
      unit = unit_of(risk.covenants[v].metric);
    } else if (series.tranche >= 0) {
      name = "balance/" + company.tranches[static_cast<std::size_t>(series.tranche)].id;
      unit = unit_of(kDebt);
    } else {
      name = key_of(series.measure);
      unit = unit_of(series.measure);
    }
    for (std::size_t t = 0; t < series.months.size(); ++t) {
      const Band& band = series.months[t];
      if (band.paths == 0) continue;
      Line line;
      line.text(name).text(unit).text(month_label(company, static_cast<std::int32_t>(t) + 1));
      line.figure(band.plan).figure(band.mean);
      band_figures(line, band);
      line.end(out);
    }
  }
  return out;
}

std::string results_csv(const std::vector<Figure>& figures) {
  std::string out = "figure,value,low,high,standard_error,unit,words\n";
  for (const std::string& part :
       in_parts<std::string>(figures.size(), [&](std::size_t first, std::size_t last) {
         std::string text;
         for (std::size_t i = first; i < last; ++i) {
           const Figure& f = figures[i];
           Line line;
           line.text(f.name).figure(f.value).figure(f.low).figure(f.high).figure(f.standard_error);
           line.text(f.unit).text(f.words).end(text);
         }
         return text;
       })) {
    out += part;
  }
  return out;
}

}  // namespace headroom::report
