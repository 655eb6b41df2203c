// SPDX-License-Identifier: Apache-2.0
#include "host/report/reasons.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "host/config/printable.hpp"
#include "host/report/format.hpp"

namespace headroom::report {

namespace {

constexpr std::size_t kMostObjects = 8;
constexpr std::size_t kMostStorylines = 8;

std::string share(const Probability& p) {
  return p.of == 0 ? "-" : fmt::format("{}%  ({})", percent(p), percent_interval(p));
}

bool matters(const Reason& reason) { return reason.goes_away.count > 0 || reason.alone.count > 0; }

void add_rows(Table& table, const std::vector<Cause>& factors, std::vector<Reason> reasons, std::size_t most) {
  std::erase_if(reasons, [](const Reason& reason) { return !matters(reason); });
  std::stable_sort(reasons.begin(), reasons.end(), [](const Reason& a, const Reason& b) {
    return a.goes_away.count + a.alone.count > b.goes_away.count + b.alone.count;
  });
  reasons.resize(std::min(reasons.size(), most));
  for (const Reason& reason : reasons) {
    const Cause& factor = factors[reason.factor];
    table.row({shortened(factor.words, 36), share(reason.goes_away), share(reason.alone), factor.id});
  }
}

std::string event_text(const WhyReport& report, const EventReasons& reasons, const std::string& target) {
  const std::uint64_t sample = reasons.storylines.empty() ? 0 : reasons.storylines.front().weight.of;
  std::string text =
      fmt::format("{} ({}): {}% of {} paths ({})", config::printable(reasons.event.words), reasons.event.id,
                  percent(reasons.probability), number(static_cast<double>(report.looked_through), 0),
                  percent_interval(reasons.probability));
  if (sample == 0) return text + "; on none of them, so nothing is to be explained\n\n";
  text += fmt::format("; {} of these paths rolled again\n", number(static_cast<double>(sample), 0));
  if (reasons.in_plan) text += "  The plan itself does it, so no factor is needed; what makes it go away:\n";

  Table table(3);
  table.row({"factor", "goes away on plan", "happens with it alone", "id"});
  table.rule();
  add_rows(table, report.groups, reasons.groups, reasons.groups.size());
  text += table.text();
  Table objects(3);
  objects.row({"site or customer", "goes away on plan", "happens with it alone", "id"});
  objects.rule();
  add_rows(objects, report.objects, reasons.objects, kMostObjects);
  if (std::any_of(reasons.objects.begin(), reasons.objects.end(), matters)) text += "\n" + objects.text();

  text += "\n  Storylines (the smallest sets of factors that suffice):\n";
  std::uint64_t rest = 0;
  for (std::size_t k = 0; k < reasons.storylines.size(); ++k) {
    const Storyline& line = reasons.storylines[k];
    if (k >= kMostStorylines) {
      rest += line.weight.count;
      continue;
    }
    text += fmt::format("  {:>16}  {}; path {}\n", share(line.weight), storyline_words(report.groups, line),
                        line.path);
  }
  if (rest > 0) {
    text += fmt::format("  {:>16}  {} other storylines\n", share(wilson(rest, sample)),
                        reasons.storylines.size() - kMostStorylines);
  }
  return text +
         fmt::format("  To see one: headroom replay {} --path {}\n\n", target, reasons.storylines.front().path);
}

}  // namespace

std::string set_words(const std::vector<Cause>& groups, CauseSet set) {
  std::vector<std::string> words;
  for (std::size_t f = 0; f < groups.size(); ++f) {
    if ((set >> f & 1U) != 0) words.push_back(groups[f].words);
  }
  return fmt::format("{}", fmt::join(words, " with "));
}

std::string storyline_words(const std::vector<Cause>& groups, const Storyline& line) {
  if (line.sets.empty()) return fmt::format("more than {} factors together", kMostTogether);
  if (line.sets == std::vector<CauseSet>{0}) return "the plan itself";
  std::vector<std::string> words;
  for (const CauseSet set : line.sets) words.push_back(set_words(groups, set));
  const bool alone = (line.sets.front() & (line.sets.front() - 1)) == 0;
  if (words.size() == 1) return words.front() + (alone ? " alone" : ", together");
  return fmt::format("{}: {}", words.size() == 2 ? "either suffices" : "any one suffices",
                     fmt::join(words, "; or "));
}

std::string reasons_text(const Company& company, const WhyReport& report, const std::string& target) {
  std::string text = fmt::format(
      "{}: why, from {} paths of seed {}, of which {} were rolled again in other worlds ({} rolls, {:.1f} s)\n"
      "  \"on plan\": the factor follows the plan and all else is as in the run; \"alone\": the other way "
      "round\n\n",
      config::printable(company.name), number(static_cast<double>(report.looked_through), 0), report.seed,
      number(static_cast<double>(report.sampled), 0), number(static_cast<double>(report.rolled), 0),
      report.seconds);
  for (const EventReasons& reasons : report.events) text += event_text(report, reasons, target);
  return text;
}

std::string path_reasons_text(const WhyReport& report, std::uint64_t path, const std::string& target) {
  std::string text;
  for (const EventReasons& reasons : report.events) {
    if (reasons.storylines.empty()) continue;
    text += fmt::format("{} ({})\n", config::printable(reasons.event.words), reasons.event.id);
    const auto list = [&](const char* before, const std::vector<Cause>& factors,
                          const std::vector<Reason>& each, auto&& holds) {
      std::vector<std::string> words;
      for (const Reason& reason : each) {
        if (holds(reason)) words.push_back(config::printable(factors[reason.factor].words));
      }
      if (!words.empty()) text += fmt::format("  {}: {}\n", before, fmt::join(words, "; "));
    };
    const auto away = [](const Reason& reason) { return reason.goes_away.count > 0; };
    const auto alone = [](const Reason& reason) { return reason.alone.count > 0; };
    list("goes away with this on plan", report.groups, reasons.groups, away);
    list("goes away with this on plan", report.objects, reasons.objects, away);
    list("happens with this alone", report.groups, reasons.groups, alone);
    list("happens with this alone", report.objects, reasons.objects, alone);
    text += fmt::format("  smallest sets: {}\n\n", storyline_words(report.groups, reasons.storylines.front()));
  }
  if (text.empty()) return fmt::format("Path {} of seed {} has no breach and no default.\n", path, report.seed);
  return fmt::format("Path {} of seed {}\n\n{}To see it: headroom replay {} --path {}\n", path, report.seed,
                     text, target, path);
}

}  // namespace headroom::report
