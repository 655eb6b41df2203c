// SPDX-License-Identifier: Apache-2.0
// The index page and the mail of a night.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "host/book/night.hpp"
#include "host/config/company.hpp"
#include "host/replay/stored_run.hpp"
#include "host/report/format.hpp"
#include "host/study/walk.hpp"

namespace headroom::book {

namespace {

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

// To the digits that its error supports.
std::string number_text(const Headline& h) {
  const bool share = h.unit == "probability";
  const double scale = share ? 100 : 1;
  return report::supported(scale * h.value, scale * h.standard_error, share ? 1 : 0) + (share ? "%" : "");
}

struct Move {
  std::string entry{}, figure{};
  Headline before{}, now{};
  double errors = 0;  // the change, in standard errors of the difference of two independent runs
};

// Largest first. On the same draws two runs of one config do not differ at all.
std::vector<Move> moves_of(const Book& book, const Night& night, const Before& before) {
  std::vector<Move> moves;
  for (std::size_t i = 0; i < book.entries.size(); ++i) {
    const auto old = before.headlines.find(book.entries[i].name());
    if (old == before.headlines.end()) continue;
    for (const auto& [figure, now] : night.outcomes[i].headlines) {
      const auto was = old->second.find(figure);
      if (was == old->second.end() || std::isnan(now.value) || std::isnan(was->second.value)) continue;
      const double change = now.value - was->second.value;
      const double error = std::hypot(now.standard_error, was->second.standard_error);
      if (change == 0) continue;
      moves.push_back(
          {book.entries[i].name(), figure, was->second, now, error > 0 ? std::abs(change) / error : HUGE_VAL});
    }
  }
  std::stable_sort(moves.begin(), moves.end(),
                   [](const Move& a, const Move& b) { return a.errors > b.errors; });
  return moves;
}

// The keys whose written values differ between two nights' folders of one entry: a line each.
std::vector<std::string> changed_keys(const std::filesystem::path& old, const std::filesystem::path& now) {
  std::vector<std::string> lines;
  try {
    for (const study::Change& change : study::changes_between(load_stored_company(read_stored_run(old)),
                                                              load_stored_company(read_stored_run(now))))
      lines.push_back(study::text_of(change));
  } catch (const std::runtime_error&) {
    lines = {"the folder of one of the two nights is gone or cannot be read"};
  }
  return lines;
}

// A change that several scenarios of a company share is told once.
std::vector<std::string> input_changes(const Book& book, const Night& night, const Before& before,
                                       const std::filesystem::path& nights) {
  std::vector<std::pair<std::string, std::vector<std::string>>> changes;  // company and line; its scenarios
  for (std::size_t i = 0; i < book.entries.size(); ++i) {
    const Entry& e = book.entries[i];
    const auto old = before.config_hash.find(e.name());
    if (old == before.config_hash.end() || old->second == night.outcomes[i].config_hash) continue;
    for (const std::string& line : changed_keys(nights / before.night / e.company / e.scenario,
                                                nights / night.id / e.company / e.scenario)) {
      const std::string told = e.company + ": " + line;
      auto found = std::find_if(changes.begin(), changes.end(), [&](const auto& c) { return c.first == told; });
      if (found == changes.end()) found = changes.insert(changes.end(), {told, {}});
      found->second.push_back(e.scenario);
    }
  }
  constexpr std::size_t kShown = 20;
  std::vector<std::string> lines;
  for (std::size_t k = 0; k < std::min(changes.size(), kShown); ++k) {
    const auto& [line, scenarios] = changes[k];
    lines.push_back(scenarios.size() == 1
                        ? fmt::format("{} (in {})", line, scenarios[0])
                        : fmt::format("{} (in {} and {} more)", line, scenarios[0], scenarios.size() - 1));
  }
  if (changes.size() > kShown) lines.push_back(fmt::format("and {} more", changes.size() - kShown));
  return lines;
}

// A sign beside the colour.
struct Sign {
  const char *name, *sign;
};
Sign gates_sign(const Outcome& o) {
  if (o.gates.empty()) return {"none", "no gates"};
  if (o.code == 10) return {"failed", "&#10007; failed"};
  if (o.code == 11) return {"undecided", "? undecided"};
  return o.code == 0 ? Sign{"passed", "&#10003; passed"} : Sign{"none", "-"};
}

std::string sparkline(const std::vector<double>& values) {
  std::vector<double> known;
  std::copy_if(values.begin(), values.end(), std::back_inserter(known),
               [](double v) { return !std::isnan(v); });
  if (known.size() < 2) return "";
  const auto [low, high] = std::minmax_element(known.begin(), known.end());
  std::string points;
  for (std::size_t i = 0; i < known.size(); ++i) {
    const double x = 58.0 * static_cast<double>(i) / static_cast<double>(known.size() - 1) + 1;
    const double y = *high > *low ? 15 - 14 * (known[i] - *low) / (*high - *low) : 8;
    points += fmt::format("{:.1f},{:.1f} ", x, y);
  }
  return fmt::format(
      "<svg width=\"60\" height=\"16\" role=\"img\" aria-label=\"last {} nights\"><polyline "
      "fill=\"none\" stroke=\"currentColor\" points=\"{}\"/></svg>",
      known.size(), points);
}

std::string tally(const Night& night) {
  std::string text;
  for (const State state : {State::finished, State::cut, State::failed, State::dropped}) {
    const auto count = std::count_if(night.outcomes.begin(), night.outcomes.end(),
                                     [&](const Outcome& o) { return o.state == state; });
    if (count > 0) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, word_of(state));
  }
  return text;
}

std::string change_text(const Move& m) {
  return fmt::format("{} to {} ({})", number_text(m.before), number_text(m.now),
                     std::isinf(m.errors) ? "no error known" : fmt::format("{:.1f} standard errors", m.errors));
}

constexpr const char* kStyle =
    ":root{color-scheme:light dark;--line:#8885;--good:#1a7f37;--bad:#c62828;--open:#9a6700}"
    "@media(prefers-color-scheme:dark){:root{--good:#57d37a;--bad:#ff7b72;--open:#e3b341}}"
    "body{font:15px/1.45 system-ui,sans-serif;max-width:100rem;margin:1.5rem auto;padding:0 1rem}"
    "h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}.wide{overflow-x:auto}"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
    "th,td{padding:.3rem .7rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}"
    "th:first-child,td:first-child,.l{text-align:left}.passed{color:var(--good)}.failed,.dropped{color:var(--"
    "bad)}"
    ".undecided,.cut{color:var(--open)}svg{vertical-align:middle;margin-left:.4rem;opacity:.7}"
    "@media print{body{font-size:10px;margin:0}}";

}  // namespace

