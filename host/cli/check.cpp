// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "host/cli/options.hpp"
#include "host/report/report.hpp"

namespace headroom::cli {

namespace {

Usage check_usage() {
  Usage usage;
  usage.command = "check";
  usage.argument = "CONFIG";
  usage.about =
      "Reads CONFIG and says everything that is wrong with it at once, each with file, line, column and "
      "remedy;\n"
      "where nothing is, what was read from it, so that a silent zero is seen.\n";
  add_config_options(usage);
  usage.examples = "  headroom check configs/demo.toml\n";
  return usage;
}

}  // namespace

int check_command(const Arguments& arguments) {
  const auto options = parse(check_usage(), arguments);
  if (!options) return kOk;
  const Company company = load(*options);
  fmt::print("{}", report::check_text(company, company.data.view()));
  return kOk;
}

}  // namespace headroom::cli
