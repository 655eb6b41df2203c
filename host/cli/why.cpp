// SPDX-License-Identifier: Apache-2.0
#include "host/why/why.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "host/cli/interrupt.hpp"
#include "host/cli/streams.hpp"
#include "host/cli/target.hpp"
#include "host/report/reasons.hpp"
#include "host/run/backend.hpp"

namespace headroom::cli {

namespace {

Usage why_usage() {
  Usage usage;
  usage.command = "why";
  usage.argument = "DIR|CONFIG";
  usage.about =
      "Says why covenants are breached and payments missed: the paths on which it happens are rolled again\n"
      "with one factor on plan (how many breaches go away?), with one factor alone (how many happen?), and\n"
      "with two and three together: the smallest sets that suffice are the storylines.\n";
  auto add = usage.options.add_options();
  add("covenant", po::value<std::string>()->value_name("ID"), "only the breach of this covenant");
  add("default", "only payment defaults of borrowers and the liquidity default of the parent");
  add("path", po::value<std::string>()->value_name("N"), "only this path, with all that happens on it");
  add("sample", po::value<std::string>()->default_value("20k")->value_name("N"),
      "paths rolled again, shared between the events; the intervals say what a sample costs");
  add("backend", po::value<std::string>()->default_value("auto")->value_name("B"), "auto, cpu or cuda");
  add("threads", po::value<std::string>()->default_value("0")->value_name("K"), "CPU threads; 0: all");
  add("isa", po::value<std::string>()->default_value("auto")->value_name("I"),
      "CPU instruction set: auto, baseline, avx2 or avx512");
  add_target_options(usage);
  usage.examples =
      "  headroom why results\n"
      "  headroom why results --covenant ddtl-4-dscr --sample 50k\n"
      "  headroom why configs/coreweave-1q26.toml --paths 250k --default\n"
      "  headroom why results --path 4711\n";
  return usage;
}

std::vector<std::size_t> events_asked(const po::variables_map& options, const std::vector<Event>& events) {
  std::vector<std::size_t> asked;
  const auto take = [&](auto&& wanted) {
    for (std::size_t e = 0; e < events.size(); ++e) {
      if (wanted(events[e])) asked.push_back(e);
    }
  };
  if (options.count("covenant") != 0) {
    const std::string id = options["covenant"].as<std::string>();
    take([&](const Event& event) { return event.kind == Event::Kind::covenant && event.id == id; });
    if (asked.empty()) {
      std::vector<std::string> ids;
      for (const Event& event : events) {
        if (event.kind == Event::Kind::covenant) ids.push_back(event.id);
      }
      throw UsageError(fmt::format("--covenant '{}' names no covenant of the company; it has {}", id,
                                   ids.empty() ? "none" : fmt::format("{}", fmt::join(ids, ", "))));
    }
  }
  if (options.count("default") != 0)
    take([](const Event& event) { return event.kind != Event::Kind::covenant; });
  return asked;
}

}  // namespace

int why_command(const Arguments& arguments) {
  const auto options = parse(why_usage(), arguments);
  if (!options) return kOk;
  WhyRequest request;
  request.sample = parse_paths("sample", (*options)["sample"].as<std::string>());
  request.threads = parse_count("threads", (*options)["threads"].as<std::string>(), 0, 4096);
  request.isa = parse_isa(*options);
  if (options->count("path") != 0) request.path = parse_seed("path", (*options)["path"].as<std::string>());
  const std::string backend = parse_backend(*options);
  const StopOnSignals guard(false);
  request.stop = &stop_asked;
  const Target target = load_target(*options);
  request.paths = target.paths;
  request.events = events_asked(*options, events_of(target.company));
  const Chosen chosen = choose_backend(backend, request.isa);
  try {
    const WhyReport report = headroom::why(target.company, *chosen.backend, request);
    show(request.path ? report::path_reasons_text(report, *request.path, target.given)
                      : report::reasons_text(target.company, report, target.given));
  } catch (const Interrupted&) {
    say("interrupted; nothing is known yet");
    return kInterrupted;
  }
  return kOk;
}

}  // namespace headroom::cli