std::string index_html(const Book& book, const Night& night, const Before& before,
                       const std::filesystem::path& nights) {
  std::string html = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\"><title>{0}, "
      "{1}</title><style>{2}</style></head>\n<body>\n"
      "<h1>{0}, night of {1}</h1>\n<p>{3}. {4}</p>\n",
      escaped(book.name), night.id, kStyle, tally(night),
      before.night.empty() ? "The first night of this book."
                           : fmt::format("Compared with the night of {}.", before.night));
  html +=
      "<h2>Companies and scenarios</h2>\n<div class=\"wide\"><table><thead><tr><th>entry</th><th "
      "class=\"l\">state</th><th class=\"l\">gates</th>";
  for (const std::string& each : book.headlines) html += fmt::format("<th>{}</th>", escaped(each));
  html += "<th class=\"l\">files</th></tr></thead>\n<tbody>\n";
  std::vector<std::size_t> order(book.entries.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return book.entries[a].company < book.entries[b].company;
  });
  for (const std::size_t i : order) {
    const Entry& e = book.entries[i];
    const Outcome& o = night.outcomes[i];
    const Sign sign = gates_sign(o);
    html += fmt::format("<tr><td>{}</td><td class=\"l {}\">{}{}</td><td class=\"l {}\">{}</td>", e.name(),
                        word_of(o.state), word_of(o.state),
                        o.told.empty() ? "" : ": " + escaped(o.told.substr(0, 80)), sign.name, sign.sign);
    for (const std::string& each : book.headlines) {
      const auto found = o.headlines.find(each);
      html += found == o.headlines.end()
                  ? "<td>-</td>"
                  : fmt::format("<td>{}{}</td>", number_text(found->second), sparkline(trend(nights, e, each)));
    }
    html += fmt::format(
        "<td class=\"l\"><a href=\"{0}/{1}/\">results</a> <a href=\"{0}/{1}.txt\">text</a>{2}</td></tr>\n",
        e.company, e.scenario,
        e.why ? fmt::format(" <a href=\"{}/{}.why.txt\">why</a>", e.company, e.scenario) : "");
  }
  html += "</tbody></table></div>\n";
  html += "<p>Probabilities in %, money in USD million. The line beside a figure is its last 30 nights.</p>\n";

  if (!before.night.empty()) {
    html += "<h2>What moved most</h2>\n";
    const std::vector<Move> moves = moves_of(book, night, before);
    if (moves.empty()) {
      html += "<p>No headline figure moved.</p>\n";
    } else {
      html +=
          "<div class=\"wide\"><table><thead><tr><th>entry</th><th class=\"l\">figure</th><th "
          "class=\"l\">change</th></tr></thead><tbody>\n";
      for (std::size_t k = 0; k < std::min<std::size_t>(moves.size(), 15); ++k) {
        html += fmt::format("<tr><td>{}</td><td class=\"l\">{}</td><td class=\"l\">{}</td></tr>\n",
                            moves[k].entry, escaped(moves[k].figure), change_text(moves[k]));
      }
      html += "</tbody></table></div>\n";
    }
    html += "<h2>Inputs that changed</h2>\n";
    const std::vector<std::string> changes = input_changes(book, night, before, nights);
    html += changes.empty() ? "<p>None.</p>\n" : "<ul>\n";
    for (const std::string& each : changes) html += fmt::format("<li>{}</li>\n", escaped(each));
    if (!changes.empty()) html += "</ul>\n";
  }

  html += "<h2>Gates</h2>\n<ul>\n";
  bool some = false;
  for (const std::size_t i : order) {
    for (const std::string& each : night.outcomes[i].gates) {
      html += fmt::format("<li class=\"{}\">{}: {}</li>\n", each.substr(0, each.find(':')),
                          book.entries[i].name(), escaped(each));
      some = true;
    }
  }
  html += some ? "</ul>\n" : "<li>none</li></ul>\n";
  return html + "</body></html>\n";
}

