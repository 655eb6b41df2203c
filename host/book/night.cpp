// SPDX-License-Identifier: Apache-2.0
#include "host/book/night.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <csignal>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <system_error>
#include <thread>

#include "headroom_build.hpp"
#include "host/config/company.hpp"
#include "host/replay/stored_run.hpp"
#include "host/report/files.hpp"

namespace headroom::book {

namespace fs = std::filesystem;

namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::system_clock;
using Steady = std::chrono::steady_clock;  // no adjustment of the time of day ends a night early or late

constexpr std::chrono::hours kGoesOn{20};  // a night that was left unfinished longer ago is not tonight's
constexpr const char* kNight = "night.json";

std::string read(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::tm local(std::time_t time) {
  std::tm out{};
  localtime_r(&time, &out);
  return out;
}

std::string day_of(Clock::time_point now) {
  const std::tm day = local(Clock::to_time_t(now));
  return fmt::format("{:04}-{:02}-{:02}", day.tm_year + 1900, day.tm_mon + 1, day.tm_mday);
}

// One program at a time works on the nights. The lock ends with the process, however it ends.
class Lock {
 public:
  explicit Lock(const fs::path& nights) {
    const std::string file = (nights / ".lock").string();
    descriptor_ = open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor_ < 0) {
      throw report::OutputError(fmt::format("cannot write into '{}' ({}); give another --out", nights.string(),
                                            std::generic_category().message(errno)));
    }
    if (flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
      close(descriptor_);
      throw report::OutputError(fmt::format(
          "'{}' is in use by another headroom book; wait for it, or give another --out", nights.string()));
    }
  }
  ~Lock() { close(descriptor_); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  int descriptor_ = -1;
};

// ---- night.json ----

void write_night(const fs::path& folder, const Book& book, const Night& night, std::int64_t begun) {
  Json json;
  json["book"] = book.name;
  json["book_hash"] = book.hash;
  json["headroom"] = build::version;
  json["commit"] = build::commit;
  json["begun"] = begun;  // seconds of the epoch
  json["whole"] = night.whole;
  for (std::size_t i = 0; i < book.entries.size(); ++i) {
    const Outcome& outcome = night.outcomes[i];
    Json entry;
    entry["state"] = word_of(outcome.state);
    entry["exit_code"] = outcome.code;
    entry["config_hash"] = outcome.config_hash;
    entry["seconds"] = outcome.seconds;
    entry["gates"] = outcome.gates;
    if (!outcome.told.empty()) entry["told"] = outcome.told;
    json["entries"][book.entries[i].name()] = entry;
  }
  report::write_file(folder / kNight, json.dump(2) + "\n");
}

struct Stored {
  bool readable = false, whole = false;
  std::int64_t begun = 0;
};

Stored stored_night(const fs::path& folder) {
  const Json json = Json::parse(read(folder / kNight), nullptr, false);
  if (!json.is_object()) return {};
  return {true, json.value("whole", false), json.value("begun", std::int64_t{0})};
}

std::vector<fs::path> nights_in(const fs::path& nights) {
  std::vector<fs::path> found;
  for (const auto& each : fs::directory_iterator(nights)) {
    if (!each.is_symlink() && each.is_directory() && stored_night(each.path()).readable)
      found.push_back(each.path());
  }
  std::sort(found.begin(), found.end(), [](const fs::path& a, const fs::path& b) {
    return std::pair(stored_night(a).begun, a) < std::pair(stored_night(b).begun, b);
  });
  return found;
}

// ---- A program ----

int run_program(const std::vector<std::string>& words, const fs::path& out, const fs::path& err,
                const std::atomic<bool>* stop, std::optional<Steady::time_point> until, bool& cut) {
  std::vector<std::string> copy = words;
  std::vector<char*> pointers;
  pointers.reserve(copy.size() + 1);
  for (std::string& each : copy) pointers.push_back(each.data());
  pointers.push_back(nullptr);
  const pid_t self = getpid(), child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // a killed book leaves no run behind that holds its folder
    if (getppid() != self) _exit(127);
    const int output = open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666);
    const int error = open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666);
    dup2(output, STDOUT_FILENO);
    dup2(error, STDERR_FILENO);
    setpgid(0, 0);  // Ctrl-C comes through the book, once
    execv(pointers[0], pointers.data());
    _exit(127);
  }
  if (child < 0) throw report::OutputError("cannot start a program: the system has no room for it");
  bool asked = false;
  int status = 0;
  while (waitpid(child, &status, WNOHANG) == 0) {
    cut = cut || (until && Steady::now() > *until);
    if (!asked && ((stop != nullptr && stop->load()) || cut)) {
      kill(child, SIGTERM);
      asked = true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// ---- An entry ----

std::map<std::string, Headline> headlines_in(const fs::path& folder, const std::vector<std::string>& names) {
  std::map<std::string, Headline> found;
  std::istringstream in(read(folder / "results.csv"));
  for (std::string line; std::getline(in, line);) {
    std::vector<std::string> cells;
    std::istringstream words(line);
    for (std::string cell; cells.size() < 6 && std::getline(words, cell, ',');) cells.push_back(cell);
    if (cells.size() < 6 || std::find(names.begin(), names.end(), cells[0]) == names.end()) continue;
    const auto number = [](const std::string& text) {
      return text.empty() ? std::nan("") : std::strtod(text.c_str(), nullptr);
    };
    const double low = number(cells[2]), high = number(cells[3]), error = number(cells[4]);
    found[cells[0]] = {number(cells[1]), std::isnan(error) ? (high - low) / 3.92 : error, cells[5]};
  }
  return found;
}

std::string first_problem(const fs::path& log) {
  std::istringstream in(read(log));
  for (std::string line; std::getline(in, line);) {
    if (line.find("headroom: ") == 0 || line.find("): ") != line.npos || line.find("); ") != line.npos)
      return line;
  }
  return "it ended without a word";
}

// What a config says now; empty if it cannot be read.
std::string hash_of(const Entry& entry) {
  config::Sources sources{.file = entry.config.string()};
  for (const fs::path& each : entry.overlays) sources.overlays.push_back(each.string());
  try {
    return load_company(sources).hash;
  } catch (const config::ConfigError&) {
    return "";
  }
}

// Paths of the entry that its folder holds results of; 0 if they are of another config, seed or version.
std::uint64_t paths_in(const fs::path& folder, const Entry& entry, const std::string& hash) {
  try {
    const StoredRun run = read_stored_run(folder);
    const bool same = !hash.empty() && run.config_hash == hash && run.version == build::version &&
                      run.commit == build::commit && run.paths.seed == entry.seed && run.paths.first == 0;
    return same ? run.paths.count : 0;
  } catch (const StoredRunError&) {
    return 0;
  }
}

void read_gates(const fs::path& file, Outcome& outcome) {
  const Json json = Json::parse(read(file), nullptr, false);
  if (!json.is_object() || !json.contains("gates")) return;
  for (const Json& each : json["gates"])
    outcome.gates.push_back(fmt::format("{}: {}", each.value("verdict", ""), each.value("gate", "")));
}

// Whether these gates were judged. A finished run whose gates have changed is run again.
bool has_judged(const fs::path& file, const Entry& entry) {
  const Json json = Json::parse(read(file), nullptr, false);
  std::set<std::string> judged;
  if (json.is_object() && json.contains("gates")) {
    for (const Json& each : json["gates"]) judged.insert(each.value("gate", ""));
  }
  return judged == std::set<std::string>(entry.gates.begin(), entry.gates.end());
}

Outcome run_entry(const Book& book, const Entry& entry, const fs::path& folder, const NightOptions& options,
                  std::optional<Steady::time_point> until) {
  Outcome outcome;
  fs::create_directories(folder.parent_path());
  const fs::path notes = folder.parent_path() / (entry.scenario + ".log");
  const fs::path gates = folder.parent_path() / (entry.scenario + ".gates.json");
  const fs::path text = folder.parent_path() / (entry.scenario + ".txt");
  outcome.config_hash = hash_of(entry);
  const std::uint64_t paths = paths_in(folder, entry, outcome.config_hash);
  const bool late = until && Steady::now() > *until;
  bool cut = false;
  const auto began = Steady::now();
  if (paths == entry.paths && has_judged(gates, entry)) {
    outcome.again = true;
    outcome.state = State::finished;
  } else if (late && paths > 0) {
    outcome.again = true;
    outcome.state = paths == entry.paths ? State::finished : State::cut;
    if (!has_judged(gates, entry)) {
      outcome.code = 11;
      outcome.told = "its gates were not judged: its time was over";
    }
  } else if (late) {
    outcome.state = State::dropped;
    outcome.told = "its time was over";
    return outcome;
  } else {
    std::vector<std::string> words = {options.program,
                                      "run",
                                      entry.config.string(),
                                      "--paths",
                                      fmt::format("{}", entry.paths),
                                      "--seed",
                                      fmt::format("{}", entry.seed),
                                      "--out",
                                      folder.string(),
                                      "--resume"};
    for (const fs::path& each : entry.overlays) words.insert(words.end(), {"--overlay", each.string()});
    for (const std::string& each : entry.gates) words.insert(words.end(), {"--gate", each});
    if (!entry.gates.empty()) words.insert(words.end(), {"--gates-json", gates.string()});
    words.insert(words.end(), options.more.begin(), options.more.end());
    std::error_code ignored;
    fs::remove(gates, ignored);
    outcome.code = run_program(words, text, notes, options.stop, until, cut);
    const bool ran = outcome.code == 0 || outcome.code == 10 || outcome.code == 11;
    outcome.state = ran ? State::finished : cut && outcome.code == 130 ? State::cut : State::failed;
    if (outcome.code == 130 && !cut) outcome.state = State::pending;
    if (outcome.state == State::failed) outcome.told = first_problem(notes);
  }
  if (has_judged(gates, entry)) read_gates(gates, outcome);
  if (outcome.again) {
    for (const std::string& each : outcome.gates) {
      if (each.starts_with("failed")) outcome.code = 10;
      if (each.starts_with("undecided") && outcome.code == 0) outcome.code = 11;
    }
  }
  const fs::path why = folder.parent_path() / (entry.scenario + ".why.txt");
  if (outcome.state == State::finished && entry.why && !(outcome.again && fs::exists(why))) {
    const fs::path part = why.string() + ".part";
    const fs::path log = why.string() + ".log";
    const int code =
        run_program({options.program, "why", folder.string()}, part, log, options.stop, until, cut);
    if (code == 0) {
      fs::rename(part, why);
    } else if (options.stop != nullptr && options.stop->load()) {
      outcome.state = State::pending;  // its run is kept, and the reasons are told when the night goes on
    } else {
      outcome.told = cut ? "no reasons: its time was over" : "no reasons: " + first_problem(log);
    }
  }
  if (outcome.state == State::finished || outcome.state == State::cut)
    outcome.headlines = headlines_in(folder, book.headlines);
  outcome.seconds = std::chrono::duration<double>(Steady::now() - began).count();
  return outcome;
}

// A link beside, then one rename: `latest` always names a night.
void link_latest(const fs::path& nights, const std::string& id) {
  const fs::path beside = nights / ".latest";
  std::error_code ignored;
  fs::remove(beside, ignored);
  fs::create_symlink(id, beside);
  fs::rename(beside, nights / "latest");
}

// Never `kept`, the night that was just written: a clock that was set back makes it look the oldest.
void remove_old(const Book& book, const fs::path& nights, const fs::path& kept, const NightOptions& options) {
  if (book.keep_nights == 0) return;
  std::vector<fs::path> all = nights_in(nights);
  std::erase(all, kept);
  for (std::size_t i = 0; i + static_cast<std::size_t>(book.keep_nights) < all.size() + 1; ++i) {
    fs::remove_all(all[i]);
    options.tell(
        fmt::format("removed {}: the book keeps {} nights", all[i].filename().string(), book.keep_nights));
  }
}

// The next time that the local clock shows `minute` after `from`.
Clock::time_point next(int minute, Clock::time_point from) {
  std::tm at = local(Clock::to_time_t(from));
  at.tm_hour = minute / 60, at.tm_min = minute % 60, at.tm_sec = 0, at.tm_isdst = -1;
  std::time_t time = std::mktime(&at);
  if (Clock::from_time_t(time) <= from) {
    ++at.tm_mday;
    at.tm_isdst = -1;
    time = std::mktime(&at);
  }
  return Clock::from_time_t(time);
}

}  // namespace

const char* word_of(State state) {
  constexpr std::array<const char*, 5> words = {"pending", "finished", "cut", "failed", "dropped"};
  return words[static_cast<std::size_t>(state)];
}

Night run_night(const Book& book, const fs::path& nights, const NightOptions& options) {
  std::error_code error;
  fs::create_directories(nights, error);
  const Lock lock(nights);
  const auto now = Clock::now();
  Night night;
  std::int64_t begun = Clock::to_time_t(now);
  const std::vector<fs::path> earlier = nights_in(nights);
  if (!earlier.empty() && !options.anew) {
    const Stored last = stored_night(earlier.back());
    // A clock that was set back makes the age negative.
    const auto age = std::chrono::seconds(begun - last.begun);
    if (!last.whole && age < kGoesOn) {
      night.id = earlier.back().filename().string();
      begun = last.begun;
      options.tell(fmt::format("going on with the night of {}", night.id));
    }
  }
  if (night.id.empty()) {
    // A number that retention has freed is not given again.
    const std::string day = day_of(now);
    int number = 0;
    for (const fs::path& each : earlier) {
      const std::string id = each.filename().string();
      if (id == day) number = std::max(number, 1);
      if (id.starts_with(day + "-")) number = std::max(number, std::atoi(id.c_str() + day.size() + 1));
    }
    night.id = number == 0 ? day : fmt::format("{}-{}", day, number + 1);
  }
  const fs::path folder = nights / night.id;
  fs::create_directories(folder);
  const auto start = Clock::from_time_t(static_cast<std::time_t>(begun));
  night.outcomes.resize(book.entries.size());
  write_night(folder, book, night, begun);
  std::optional<Steady::time_point> until;
  if (book.by_minute) until = Steady::now() + (next(*book.by_minute, start) - now);

  bool stopped = false;
  for (std::size_t i = 0; i < book.entries.size() && !stopped; ++i) {
    const Entry& entry = book.entries[i];
    Outcome& outcome = night.outcomes[i];
    outcome = run_entry(book, entry, folder / entry.company / entry.scenario, options, until);
    stopped = options.stop != nullptr && options.stop->load() && outcome.state == State::pending;
    options.tell(fmt::format("{} of {}: {} {}{}{}", i + 1, book.entries.size(), entry.name(),
                             word_of(outcome.state), outcome.again ? " before" : "",
                             outcome.told.empty() ? "" : ": " + outcome.told));
    write_night(folder, book, night, begun);
  }
  if (stopped) return night;
  const Before before = last_night(nights, night.id);
  write_history(nights, book, night);
  report::write_file(folder / "index.html", index_html(book, night, before, nights));
  report::write_file(folder / "mail.txt", mail_text(book, night, before, nights));
  night.whole = true;
  write_night(folder, book, night, begun);
  link_latest(nights, night.id);
  remove_old(book, nights, folder, options);
  return night;
}

int exit_code(const Night& night) {
  const auto any = [&](auto&& holds) {
    return std::any_of(night.outcomes.begin(), night.outcomes.end(), holds);
  };
  if (any([](const Outcome& o) { return o.state == State::pending; })) return 130;
  for (const int code : {3, 4, 5, 2}) {
    if (any([&](const Outcome& o) { return o.state == State::failed && o.code == code; })) return code;
  }
  if (any([](const Outcome& o) { return o.state == State::failed; })) return 4;
  if (any([](const Outcome& o) { return o.code == 10; })) return 10;
  if (any([](const Outcome& o) { return o.code == 11 || o.state == State::cut || o.state == State::dropped; }))
    return 11;
  return 0;
}

}  // namespace headroom::book
