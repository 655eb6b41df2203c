// SPDX-License-Identifier: Apache-2.0
#include "host/book/book.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "host/book/night.hpp"
#include "host/cli/interrupt.hpp"
#include "host/cli/options.hpp"
#include "host/cli/streams.hpp"

namespace headroom::cli {

namespace {

Usage book_usage() {
  Usage usage;
  usage.command = "book";
  usage.argument = "BOOK.toml";
  usage.about =
      "Runs a book of companies and scenarios, one after another, into NIGHTS/<date>/<company>/<scenario>/:\n"
      "each a result folder as headroom run writes it, to the byte. Killed at any moment and started again\n"
      "within 20 hours, it goes on with the same night. A company whose config is broken or whose run fails "
      "is\n"
      "told, and the others still run. When all are done, NIGHTS/latest is moved to the night; it holds\n"
      "index.html and mail.txt, and NIGHTS/history.sqlite has a row for each run and each headline figure.\n"
      "Exit code: the worst of the runs' (3, 4, 5, 2, then 10 a gate failed, 11 one is undecided or an entry "
      "was\n"
      "cut or dropped, else 0); 2 also if the book itself is wrong, 5 if another headroom book uses\n"
      "NIGHTS.\n";
  auto add = usage.options.add_options();
  add("out", po::value<std::string>()->value_name("NIGHTS"), "the folder of all nights");
  add("paths", po::value<std::string>()->value_name("N"), "paths of every run, in place of the book's");
  add("backend", po::value<std::string>()->default_value("auto")->value_name("B"), "auto, cpu or cuda");
  add("threads", po::value<std::string>()->value_name("K"), "CPU threads; 0: one for each core");
  add("new-night", "begin a new night, also if one is unfinished");
  add("quiet", "no line for each run on standard error");
  usage.examples = "  headroom book configs/book.toml --out nights --paths 1e5\n";
  return usage;
}

}  // namespace

int book_command(const Arguments& arguments) {
  const Usage usage = book_usage();
  const auto options = parse(usage, arguments);
  if (!options) return kOk;
  const std::string out = parse_path(*options, "out");
  if (out.empty()) throw UsageError("headroom book needs --out, the folder of all nights");
  std::optional<std::uint64_t> paths;
  if (options->count("paths") != 0) paths = parse_paths("paths", (*options)["paths"].as<std::string>());
  book::NightOptions night_options;
  night_options.program = std::filesystem::read_symlink("/proc/self/exe").string();
  night_options.anew = options->count("new-night") != 0;
  night_options.more = {"--backend", parse_backend(*options)};
  if (options->count("threads") != 0) {
    const int threads = parse_count("threads", (*options)["threads"].as<std::string>(), 0, 4096);
    night_options.more.insert(night_options.more.end(), {"--threads", fmt::format("{}", threads)});
  }
  const bool quiet = options->count("quiet") != 0;
  night_options.tell = [&](const std::string& line) {
    if (!quiet) say(line);
  };
  night_options.stop = &stop_asked;
  const StopOnSignals guard(true);
  const book::Book read = book::load_book((*options)["config"].as<std::vector<std::string>>().front(), paths);
  const book::Night night = book::run_night(read, out, night_options);
  const std::filesystem::path folder = std::filesystem::path(out) / night.id;
  if (!night.whole) {
    say(fmt::format("interrupted; the same command goes on with the night of {}", night.id));
    return kInterrupted;
  }
  std::string shown;
  for (std::size_t i = 0; i < read.entries.size(); ++i)
    shown += fmt::format("  {:<9} {}\n", book::word_of(night.outcomes[i].state), read.entries[i].name());
  show(fmt::format("{}, night of {}\n{}Written to {}: index.html, mail.txt\n", read.name, night.id, shown,
                   folder.string()));
  return book::exit_code(night);
}

}  // namespace headroom::cli
