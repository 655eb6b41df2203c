// SPDX-License-Identifier: Apache-2.0
// Reads options; holds what several commands share.
#pragma once

#include <boost/program_options.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/cli/cli.hpp"
#include "host/config/company.hpp"
#include "host/run/run.hpp"
#include "host/study/gates.hpp"

namespace headroom::cli {

namespace po = boost::program_options;

// A command's usage line, its options, and an example.
struct Usage {
  std::string command;      // run
  std::string argument;     // CONFIG, or nothing
  bool more_files = false;  // files after the config
  bool folders = false;     // it takes folders, one or several, in place of a config
  std::string about;        // printed under the usage line
  std::string examples;     // printed last
  po::options_description options{"Options", 100};
};

// Options of every command that reads a config.
void add_config_options(Usage& usage);

// Options of every command that runs paths: paths, seed, backend, progress.
void add_run_options(Usage& usage);
struct RunOptions {
  Request request{};
  std::string backend{};
  bool quiet = false;
  int progress_seconds = 0;
};
RunOptions read_run_options(const po::variables_map& options);  // throws UsageError

// --gate, --gates-json, --gates-junit.
void add_gate_options(Usage& usage);
std::vector<study::Gate> read_gates(const po::variables_map& options);  // throws UsageError
// Before any path is run. Throws UsageError for a limit that the figure cannot have, and UnknownFigure.
void try_gates(const std::vector<study::Gate>& gates, const Company& company);
// Prints a line each and writes the files. Returns kOk, kGateFailed or kGateUndecided.
int tell_gates(const std::vector<study::Judgement>& judgements, const po::variables_map& options);

// Values of an option that may be repeated.
std::vector<std::string> list_of(const po::variables_map& options, const char* name);
// One of a few words. Throws UsageError with the nearest one.
std::string parse_word(const po::variables_map& options, const char* name,
                       const std::vector<std::string>& words,
                       const std::vector<std::pair<std::string, std::string>>& other_names = {});

// Parses. For --help it prints the help and returns nothing. Throws UsageError, which suggests the nearest
// option for a misspelt one.
std::optional<po::variables_map> parse(const Usage& usage, const Arguments& arguments);

// The config of the parsed config options, and the horizon of --months.
config::Sources sources_of(const po::variables_map& options);
std::optional<int> months_of(const po::variables_map& options);
// What a study, a stress table or a goal seek starts from.
study::Base base_of(const po::variables_map& options);
// Loads the company of the parsed config options. Throws config::ConfigError; with --strict also for warnings.
Company load(const po::variables_map& options);
// Says on standard error how many numbers look like a slip of a unit, if any do.
void say_warnings(const Company& company, const po::variables_map& options);

// 1000000, 1e6, 1M, 250k, 1_000_000: a whole number from 1 to 2^33 - 1 (parse_paths), or up to 2^64 - 1
// (parse_seed). A whole number between two bounds (parse_count). The error, UsageError, names `option`.
std::uint64_t parse_paths(std::string_view option, std::string_view text);
std::uint64_t parse_seed(std::string_view option, std::string_view text);
int parse_count(std::string_view option, std::string_view text, int least, int most);
// Patterns of figure names, separated by commas. Throws UsageError if there are none.
std::vector<std::string> parse_patterns(std::string_view text);
// The arguments of a command that takes folders. Throws UsageError if there are none.
std::vector<std::string> parse_folders(const Usage& usage, const po::variables_map& options);
// --backend and --isa: one of a few words. A path that must not be empty. All throw UsageError.
std::string parse_backend(const po::variables_map& options);
std::string parse_isa(const po::variables_map& options);
std::string parse_path(const po::variables_map& options, const char* name);  // "" if not given

}  // namespace headroom::cli
