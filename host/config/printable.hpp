// SPDX-License-Identifier: Apache-2.0
// Text of others (names, paths, arguments) as a terminal may receive it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace headroom::config {

// With every control character, line end, change of the writing direction and byte outside UTF-8 written as
// \u001b or \xff: nothing that a config says moves the cursor, clears the screen or adds a line.
std::string printable(std::string_view text);
// The same for a text of several lines: line ends and tabs stay.
std::string printable_lines(std::string_view text);

// The first `most` bytes, cut between characters, and "..." in place of the rest.
std::string cut(std::string_view text, std::size_t most);

}  // namespace headroom::config
