// SPDX-License-Identifier: Apache-2.0
#include "host/cli/options.hpp"
#include "host/cli/streams.hpp"
#include "host/report/report.hpp"
#include "host/warn/warnings.hpp"

namespace headroom::cli {

namespace {

Usage check_usage() {
  Usage usage;
  usage.command = "check";
  usage.argument = "CONFIG";
  usage.about =
      "Reads CONFIG and lists all of its problems, each with file, line, column and remedy. If there are\n"
      "none, it prints the totals of what was read: a section that is missing by mistake shows as a zero.\n"
      "Last come warnings: numbers that look like a slip of a unit. With --strict they are problems.\n";
  usage.options.add_options()(
      "all", "also print every value, a line each, with where it comes from: file and line, default or --set");
  add_config_options(usage);
  usage.examples =
      "  headroom check configs/demo.toml\n"
      "  diff <(headroom check a.toml --all) <(headroom check b.toml --all)\n";
  return usage;
}

}  // namespace

int check_command(const Arguments& arguments) {
  const auto options = parse(check_usage(), arguments);
  if (!options) return kOk;
  const Company company = load(*options);
  show(report::check_text(company, company.data.view()));
  if (options->count("all") != 0) show("\n" + report::setting_lines(company));
  show(report::warning_lines(warnings_of(company)));
  return kOk;
}

}  // namespace headroom::cli
