// SPDX-License-Identifier: Apache-2.0
#include "host/cli/options.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <strings.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <limits>
#include <sstream>
#include <stdexcept>

#include "host/cli/interrupt.hpp"
#include "host/cli/streams.hpp"
#include "host/config/problems.hpp"
#include "host/report/files.hpp"
#include "host/warn/trial.hpp"
#include "host/warn/warnings.hpp"

namespace headroom::cli {

namespace {

std::string usage_text(const Usage& usage) {
  std::ostringstream text;
  text << "Usage: headroom " << usage.command << (usage.argument.empty() ? "" : " " + usage.argument)
       << " [options]\n\n"
       << usage.about << "\n"
       << usage.options << "\n";
  if (!usage.examples.empty()) text << "Examples:\n" << usage.examples << "\n";
  text << kExitCodes;
  return text.str();
}

std::string see_help(const Usage& usage) { return fmt::format("see headroom {} --help", usage.command); }

[[noreturn]] void unknown_option(const Usage& usage, std::string name) {
  std::vector<std::string> names;
  for (const auto& option : usage.options.options()) {
    if (!option->long_name().empty()) names.push_back("--" + option->long_name());
  }
  name = name.substr(0, name.find('='));
  const auto nearest = config::nearest(name, names);
  throw UsageError(fmt::format("headroom {} has no option '{}'; {}", usage.command, name,
                               nearest ? fmt::format("did you mean {}?", *nearest) : see_help(usage)));
}

void check_config_argument(const Usage& usage, const po::variables_map& options) {
  if (usage.argument.empty() || usage.folders) return;
  if (options.count("config") == 0) {
    throw UsageError(fmt::format("headroom {} needs a config file, such as configs/demo.toml; {}",
                                 usage.command, see_help(usage)));
  }
  const auto files = options["config"].as<std::vector<std::string>>();
  if (files.size() > 1 && !usage.more_files) {
    throw UsageError(
        fmt::format("headroom {} takes one config file, and '{}' is one too many; to merge a file over "
                    "another, use --overlay",
                    usage.command, files[1]));
  }
}

}  // namespace

std::string parse_word(const po::variables_map& options, const char* name,
                       const std::vector<std::string>& words,
                       const std::vector<std::pair<std::string, std::string>>& other_names) {
  std::string given = options[name].as<std::string>();
  if (std::find(words.begin(), words.end(), given) != words.end()) return given;
  auto nearest = config::nearest(given, words);
  for (const auto& [other, word] : other_names) {
    if (strcasecmp(given.c_str(), other.c_str()) == 0) nearest = word;
  }
  throw UsageError(fmt::format("--{} '{}' is not one of {}{}", name, given, fmt::join(words, ", "),
                               nearest ? fmt::format("; did you mean {}?", *nearest) : ""));
}

std::vector<std::string> list_of(const po::variables_map& options, const char* name) {
  return options.count(name) == 0 ? std::vector<std::string>{} : options[name].as<std::vector<std::string>>();
}

void add_run_options(Usage& usage) {
  auto add = usage.options.add_options();
  add("paths", po::value<std::string>()->default_value("100k")->value_name("N"),
      "number of paths: 1000000, 1e6, 1M, 250k");
  add("exact-paths", po::value<std::string>()->default_value(std::to_string(kExactPaths))->value_name("N"),
      "with up to N paths every quantile is exact (4 bytes per path and figure); with more, quantiles come "
      "from histograms, and the output states their resolution");
  add("seed", po::value<std::string>()->default_value("1")->value_name("S"), "seed of the random numbers");
  add("first-path", po::value<std::string>()->default_value("0")->value_name("P"),
      "index of the first path, to repeat part of a larger run or a single path");
  add("backend", po::value<std::string>()->default_value("auto")->value_name("B"),
      "auto (a CUDA card if one is available, else the CPU), cpu or cuda");
  add("threads", po::value<std::string>()->default_value("0")->value_name("K"),
      "CPU threads; 0: one for each core that the process may use");
  add("isa", po::value<std::string>()->default_value("auto")->value_name("I"),
      "CPU instruction set: auto (the best of this processor), baseline, avx2 or avx512");
  add("quiet", "no progress on standard error");
  add("progress-seconds", po::value<std::string>()->default_value("30")->value_name("S"),
      "where standard error is not a terminal: a line of progress every S seconds");
}

RunOptions read_run_options(const po::variables_map& options) {
  RunOptions read;
  Request& request = read.request;
  request.paths = {parse_seed("seed", options["seed"].as<std::string>()),
                   parse_seed("first-path", options["first-path"].as<std::string>()),
                   parse_paths("paths", options["paths"].as<std::string>())};
  request.exact_paths = parse_paths("exact-paths", options["exact-paths"].as<std::string>());
  if (request.paths.first > std::numeric_limits<std::uint64_t>::max() - request.paths.count) {
    throw UsageError("--first-path and --paths together go beyond path 2^64 - 1; start lower");
  }
  request.threads = parse_count("threads", options["threads"].as<std::string>(), 0, 4096);
  read.backend = parse_backend(options);
  request.isa = parse_isa(options);
  if (options.count("figures") != 0) request.figures = parse_patterns(options["figures"].as<std::string>());
  read.quiet = options.count("quiet") != 0;
  read.progress_seconds =
      parse_count("progress-seconds", options["progress-seconds"].as<std::string>(), 1, 86400);
  request.stop = &stop_asked;
  return read;
}

void add_gate_options(Usage& usage) {
  auto add = usage.options.add_options();
  add("gate", po::value<std::vector<std::string>>()->value_name("GATE"),
      "what must hold, 'FIGURE <= 2% @95' or >=: exit 0 if it holds on the whole interval at that confidence, "
      "10 if on none of it, 11 if the limit is inside; may be repeated");
  add("gates-json", po::value<std::string>()->value_name("FILE"), "write the gates' verdicts as JSON");
  add("gates-junit", po::value<std::string>()->value_name("FILE"), "write them as JUnit XML, for a CI system");
}

std::vector<study::Gate> read_gates(const po::variables_map& options) {
  std::vector<study::Gate> gates;
  try {
    for (const std::string& text : list_of(options, "gate")) gates.push_back(study::parse_gate(text));
  } catch (const std::invalid_argument& error) {
    throw UsageError(error.what());
  }
  for (const char* name : {"gates-json", "gates-junit"}) {
    if (options.count(name) == 0) continue;  // solve has neither
    if (gates.empty()) throw UsageError(fmt::format("--{} needs a --gate; add one, or leave it out", name));
    report::prepare_file(parse_path(options, name));
  }
  return gates;
}

void try_gates(const std::vector<study::Gate>& gates, const Company& company) {
  try {
    study::check_gates(gates, company);
  } catch (const std::invalid_argument& error) {
    throw UsageError(error.what());
  }
}

int tell_gates(const std::vector<study::Judgement>& judgements, const po::variables_map& options) {
  if (judgements.empty()) return kOk;
  std::string text = "\n";
  for (const study::Judgement& each : judgements) text += study::words(each) + "\n";
  show(text);
  if (options.count("gates-json") != 0)
    report::write_file(parse_path(options, "gates-json"), study::gates_json(judgements));
  if (options.count("gates-junit") != 0)
    report::write_file(parse_path(options, "gates-junit"), study::gates_junit(judgements));
  switch (study::worst(judgements)) {
    case study::Verdict::failed:
      return kGateFailed;
    case study::Verdict::undecided:
      return kGateUndecided;
    case study::Verdict::passed:
      break;
  }
  return kOk;
}

void add_config_options(Usage& usage) {
  auto add = usage.options.add_options();
  add("set", po::value<std::vector<std::string>>()->value_name("KEY=VALUE"),
      "replace one value of the config, for example --set site.vineland-1.gpus=50000; may be repeated");
  add("overlay", po::value<std::vector<std::string>>()->value_name("FILE"),
      "merge another TOML file over the config, for example a stress scenario; may be repeated, and later "
      "files win");
  add("months", po::value<std::string>()->value_name("T"),
      "horizon in months, 1 to 240; replaces the config's");
  add("strict", "refuse a config with a number that looks like a slip of a unit (headroom check warns of it)");
}

std::optional<po::variables_map> parse(const Usage& usage, const Arguments& arguments) {
  po::options_description all;
  all.add(usage.options);
  all.add_options()("help,h", "print this help")("config", po::value<std::vector<std::string>>());
  po::positional_options_description positional;
  if (!usage.argument.empty()) positional.add("config", -1);
  po::variables_map found;
  try {
    // No abbreviations: one that works today could mean another option after the next one is added.
    const int style = po::command_line_style::unix_style ^ po::command_line_style::allow_guessing;
    po::store(po::command_line_parser(arguments).options(all).positional(positional).style(style).run(), found);
    po::notify(found);
  } catch (const po::unknown_option& error) {
    unknown_option(usage, error.get_option_name());
  } catch (const po::too_many_positional_options_error&) {
    throw UsageError(fmt::format("headroom {} takes no file; {}", usage.command, see_help(usage)));
  } catch (const po::multiple_occurrences& error) {
    throw UsageError(fmt::format("{} is given more than once; keep one", error.get_option_name()));
  } catch (const po::error& error) {
    throw UsageError(fmt::format("{}; {}", error.what(), see_help(usage)));
  }
  if (found.count("help") != 0) {
    show(usage_text(usage));
    return {};
  }
  check_config_argument(usage, found);
  return found;
}

namespace {

template <class Integer>
std::optional<Integer> whole_number(std::string_view text) {
  Integer value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

// 1000000, 1e6, 1M, 250k, 1_000_000. With a suffix or exponent, up to 2^53: a double holds it exactly.
std::optional<std::uint64_t> whole_count(std::string_view text) {
  std::string digits;
  for (const char c : text) {
    if (c != '_') digits += c;
  }
  if (const auto value = whole_number<std::uint64_t>(digits)) return value;
  double factor = 1;
  for (const auto& [suffix, value] : {std::pair("kK", 1e3), {"M", 1e6}, {"G", 1e9}}) {
    if (!digits.empty() && std::string_view(suffix).find(digits.back()) != std::string_view::npos)
      factor = value;
  }
  if (factor > 1) digits.pop_back();
  const auto number = whole_number<double>(digits);
  if (!number) return {};
  const double value = *number * factor;
  if (!(value >= 0 && value <= 0x1p53) || value != std::floor(value)) return {};
  return static_cast<std::uint64_t>(value);
}

}  // namespace

config::Sources sources_of(const po::variables_map& options) {
  config::Sources sources;
  sources.file = options["config"].as<std::vector<std::string>>().front();
  sources.overlays = list_of(options, "overlay");
  sources.sets = list_of(options, "set");
  return sources;
}

std::optional<int> months_of(const po::variables_map& options) {
  if (options.count("months") == 0) return {};
  return parse_count("months", options["months"].as<std::string>(), 1, kMaxMonths);
}

Company load(const po::variables_map& options) {
  Company company = load_company(sources_of(options), months_of(options));
  try_company(company);
  if (options.count("strict") != 0) {
    if (const auto warnings = warnings_of(company); !warnings.empty()) throw config::ConfigError(warnings);
  }
  return company;
}

study::Base base_of(const po::variables_map& options) {
  study::Base base{sources_of(options), months_of(options), load(options)};
  base.sources.parsed = config::parsed_file(base.sources);
  return base;
}

void say_warnings(const Company& company, const po::variables_map& options) {
  const std::size_t count = warnings_of(company).size();
  if (count == 0) return;
  say(fmt::format("{} number{} of the config look{} like a slip of a unit; headroom check {} says which", count,
                  count == 1 ? "" : "s", count == 1 ? "s" : "",
                  options["config"].as<std::vector<std::string>>().front()));
}

std::uint64_t parse_paths(std::string_view option, std::string_view text) {
  constexpr std::uint64_t kMost = 8589934591;
  const auto paths = whole_count(text);
  if (!paths || *paths < 1 || *paths > kMost) {
    throw UsageError(
        fmt::format("--{} '{}' is not a whole number of at least 1 and below 2^33; "
                    "as in --{} 1000000, 1e6, 1M or 250k",
                    option, text, option));
  }
  return *paths;
}

std::uint64_t parse_seed(std::string_view option, std::string_view text) {
  const auto value = whole_count(text);
  if (!value) {
    throw UsageError(
        fmt::format("--{} '{}' is not a whole number from 0 to 2^64 - 1; as in --{} 1", option, text, option));
  }
  return *value;
}

int parse_count(std::string_view option, std::string_view text, int least, int most) {
  const auto value = whole_number<int>(text);
  if (!value || *value < least || *value > most) {
    throw UsageError(fmt::format("--{} '{}' is not a whole number from {} to {}", option, text, least, most));
  }
  return *value;
}

std::vector<std::string> parse_patterns(std::string_view text) {
  std::vector<std::string> patterns;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(','), text.size());
    if (end > 0) patterns.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  if (patterns.empty()) throw UsageError("--figures needs a name or a pattern, such as 'breach.*.24m'");
  return patterns;
}

std::vector<std::string> parse_folders(const Usage& usage, const po::variables_map& options) {
  if (options.count("config") == 0)
    throw UsageError(fmt::format("headroom {} needs a folder; {}", usage.command, see_help(usage)));
  return options["config"].as<std::vector<std::string>>();
}

std::string parse_backend(const po::variables_map& options) {
  return parse_word(options, "backend", {"auto", "cpu", "cuda"},
                    {{"gpu", "cuda"}, {"nvidia", "cuda"}, {"card", "cuda"}});
}

std::string parse_isa(const po::variables_map& options) {
  return parse_word(options, "isa", {"auto", "baseline", "avx2", "avx512"});
}

std::string parse_path(const po::variables_map& options, const char* name) {
  if (options.count(name) == 0) return "";
  std::string path = options[name].as<std::string>();
  if (path.empty()) throw UsageError(fmt::format("--{} is empty; give a path, or leave it out", name));
  return path;
}

}  // namespace headroom::cli
