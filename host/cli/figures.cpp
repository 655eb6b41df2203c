// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <string>
#include <vector>

#include "host/cli/options.hpp"
#include "host/cli/streams.hpp"
#include "host/figures/catalogue.hpp"
#include "host/report/report.hpp"

namespace headroom::cli {

namespace {

Usage figures_usage() {
  Usage usage;
  usage.command = "figures";
  usage.argument = "CONFIG";
  usage.about =
      "Lists the figures that a run of CONFIG can give: name, unit and words. In a pattern, * matches any\n"
      "text and ? any one character. A run observes figures by month only with --out or if --figures\n"
      "names them; it always observes all others.\n";
  usage.options.add_options()("figures", po::value<std::string>()->value_name("PATTERNS"),
                              "only names that match: 'breach.*.24m,fcf.*'");
  add_config_options(usage);
  usage.examples =
      "  headroom figures configs/demo.toml --figures 'fcf.total.*'\n"
      "  headroom figures configs/coreweave-1q26.toml --figures 'breach.*.24m,customer.openai.*'\n";
  return usage;
}

}  // namespace

int figures_command(const Arguments& arguments) {
  const auto options = parse(figures_usage(), arguments);
  if (!options) return kOk;
  std::vector<std::string> patterns;
  if (options->count("figures") != 0) patterns = parse_patterns((*options)["figures"].as<std::string>());
  const Company company = load(*options);
  const Scenario scenario = company.data.view();
  const Catalogue all = catalogue(company, scenario);
  if (const auto unknown = unmatched(all, scenario, patterns); !unknown.empty())
    throw UsageError(fmt::format("{} names no figure of {}; leave --figures out to see all names",
                                 unknown.front(), company.name));
  show(report::figure_names(
      figures_of(all, select_figures(all, scenario, {}), blank_report(scenario, {}), patterns)));
  return kOk;
}

}  // namespace headroom::cli
