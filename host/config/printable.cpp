// SPDX-License-Identifier: Apache-2.0
#include "host/config/printable.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

namespace headroom::config {

namespace {

unsigned byte(char c) { return static_cast<unsigned char>(c); }

// The character that `text` begins with, and its bytes; no bytes if it is not UTF-8.
struct Character {
  std::uint32_t code = 0;
  std::size_t bytes = 0;
};

Character first_character(std::string_view text) {
  const unsigned lead = byte(text.front());
  if (lead < 0x80) return {lead, 1};
  const std::size_t bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < bytes) return {};
  std::uint32_t code = lead & (0x7fU >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(text[i]) & 0xc0U) != 0x80U) return {};
    code = code << 6U | (byte(text[i]) & 0x3fU);
  }
  return {code, bytes};
}

bool is_control(std::uint32_t code) {
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x2028 && code <= 0x202e) ||
         (code >= 0x2066 && code <= 0x2069);
}

std::string escaped(std::string_view text, bool lines) {
  const auto plain = [lines](char c) { return (c >= ' ' && c < 0x7f) || (lines && (c == '\n' || c == '\t')); };
  if (std::all_of(text.begin(), text.end(), plain)) return std::string(text);
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Character next = first_character(text);
    if (plain(text.front())) {
      out += text.front();
    } else if (next.bytes == 0) {
      out += fmt::format("\\x{:02x}", byte(text.front()));
    } else if (is_control(next.code)) {
      out += fmt::format("\\u{:04x}", next.code);
    } else {
      out += text.substr(0, next.bytes);
    }
    text.remove_prefix(std::max<std::size_t>(next.bytes, 1));
  }
  return out;
}

}  // namespace

std::string printable(std::string_view text) { return escaped(text, false); }

std::string printable_lines(std::string_view text) { return escaped(text, true); }

std::string cut(std::string_view text, std::size_t most) {
  if (text.size() <= most) return std::string(text);
  while (most > 0 && (byte(text[most]) & 0xc0U) == 0x80U) --most;
  return std::string(text.substr(0, most)) + "...";
}

}  // namespace headroom::config
