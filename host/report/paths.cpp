// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <set>
#include <utility>

#include "host/report/report.hpp"

namespace headroom::report {

namespace {

struct Field {
  std::string name;
  const Record* record;
};

// A record's name without the part that says it is a mean; with `month` for an event.
std::string field_name(const Record& record) {
  const std::string_view name = record.name, mean = ".mean";
  if (!record.questions.empty() && record.questions.front().kind == Question::Kind::counts)
    return record.name + ".month";
  return std::string(name.ends_with(mean) ? name.substr(0, name.size() - mean.size()) : name);
}

std::vector<Field> fields_of(const Catalogue& catalogue) {
  std::vector<Field> fields;
  std::set<std::int32_t> known;
  for (const Record& record : catalogue.records) {
    if (record.column >= 0 && known.insert(record.column).second)
      fields.push_back({field_name(record), &record});
  }
  return fields;
}

// The head of a .npy file, version 2.0 (NumPy enhancement proposal 1): the data begin at a multiple of 64
// bytes.
std::string head_of(const std::vector<Field>& fields, std::uint64_t paths) {
  std::string types = "('path', '<u8'), ";
  for (const Field& field : fields) types += fmt::format("('{}', '<f8'), ", field.name);
  std::string text = fmt::format("{{'descr': [{}], 'fortran_order': False, 'shape': ({},), }}", types, paths);
  constexpr std::size_t kBefore = 12;
  text.append(63 - (kBefore + text.size()) % 64, ' ') += '\n';
  std::string head = "\x93NUMPY";
  head += '\x02';
  head += '\0';
  for (int i = 0; i < 4; ++i) head += static_cast<char>(text.size() >> (8 * i) & 0xff);
  return head + text;
}

}  // namespace

void write_paths(const std::filesystem::path& file, const Result& result) {
  static_assert(std::endian::native == std::endian::little);
  const std::vector<Field> fields = fields_of(result.catalogue);
  Columns& columns = *result.answers.kept;
  const std::uint64_t paths = columns.paths();
  const std::string part = fmt::format("{}.{}.part", file.string(), getpid());
  const auto refuse = [&](int error) {
    std::remove(part.c_str());
    throw OutputError(
        fmt::format("cannot write '{}': {}; no file was changed", file.string(), std::strerror(error)));
  };
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> out(std::fopen(part.c_str(), "wb"), std::fclose);
  if (!out) refuse(errno);
  const auto write = [&](const void* data, std::size_t bytes) {
    if (std::fwrite(data, 1, bytes, out.get()) != bytes) refuse(errno);
  };
  const std::string head = head_of(fields, paths);
  write(head.data(), head.size());

  // A block of rows at a time.
  constexpr std::uint64_t kRows = 4096;
  const std::size_t width = fields.size() + 1;
  std::vector<std::uint64_t> rows(kRows * width);
  std::vector<std::int32_t> values(kRows);
  std::size_t span = 0;
  std::uint64_t in_span = 0;
  for (std::uint64_t first = 0; first < paths; first += kRows) {
    const std::uint64_t count = std::min(kRows, paths - first);
    for (std::uint64_t i = 0; i < count; ++i) {
      const PathSpan* at = &result.answers.spans[span];
      if (in_span == at->count) {
        at = &result.answers.spans[++span];
        in_span = 0;
      }
      rows[i * width] = at->first + in_span++;
    }
    for (std::size_t f = 0; f < fields.size(); ++f) {
      const Record& record = *fields[f].record;
      columns.read(record.column, first, {values.data(), count});
      for (std::uint64_t i = 0; i < count; ++i) {
        const double value = values[i] < record.none ? values[i] / record.units : kUnknown;
        rows[i * width + f + 1] = std::bit_cast<std::uint64_t>(value);
      }
    }
    write(rows.data(), count * width * sizeof(std::uint64_t));
  }
  if (std::fflush(out.get()) != 0 || fsync(fileno(out.get())) != 0) refuse(errno);
  if (std::fclose(out.release()) != 0) refuse(errno);
  if (std::rename(part.c_str(), file.c_str()) != 0) refuse(errno);
}

}  // namespace headroom::report