std::string mail_text(const Book& book, const Night& night, const Before& before,
                      const std::filesystem::path& nights) {
  std::string text = fmt::format("{}, night of {}: {}\n\n", book.name, night.id, tally(night));
  for (std::size_t i = 0; i < book.entries.size(); ++i) {
    const Outcome& o = night.outcomes[i];
    const char* mark = o.state == State::failed || o.code == 10 ? "!" : o.state == State::finished ? " " : "?";
    text += fmt::format("{} {:<32} {:<9}", mark, book.entries[i].name(), word_of(o.state));
    int shown = 0;
    for (const std::string& each : book.headlines) {
      const auto found = o.headlines.find(each);
      if (found != o.headlines.end() && shown++ < 3)
        text += fmt::format("  {} {}", each, number_text(found->second));
    }
    text += o.told.empty() ? "\n" : fmt::format("  {}\n", o.told);
    for (const std::string& each : o.gates) {
      if (!each.starts_with("passed")) text += fmt::format("    gate {}\n", each);
    }
  }
  if (!before.night.empty()) {
    const std::vector<Move> moves = moves_of(book, night, before);
    text += fmt::format("\nSince the night of {}:\n", before.night);
    if (moves.empty()) text += "  no headline figure moved\n";
    for (std::size_t k = 0; k < std::min<std::size_t>(moves.size(), 5); ++k)
      text += fmt::format("  {} {}: {}\n", moves[k].entry, moves[k].figure, change_text(moves[k]));
    for (const std::string& each : input_changes(book, night, before, nights))
      text += fmt::format("  {}\n", each);
  }
  return text;
}

}  // namespace headroom::book
