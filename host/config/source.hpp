// SPDX-License-Identifier: Apache-2.0
// From files and arguments to a tree of values.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "host/config/node.hpp"
#include "host/config/problems.hpp"
#include "host/config/reader.hpp"

namespace headroom::config {

// Reads a file and the files that it includes, merged. What cannot be read is a problem, and left out.
Node load_file(const Sources& sources, const std::string& file, Problems& problems);

// The value of key=value, which begins after `equals`: TOML, or a bare word for a string.
std::optional<Node> parse_value(const std::string& assignment, std::size_t equals, const Place& place,
                                Problems& problems);

}  // namespace headroom::config
