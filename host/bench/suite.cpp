// SPDX-License-Identifier: Apache-2.0
#include "host/bench/suite.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <numeric>
#include <optional>
#include <regex>
#include <stdexcept>

#include "host/config/company.hpp"
#include "host/cpu/pilot.hpp"
#include "host/engine/floor.hpp"
#include "host/engine/tally.hpp"
#include "host/figures/catalogue.hpp"
#include "host/plan/make_plan.hpp"
#include "host/plan/plan_table.hpp"
#include "host/report/folder.hpp"
#include "host/report/report.hpp"
#include "host/risk/analysis.hpp"
#include "host/run/run.hpp"
#include "host/run/simulation.hpp"

namespace headroom::bench {

namespace {

namespace fs = std::filesystem;

constexpr std::array kCompanies = {"demo", "coreweave-1q26", "nebius-1q26"};
constexpr std::array kHorizons = {60, 120};
constexpr std::array<std::uint64_t, 4> kPaths = {100'000, 1'000'000, 10'000'000, 100'000'000};
constexpr std::uint64_t kSeed = 1;

// A row's answer is wrong.
struct Wrong : std::runtime_error {
  using std::runtime_error::runtime_error;
};

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string short_count(std::uint64_t n) { return fmt::format("{:.0e}", static_cast<double>(n)); }  // 1e+06

// A folder for the files that rows write.
class TemporaryFolder {
 public:
  TemporaryFolder() : path_(fs::temp_directory_path() / fmt::format("headroom-bench-{}", getpid())) {
    fs::create_directories(path_);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

// Starts the program, discards its output and waits for it.
void run_program_of(const std::string& program, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), program);
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& each : arguments) argv.push_back(each.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t child = 0;
  const int failed = posix_spawn(&child, program.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  int status = 0;
  if (failed != 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
    throw Wrong("the program could not be run, or failed");
}

class Suite {
 public:
  Suite(const Settings& settings, std::function<void(const Row&)> done)
      : settings_(settings),
        done_(std::move(done)),
        filter_(settings.filter, std::regex::ECMAScript),
        backend_(settings.backend == "cuda" ? make_cuda_backend() : make_cpu_backend()),
        floor_(settings.backend == "cuda" ? make_cuda_floor()
                                          : make_cpu_floor(settings.isa, settings.threads)) {}

  void run() {
    floors();
    paths();
    reductions();
    whole_runs();
    study();
    objects();
  }

 private:
  struct Loaded {
    Company company;
    Scenario scenario;
    std::vector<BinRange> bins;
    std::vector<std::int32_t> planned;
    Catalogue catalogue;
    Selection selection;
    std::vector<Question> questions;
    double floor_seconds = 0;  // time to draw a path's random numbers; 0: not measured yet
    double path_seconds = 0;   // time to simulate a path; 0: not measured yet
  };

  Company load(const std::string& name, std::optional<int> months = {}, std::vector<std::string> overlays = {},
               std::vector<std::string> sets = {}) const {
    Company company = load_company({.file = (fs::path(settings_.configs) / (name + ".toml")).string(),
                                    .overlays = std::move(overlays),
                                    .sets = std::move(sets)},
                                   months);
    return company;
  }

  Loaded& company(const std::string& name, int months) {
    const auto key = std::pair(name, months);
    if (const auto found = loaded_.find(key); found != loaded_.end()) return found->second;
    Loaded& made = loaded_[key];
    made.company = load(name, months);
    make_plan(made.company.data);
    made.scenario = made.company.data.view();
    made.bins = pilot_bins(made.scenario, kSeed);
    made.planned = plan_trace(made.scenario);
    made.catalogue = headroom::catalogue(made.company, made.scenario);
    made.selection = select_figures(made.catalogue, made.scenario, {});
    made.questions = questions_of(made.catalogue, made.selection);
    return made;
  }

  RunPlan plan(std::uint64_t paths) const {
    RunPlan made;
    made.paths = {kSeed, 0, paths};
    made.threads = settings_.threads;
    made.isa = settings_.isa;
    made.stop = settings_.stop;
    return made;
  }

  Request request(std::uint64_t paths, bool by_month) const {
    Request made;
    made.paths = {kSeed, 0, paths};
    made.by_month = by_month;
    made.threads = settings_.threads;
    made.isa = settings_.isa;
    made.stop = settings_.stop;
    return made;
  }

  bool wanted(const std::string& name) const { return std::regex_search(name, filter_); }

  // Times `body` after `check`, which throws Wrong or returns what it compared. `expected`: seconds, if
  // known.
  template <class Check, class Body>
  void row(Row made, double expected, Check&& check, Body&& body) {
    if (!wanted(made.name)) return;
    if (expected > settings_.row_seconds) {
      made.note = fmt::format("not measured: about {:.0f} s, over --row-seconds", expected);
      return done_(made);
    }
    try {
      made.note = check();
      const double start = now();
      body();  // warm-up, and how long it takes
      const double first = now() - start;
      if (first * 2 > settings_.row_seconds) {
        made.seconds.push_back(first);
        made.note += "; once, not warm";
      }
      // Short bodies are timed several at a time.
      const int batch = std::max(1, static_cast<int>(0.05 / std::max(first, 1e-7)));
      while (made.seconds.size() < static_cast<std::size_t>(settings_.repetitions) &&
             now() - start + first < settings_.row_seconds) {
        const double before = now();
        for (int i = 0; i < batch; ++i) body();
        made.seconds.push_back((now() - before) / batch);
        if (settings_.stop != nullptr && *settings_.stop) throw Interrupted{};
      }
    } catch (const Wrong& error) {
      made.note = error.what();
      made.wrong = true;
      made.seconds.clear();
    }
    done_(made);
  }

  // Checks that the outcomes are byte for byte those of one CPU thread with the weakest instruction set.
  std::string same_as_baseline(const Loaded& c) {
    constexpr std::uint64_t kChecked = 600;
    RunPlan simple = plan(kChecked);
    simple.isa = "baseline";
    simple.threads = 1;
    const Outcomes expected = make_cpu_backend()->simulate(c.scenario, simple, c.bins);
    const Outcomes got = backend_->simulate(c.scenario, plan(kChecked), c.bins);
    std::vector<std::int32_t> a(kChecked), b(kChecked);
    bool same =
        expected.sum == got.sum && expected.histogram == got.histogram && expected.failing == got.failing;
    for (std::int32_t column = 0; column < expected.layout.count(); ++column) {
      expected.columns->read(column, 0, a);
      got.columns->read(column, 0, b);
      same = same && a == b;
    }
    if (!same) throw Wrong("differs from the baseline's bytes");
    if (got.columns->answer({Question::Kind::offenders, kViolations, 0, 0})[0] != 0)
      throw Wrong("identities are violated");
    return "bytes of the CPU baseline, identities";
  }

  void floors() {
    const std::uint64_t count = settings_.backend == "cuda" ? 4'000'000 : 100'000;
    for (const std::string name : kCompanies) {
      Loaded& c = company(name, kHorizons[0]);
      const Draws draws = draws_of(c.scenario);
      const auto floor_row = [&](const std::string& kind, Draws drawn, const std::string& item,
                                 double per_path) {
        Row made{.name = fmt::format("floor/{}/{}", kind, name), .item = item};
        made.items = per_path * static_cast<double>(count);
        row(
            made, 0,
            [&] {
              std::uint64_t sum = 0;
              for (std::uint64_t path = 0; path < 1000; ++path) sum += draw_one({kSeed, path, 1}, drawn);
              if (floor_->draw({kSeed, 0, 1000}, drawn) != sum)
                throw Wrong("differs from the scalar generator");
              return std::string("sum of the scalar generator");
            },
            [&] {
              floor_->draw({kSeed, 0, count}, drawn);
            });
      };
      floor_row("words", {draws.calls, 0}, "word", 4.0 * draws.calls);
      floor_row("normals", draws, "normal", draws.normals);
    }
    constexpr std::uint64_t kBytes = std::uint64_t{256} << 20;
    row(
        {.name = "floor/copy", .item = "byte", .items = 2.0 * kBytes}, 0,
        [] { return std::string("read and written"); }, [&] { floor_->copy(kBytes); });
  }

  // Seconds to draw the random numbers of one path, best of three.
  double floor_of(Loaded& c) {
    constexpr std::uint64_t kCount = 50'000;
    if (c.floor_seconds > 0) return c.floor_seconds;
    c.floor_seconds = 1;
    for (int i = 0; i < 3; ++i) {
      const double before = now();
      floor_->draw({kSeed, 0, kCount}, draws_of(c.scenario));
      c.floor_seconds = std::min(c.floor_seconds, (now() - before) / kCount);
    }
    return c.floor_seconds;
  }

  Row path_row(const std::string& name, Loaded& c, double count) {
    const double months = count * c.scenario.months;
    return {.name = name,
            .item = "path-month",
            .items = months,
            .path_months = months,
            .floor_seconds = wanted(name) ? floor_of(c) * count : 0};
  }

  // Simulation alone, with by-month histograms and kept columns (beyond kExactPaths: their histograms).
  void paths() {
    for (const std::string name : kCompanies) {
      for (const int months : kHorizons) {
        for (const std::uint64_t count : kPaths) {
          Loaded& c = company(name, months);
          row(
              path_row(fmt::format("paths/{}/{}m/{}", name, months, short_count(count)), c,
                       static_cast<double>(count)),
              c.path_seconds * static_cast<double>(count), [&] { return same_as_baseline(c); },
              [&] {
                const Answers done = simulate(*backend_, c.scenario, plan(count), {.questions = c.questions});
                c.path_seconds = done.seconds / static_cast<double>(count);
                if (done.paths() != count) throw Interrupted{};
              });
        }
      }
    }
  }

  void reductions() {
    for (const std::string name : kCompanies) {
      Loaded& c = company(name, kHorizons[0]);
      constexpr std::uint64_t kCount = 200'000;
      if (!wanted("reduce/exact/" + name) && !wanted("reduce/binned/" + name)) continue;
      const Outcomes outcomes = backend_->simulate(c.scenario, plan(kCount), c.bins);
      const std::vector<PathSpan> span = {{0, kCount}};
      const auto report = [&](Counters* counters) {
        Answers answers = ask(outcomes, c.questions, kSeed, span, counters);
        if (counters != nullptr) counters->copy_to(answers);
        return report_of(c.catalogue, c.selection, c.scenario, answers, c.planned);
      };
      row(
          {.name = "reduce/exact/" + name, .item = "path", .items = kCount}, 0,
          [&] {
            const RiskReport risk = report({});
            const auto months = outcomes.sum.begin() + std::ptrdiff_t{kFcf} * c.scenario.months;
            const std::int64_t total = std::accumulate(months, months + c.scenario.months, std::int64_t{0});
            const double mean = static_cast<double>(total) / kCount / units_per_musd(c.scenario);
            if (std::abs(risk.total_fcf.mean - mean) > 1e-9 * std::abs(mean))
              throw Wrong("mean and sums differ");
            return std::string("mean of FCF by months and by paths");
          },
          [&] { report({}); });
      // The cost of counting a chunk of columns instead of keeping it.
      std::vector<Tally> bins;
      for (const Question& question : c.questions) {
        if (question.kind == Question::Kind::distribution)
          bins.push_back(tally_over(*outcomes.columns, question));
      }
      Counters chunks(bins);
      row(
          {.name = "reduce/binned/" + name, .item = "path", .items = kCount}, 0,
          [&] {
            Counters counters(bins);
            const RiskReport exact = report({}), counted = report(&counters);
            const double off = exact.total_fcf.quantile(5).value - counted.total_fcf.quantile(5).value;
            if (std::abs(off) > counted.total_fcf.resolution ||
                counted.total_fcf.mean != exact.total_fcf.mean) {
              throw Wrong("not within the resolution of the exact quantile");
            }
            return std::string("exact quantile, within the bins");
          },
          [&] { ask(outcomes, c.questions, kSeed, span, &chunks); });
    }
  }

  // From process start to written files, and the same from the config in a warm process.
  void whole_runs() {
    const TemporaryFolder folder;
    const fs::path out = folder.path() / "out";
    for (const std::string name : kCompanies) {
      for (const std::uint64_t count : {kPaths[0], kPaths[1]}) {
        Loaded& c = company(name, kHorizons[0]);
        const double expected = c.path_seconds * static_cast<double>(count);
        const auto written = [&] {
          for (const char* file : {"summary.json", "fcf.csv", "covenants.csv", "monthly.csv", "results.csv"}) {
            if (!fs::exists(out / file)) throw Wrong(std::string(file) + " was not written");
          }
          return std::string("files are there");
        };
        const std::vector<std::string> arguments = {
            "run",       (fs::path(settings_.configs) / (name + ".toml")).string(),
            "--paths",   std::to_string(count),
            "--months",  std::to_string(kHorizons[0]),
            "--backend", settings_.backend,
            "--threads", std::to_string(settings_.threads),
            "--isa",     settings_.isa,
            "--out",     out.string(),
            "--quiet"};
        row(
            path_row(fmt::format("whole/cold/{}/{}", name, short_count(count)), c, static_cast<double>(count)),
            expected,
            [&] {
              std::vector<std::string> few = arguments;
              few[3] = "1000";
              run_program_of(settings_.program, few);
              return written();
            },
            [&] { run_program_of(settings_.program, arguments); });
        const auto in_process = [&](std::uint64_t n) {
          const Company fresh = load(name, kHorizons[0]);
          report::RunFacts facts;
          facts.id = report::new_run_id();
          report::ResultFolder(out).write(
              facts.id, report::result_files(fresh, headroom::run(fresh, *backend_, request(n, true)), facts));
        };
        row(
            path_row(fmt::format("whole/warm/{}/{}", name, short_count(count)), c, static_cast<double>(count)),
            expected,
            [&] {
              in_process(1000);
              return written();
            },
            [&] { in_process(count); });
      }
    }
  }

  // Points that differ in one key, one after another in this process: config, plan, paths, analysis.
  void study() {
    constexpr std::uint64_t kCount = 100'000;
    for (const std::string name : {"demo", "coreweave-1q26"}) {
      Loaded& c = company(name, kHorizons[0]);
      const auto point = [&](int i, std::uint64_t count) {
        const Company moved = load(name, kHorizons[0], {},
                                   {fmt::format("market.supply.start_tightness={:.6f}", 0.05 + 1e-4 * i)});
        Request one = request(count, false);
        one.figures = {"fcf.total.mean"};
        one.only_figures = true;
        return headroom::run(moved, *backend_, one).risk.total_fcf.mean;
      };
      for (const int points : {1, 4, 16, 1000}) {
        const double count = points * static_cast<double>(kCount);
        Row made = path_row(fmt::format("study/{}/{}x{}", name, points, short_count(kCount)), c, count);
        made.item = "point";
        made.items = points;
        row(
            made, c.path_seconds * count,
            [&] {
              if (point(0, 2000) == point(1, 2000)) throw Wrong("two points give one mean");
              return std::string("points differ");
            },
            [&] {
              for (int i = 0; i < points; ++i) point(i, kCount);
            });
      }
      // The cost of a point that has almost no paths.
      row(
          {.name = fmt::format("study/{}/point-alone", name), .item = "point", .items = 1}, 0,
          [] { return std::string("256 paths"); }, [&] { point(0, 256); });
    }
  }

  // The cost of one more object: the demo company with kMore more of them. Items are the objects'
  // path-months.
  void objects() {
    constexpr int kMore = 16;
    constexpr std::uint64_t kCount = 50'000;
    if (!wanted("object/contract") && !wanted("object/site") && !wanted("object/tranche") &&
        !wanted("object/covenant"))
      return;
    struct Kind {
      const char* name;
      const char* text;  // TOML text of object number {0}
    };
    static constexpr std::array<Kind, 4> kKinds = {{
        {"contract",
         "[[contract]]\nid = \"more-{0}\"\nnew = true\nname = \"more\"\ncustomer = \"northbank\"\nsite = "
         "\"keflavik\"\npriority = {0}\n"
         "gpus = 100\nprice_usd_per_gpu_hour = 2.2\nstart = 2026-06-30\nterm_months = 36\n"},
        {"site",
         "[[site]]\nid = \"more-{0}\"\nnew = true\nname = \"more\"\ngpu = \"gb200\"\ngpus = 100\nit_mw = 0.2\n"
         "grid = {{ planned = 2026-07-31, delay = \"grid\" }}\nbuilding = {{ planned = 2026-07-31, delay = "
         "\"building\" }}\n"
         "gpu_delivery = {{ planned = 2026-08-31, delay = \"gpus\" }}\norder_date = 2026-05-31\n"
         "capex_usd_per_gpu = 59000\nfit_out_musd_per_mw = 13.3\n"},
        {"tranche",
         "[[tranche]]\nid = \"more-{0}\"\nnew = true\nname = \"more\"\nkind = \"term\"\nbalance_musd = "
         "1.0\nspread_per_year = 0.03\n"
         "amortisation_start = 2026-06-30\namortisation_end = 2031-03-31\nmaturity = 2031-03-31\n"},
        {"covenant",
         "[[covenant]]\nid = \"more-{0}\"\nnew = true\nname = \"more\"\nmetric = \"net_leverage\"\nwindow = "
         "\"trailing_12\"\n"
         "tests = \"monthly\"\nfirst_test = 2026-06-30\nthreshold = 6.0\n"},
    }};
    const TemporaryFolder folder;
    const Loaded& plain = company("demo", kHorizons[0]);
    // A difference of two times: with and without in turn, the least time of each.
    const auto seconds_more = [&](const Loaded& more) {
      double with = 1e9, without = 1e9;
      for (int i = 0; i < 3; ++i) {
        without = std::min(without, backend_->simulate(plain.scenario, plan(kCount), plain.bins).seconds);
        with = std::min(with, backend_->simulate(more.scenario, plan(kCount), more.bins).seconds);
      }
      return with - without;
    };
    for (const Kind& kind : kKinds) {
      const fs::path overlay = folder.path() / (std::string(kind.name) + ".toml");
      std::ofstream file(overlay);
      for (int i = 1; i <= kMore; ++i) file << fmt::format(fmt::runtime(kind.text), i) << '\n';
      file.close();
      Row made{.name = fmt::format("object/{}", kind.name), .item = "object-month"};
      if (!wanted(made.name)) continue;
      Loaded more;
      more.company = load("demo", kHorizons[0], {overlay.string()});
      make_plan(more.company.data);
      more.scenario = more.company.data.view();
      more.bins = pilot_bins(more.scenario, kSeed);
      made.items = static_cast<double>(kMore) * static_cast<double>(kCount) * more.scenario.months;
      try {
        made.note = fmt::format("demo with {} more, less demo; {}", kMore, same_as_baseline(more));
        for (int i = 0; i < settings_.repetitions; ++i) made.seconds.push_back(seconds_more(more));
      } catch (const Wrong& error) {
        made.note = error.what();
        made.wrong = true;
      }
      done_(made);
    }
  }

  Settings settings_;
  std::function<void(const Row&)> done_;
  std::regex filter_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Floor> floor_;
  std::map<std::pair<std::string, int>, Loaded> loaded_{};
};

}  // namespace

double Row::median() const {
  std::vector<double> values = seconds;
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return n == 0 ? 0 : (values[(n - 1) / 2] + values[n / 2]) / 2;
}
double Row::least() const { return *std::min_element(seconds.begin(), seconds.end()); }
double Row::most() const { return *std::max_element(seconds.begin(), seconds.end()); }

void run_suite(const Settings& settings, const std::function<void(const Row&)>& done) {
  Suite(settings, done).run();
}

}  // namespace headroom::bench
