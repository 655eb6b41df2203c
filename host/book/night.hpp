// SPDX-License-Identifier: Apache-2.0
// A night: the entries of a book, run one after another, each as a program of its own, so that one that fails
// takes no other with it. NIGHTS/<date>/<company>/<scenario>/ is a result folder like any other; night.json
// says how far the night is, and NIGHTS/latest is moved to it when it is whole.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "host/book/book.hpp"

namespace headroom::book {

enum class State { pending, finished, cut, failed, dropped };  // cut: at the end of its time, with fewer paths
const char* word_of(State state);

struct Headline {
  double value = 0, standard_error = 0;  // NaN: there is none
  std::string unit{};                    // as in results.csv
};

struct Outcome {
  State state = State::pending;
  int code = 0;               // of headroom run
  std::string told{};         // the first line of what it said, if it failed
  std::string config_hash{};  // of what was run
  double seconds = 0;
  bool again = false;                // it was finished already when the night went on
  std::vector<std::string> gates{};  // a line each
  std::map<std::string, Headline> headlines{};
};

struct Night {
  std::string id{};  // 2026-11-27; a second one of that day: 2026-11-27-2
  bool whole = false;
  std::vector<Outcome> outcomes{};  // of the book's entries
};

struct NightOptions {
  std::string program{};            // this program
  std::vector<std::string> more{};  // options of every headroom run
  bool anew = false;                // do not go on with an unfinished night
  std::function<void(const std::string& line)> tell{};
  const std::atomic<bool>* stop = nullptr;
};

// Runs the book, or goes on with the night that was left unfinished less than 20 hours ago. Writes pages,
// history and the link `latest` if all entries are finished, cut, failed or dropped. Throws
// report::OutputError, also if another program works on these nights.
Night run_night(const Book& book, const std::filesystem::path& nights, const NightOptions& options);

// What failed or is undecided decides: see `headroom book --help`.
int exit_code(const Night& night);

// ---- For night.cpp: pages.cpp and history.cpp ----

// The outcomes of an earlier night, by company/scenario and figure; empty if there is none.
struct Before {
  std::string night{};
  std::map<std::string, std::map<std::string, Headline>> headlines{};
  std::map<std::string, std::string> config_hash{};
};

// history.sqlite, table `runs`: night, company, scenario, state, exit_code, config_hash, version, commit_id,
// paths, seed, seconds; table `figures`: night, company, scenario, figure, value, standard_error, unit. One row
// a run, and one a figure of a run. Writing a night again replaces its rows. Throws report::OutputError.
void write_history(const std::filesystem::path& nights, const Book& book, const Night& night);
Before last_night(const std::filesystem::path& nights, const std::string& but);
// A figure over the nights, oldest first, at most the last 30.
std::vector<double> trend(const std::filesystem::path& nights, const Entry& entry, const std::string& figure);

std::string index_html(const Book& book, const Night& night, const Before& before,
                       const std::filesystem::path& nights);
std::string mail_text(const Book& book, const Night& night, const Before& before,
                      const std::filesystem::path& nights);

}  // namespace headroom::book
