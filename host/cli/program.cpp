// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <new>

#include "headroom_build.hpp"
#include "host/cli/cli.hpp"
#include "host/cli/streams.hpp"
#include "host/config/problems.hpp"
#include "host/parts/part.hpp"
#include "host/replay/stored_run.hpp"
#include "host/report/files.hpp"
#include "host/run/backend.hpp"
#include "host/run/run.hpp"
#include "host/study/journal.hpp"

namespace headroom::cli {

namespace {

struct Command {
  const char* name;
  int (*call)(const Arguments&);
  const char* about;
};
constexpr std::array<Command, 16> kCommands = {
    {{"run", run_command, "run the paths: distributions of free cash flow, probabilities of covenant breach"},
     {"study", study_command, "runs over a design of points: what moves the answer"},
     {"stress", stress_command, "base and stresses side by side, on the same draws"},
     {"solve", solve_command, "how far a key can go before a gate no longer holds"},
     {"plan", plan_command, "the deterministic plan by quarter and year, against the company's guidance"},
     {"why", why_command, "why covenants are breached: what it takes, what alone suffices, storylines"},
     {"compare", compare_command, "two runs side by side, and which changed key moved what"},
     {"check", check_command, "all problems of a config at once, or the totals of what was read"},
     {"figures", figures_command, "the names of all figures that a run can give, with units and words"},
     {"book", book_command, "a book of companies and scenarios overnight, with pages and a history"},
     {"merge", merge_command, "parts of a run, made anywhere and in any order, as the one run"},
     {"answers", answers_command, "what parts and checkpoints hold, summed"},
     {"status", status_command, "how far the run of a folder is: running, dead or finished"},
     {"verify", verify_command, "whether a folder still holds what its run wrote, and the run gives it again"},
     {"info", info_command, "version, build, backends, card, instruction sets"},
     {"bench", bench_command,
      "the cost of a run on this machine, row by row, each checked before it is timed"}}};

void print_help() {
  std::string text =
      "headroom: a Monte Carlo risk engine for companies that rent out GPUs. A config of the company goes\n"
      "in; distributions of free cash flow and probabilities of covenant breach come out. It runs on a\n"
      "GPU if there is one, else on the CPU; both give the same results, bit for bit.\n\n"
      "Usage: headroom COMMAND [CONFIG] [options]\n\n";
  for (const Command& command : kCommands) text += fmt::format("  {:<7} {}\n", command.name, command.about);
  text += fmt::format(
      "\nheadroom COMMAND --help lists a command's options; headroom --version prints the version.\n\n"
      "Examples:\n"
      "  headroom check configs/demo.toml\n"
      "  headroom plan configs/coreweave-1q26.toml\n"
      "  headroom run configs/coreweave-1q26.toml --paths 1e6 --out results\n\n{}",
      kExitCodes);
  show(text);
}

int unknown_command(const std::string& name) {
  std::vector<std::string> names(kCommands.size());
  std::transform(kCommands.begin(), kCommands.end(), names.begin(), [](const Command& c) { return c.name; });
  const auto nearest = config::nearest(name, names);
  throw UsageError(
      fmt::format("there is no command '{}'; {}", name,
                  nearest ? fmt::format("did you mean headroom {}?", *nearest) : "see headroom --help"));
}

int dispatch(const Arguments& arguments) {
  if (arguments.empty()) {
    print_help();
    return kBadInput;
  }
  const std::string& name = arguments.front();
  if (name == "help" && arguments.size() > 1) {
    if (arguments.size() > 2)
      throw UsageError(fmt::format("'{}' is one word too many; headroom help takes one command", arguments[2]));
    if (arguments[1].starts_with("-")) throw UsageError("headroom help takes a command; see headroom --help");
    return dispatch({arguments[1], "--help"});
  }
  if (name == "--help" || name == "-h" || name == "help") {
    print_help();
    return kOk;
  }
  if (name == "--version") {
    show(fmt::format("headroom {} ({})\n", build::version, build::commit));
    return kOk;
  }
  for (const Command& command : kCommands) {
    if (name == command.name) return command.call({arguments.begin() + 1, arguments.end()});
  }
  return unknown_command(name);
}

}  // namespace

int run_program(const Arguments& arguments) {
  prepare_streams();
  int code = kOk;
  try {
    code = dispatch(arguments);
  } catch (const UsageError& error) {
    say(error.what());
    code = kBadInput;
  } catch (const config::ConfigError& error) {
    const std::size_t count = error.problems().size();
    say_lines(error.what());
    say_lines(
        fmt::format("\nheadroom: {} problem{} in the config; nothing was run\n", count, count == 1 ? "" : "s"));
    code = kBadInput;
  } catch (const study::JournalError& error) {
    say(error.what());
    code = kBadInput;
  } catch (const PartError& error) {
    say(error.what());
    code = kBadInput;
  } catch (const MemoryError& error) {
    say(error.what());
    code = kBadInput;
  } catch (const StoredRunError& error) {
    say(error.what());
    code = kBadInput;
  } catch (const UnknownFigure& error) {
    say(fmt::format("{}; headroom figures CONFIG lists the names", error.what()));
    code = kBadInput;
  } catch (const report::OutputError& error) {
    say(error.what());
    code = kCannotWrite;
  } catch (const std::bad_alloc&) {
    say(!arguments.empty() && arguments.front() == "run"
            ? "out of memory; run fewer paths (--paths)"
            : "out of memory; use a smaller config, or a machine with more memory");
    code = kBackendFailed;
  } catch (const std::exception& error) {
    say(error.what());
    code = kBackendFailed;
  }
  // With a full disk or a closed pipe behind standard output, nobody saw the result.
  const std::string trouble = close_output();
  if (trouble.empty()) return code;
  say(trouble);
  return code == kOk || code == kInterrupted ? kCannotWrite : code;
}

}  // namespace headroom::cli
