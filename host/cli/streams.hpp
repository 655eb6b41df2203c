// SPDX-License-Identifier: Apache-2.0
// Standard output and standard error. Both may be full, closed or lost: a result that could not be shown is
// known at the end, and a message that could not be shown ends nothing.
#pragma once

#include <string>
#include <string_view>

namespace headroom::cli {

// Call before any file is opened. A closed standard stream gets a descriptor that refuses writes, so that no
// other file is opened under its number. Writing to a closed pipe or beyond a file size limit becomes an
// error in place of a signal.
void prepare_streams();

// Writes a result to standard output, at once. Control characters except line ends and tabs are escaped.
void show(std::string_view text);
// Why something that show() was given did not get there; empty if all did. close_output() also finds what a
// file system says only when a file is closed.
std::string output_trouble();
std::string close_output();

// Writes a line to standard error, after "headroom: ". say_lines() writes lines without it.
void say(std::string_view message) noexcept;
void say_lines(std::string_view lines) noexcept;
// Writes to standard error as it is.
void draw(std::string_view text) noexcept;

}  // namespace headroom::cli
