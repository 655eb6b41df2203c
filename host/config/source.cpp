// SPDX-License-Identifier: Apache-2.0
#include "host/config/source.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "host/config/limits.hpp"
#include "host/config/merge.hpp"
#include "host/config/printable.hpp"

namespace headroom::config {

namespace {

Place place_of(const toml::source_region& region, const std::string& file) {
  return {file, region.begin.line, region.begin.column};
}

Node convert(const toml::node& from, const std::string& file) {
  Node node{.place = place_of(from.source(), file)};
  if (const auto* table = from.as_table()) {
    for (auto&& [key, child] : *table) {  // sorted by key
      Node& added = node.items.emplace_back(convert(child, file));
      added.key = key.str();
      added.key_place = place_of(key.source(), file);
    }
  } else if (const auto* array = from.as_array()) {
    node.value = ListTag{};
    for (auto&& child : *array) node.items.push_back(convert(child, file));
  } else if (const auto* flag = from.as_boolean()) {
    node.value = flag->get();
  } else if (const auto* whole = from.as_integer()) {
    node.value = whole->get();
  } else if (const auto* decimal = from.as_floating_point()) {
    node.value = decimal->get();
  } else if (const auto* text = from.as_string()) {
    node.value = text->get();
  } else if (const auto* date = from.as_date()) {
    const toml::date day = date->get();
    node.value = Date(std::chrono::year(day.year), std::chrono::month(day.month), std::chrono::day(day.day));
  } else {
    node.value = TimeTag{};
  }
  return node;
}

std::string parse_failure(const toml::parse_error& error) {
  std::string_view text = error.description();
  constexpr std::string_view prefix = "Error while parsing ";
  if (text.starts_with(prefix)) text.remove_prefix(prefix.size());
  return std::string(text);
}

// A file's text, or why there is none and what to do.
struct FileText {
  std::optional<std::string> text{};
  std::string why{}, remedy = "correct the path";
};

// A config may come through a pipe of the shell, as in headroom check <(...). Devices and named pipes, which
// may have no end, are refused.
FileText read_file(const std::string& file) {
  const int descriptor = open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  const auto fail = [&](std::string why, std::string remedy = "correct the path") {
    if (descriptor >= 0) close(descriptor);
    return FileText{{}, std::move(why), std::move(remedy)};
  };
  if (descriptor < 0) {
    if (errno == ENOENT) return fail("there is no file of that name");
    if (errno == EACCES) return fail("permission is denied", "allow this user to read it");
    return fail(std::strerror(errno));
  }
  struct stat status {};
  struct statfs system {};
  if (fstat(descriptor, &status) != 0 || fstatfs(descriptor, &system) != 0) return fail(std::strerror(errno));
  const bool of_shell = S_ISFIFO(status.st_mode) && system.f_type == PIPEFS_MAGIC;
  if (S_ISDIR(status.st_mode)) return fail("it is a folder", "name a file in it");
  if (!S_ISREG(status.st_mode) && !of_shell)
    return fail("it is a device or a named pipe", "name a regular file");
  fcntl(descriptor, F_SETFL, O_RDONLY);
  std::string text, part(1 << 16, '\0');
  for (;;) {
    const ssize_t got = ::read(descriptor, part.data(), part.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(std::strerror(errno));
    if (got == 0) break;
    text.append(part, 0, static_cast<std::size_t>(got));
    if (text.size() > kMostBytes) return fail("it has more than 16 MiB", "name a config, or split it");
  }
  close(descriptor);
  return {std::move(text)};
}

// The first place where keys or brackets are so deep that reading them would end the stack. Strings and
// comments are skipped; what is wrong in another way is left to the parser.
struct TooDeep {
  std::uint32_t line = 1, column = 1;
  const char* what = "";
};

std::optional<TooDeep> too_deep(std::string_view text) {
  TooDeep at;
  std::size_t parts = 1, nested = 0;
  std::string_view quote;  // the quotes that end the string we are in
  for (std::size_t i = 0; i < text.size(); ++i, ++at.column) {
    const char c = text[i];
    if (!quote.empty()) {
      if (c == '\\' && quote.front() == '"') {
        ++i, ++at.column;
      } else if (text.substr(i).starts_with(quote)) {
        i += quote.size() - 1;
        quote = {};
      } else if (c == '\n' && quote.size() == 1) {
        quote = {};
      }
    } else if (c == '"' || c == '\'') {
      const std::string_view three = text.substr(i, 3);
      quote = three == "\"\"\"" || three == "\'\'\'" ? three : text.substr(i, 1);
      i += quote.size() - 1;
    } else if (c == '#') {
      while (i + 1 < text.size() && text[i + 1] != '\n') ++i;
    } else if (c == '.') {
      at.what = "a key of more than 32 parts";
      if (++parts > kMostParts) return at;
    } else if (c == '[' || c == '{') {
      at.what = "more than 32 brackets in each other";
      parts = 1;
      if (++nested > kMostNested) return at;
    } else if (c == ']' || c == '}') {
      nested -= nested > 0 ? 1 : 0;
    } else if (c == '=' || c == ',' || c == '\n') {
      parts = 1;
    }
    if (i < text.size() && text[i] == '\n') ++at.line, at.column = 0;
  }
  return std::nullopt;
}

// Reads a file and the files that it includes.
class Loader {
 public:
  Loader(const Sources& sources, Problems& problems)
      : read_(read_file), seen_(sources.seen), problems_(problems) {
    if (!sources.read) return;
    read_ = [read = sources.read](const std::string& file) {
      return FileText{read(file), "there is no file of that name"};
    };
  }

  Node load(const std::string& file, const Place& asked_at) {
    namespace fs = std::filesystem;
    std::error_code ignored;
    const std::string identity = fs::weakly_canonical(file, ignored).string();
    if (std::find(open_.begin(), open_.end(), identity) != open_.end()) {
      problems_.add(asked_at, fmt::format("'{}' includes itself", file),
                    "a file cannot lie below itself, directly or through others", "remove this include");
      return {};
    }
    if (!done_.insert(identity).second) return {};
    if (open_.size() >= kMostIncludes) {
      problems_.add(asked_at, fmt::format("'{}' is included too deep", cut(file, 200)),
                    fmt::format("{} files include each other one below the other", kMostIncludes),
                    "include it higher up");
      return {};
    }
    Node own = parse(file, asked_at);
    check_ids(own);

    Node below{.place = {file, 1, 1}};
    open_.push_back(identity);
    if (const Node* include = own.find("include")) {
      if (!include->is<ListTag>()) wrong_include(*include);
      for (const Node& each : include->items) {
        const auto* name = std::get_if<std::string>(&each.value);
        if (name != nullptr && printable(*name) != *name) {
          problems_.add(each.place, fmt::format("{} is not a file name", in_quotes(*name)),
                        "it holds a control character", "correct the path");
        } else if (name != nullptr) {
          const fs::path included = (fs::path(file).parent_path() / *name).lexically_normal();
          merge(below, load(included.string(), each.place), problems_);
        } else {
          wrong_include(each);
        }
      }
      std::erase_if(own.items, [](const Node& each) { return each.key == "include"; });
    }
    open_.pop_back();
    merge(below, std::move(own), problems_);
    return below;
  }

 private:
  Node parse(const std::string& file, const Place& asked_at) {
    const FileText got = read_(file);
    if (!got.text) {
      problems_.add(asked_at, fmt::format("cannot read '{}'", cut(file, 200)), got.why, got.remedy);
      return {};
    }
    if (seen_) seen_(file, *got.text);
    if (const auto deep = too_deep(*got.text)) {
      problems_.add({file, deep->line, deep->column}, deep->what, "no config is so deep",
                    "correct the text here");
      return {};
    }
    try {
      return convert(toml::parse(std::string_view(*got.text), std::string_view(file)), file);
    } catch (const toml::parse_error& error) {
      problems_.add(place_of(error.source(), file), "not valid TOML", parse_failure(error),
                    "correct the text here");
      return {};
    }
  }

  void wrong_include(const Node& node) {
    problems_.add(node.place, "'include' holds " + kind_name(node), "an array of file names is expected",
                  "write include = [\"market.toml\"]");
  }

  // --set and merging find elements by their id.
  void check_ids(const Node& node) {
    std::map<std::string, Place> seen;
    for (const Node& each : node.items) {
      check_ids(each);
      const std::string& id = node.is<ListTag>() ? id_of(each) : "";
      const Node* written = node.is<ListTag>() ? each.find("id") : nullptr;
      if (id.empty() && written != nullptr && written->is<std::string>()) {
        problems_.add(written->place, "id \"\" cannot be addressed",
                      "an id is made of letters, digits, '-' and '_'", "rename it");
      }
      if (id.empty()) continue;
      const Place& place = each.find("id")->place;
      const auto [first, is_new] = seen.emplace(id, place);
      if (!is_new) {
        problems_.add(place, fmt::format("id {} is given twice", in_quotes(id)),
                      "first at " + to_string(first->second), "rename one of them");
      }
      if (id.find_first_not_of(id_letters) != id.npos) {
        problems_.add(place, fmt::format("id {} cannot be addressed", in_quotes(id)),
                      "an id is made of letters, digits, '-' and '_'", "rename it");
      }
    }
  }

  static constexpr const char* id_letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

  std::function<FileText(const std::string&)> read_;
  std::function<void(const std::string&, const std::string&)> seen_;
  Problems& problems_;
  std::vector<std::string> open_{};  // the files being read, each included by the one before
  std::set<std::string> done_{};
};

}  // namespace

Node load_file(const Sources& sources, const std::string& file, Problems& problems) {
  return Loader(sources, problems).load(file, {.file = file});
}

std::optional<Node> parse_value(const std::string& assignment, std::size_t equals, const Place& place,
                                Problems& problems) {
  const std::string text = assignment.substr(equals + 1);
  if (const auto deep = too_deep(text)) {
    problems.add(place, deep->what, "no config is so deep", "correct the value");
    return std::nullopt;
  }
  try {
    // Padded, so that columns are those in the argument.
    const std::string line = "v" + std::string(std::max<std::size_t>(equals, 1) - 1, ' ') + "=" + text;
    const toml::table parsed = toml::parse(std::string_view(line));
    if (parsed.size() == 1) return convert(*parsed.get("v"), place.file);
  } catch (const toml::parse_error&) {
    const bool bare = !text.empty() && std::isalpha(static_cast<unsigned char>(text[0])) != 0 &&
                      std::all_of(text.begin(), text.end(), [](unsigned char c) {
                        return std::isalnum(c) != 0 || std::strchr("-_./", c) != nullptr;
                      });
    if (bare) return Node{.place = place, .value = text};
  }
  problems.add(place, fmt::format("'{}' is no value", cut(text, 200)),
               "a number, true, false, a date, a word or a TOML value is expected",
               "write for example 0.95, 2026-12-31, name or '\"two words\"'");
  return std::nullopt;
}

}  // namespace headroom::config
