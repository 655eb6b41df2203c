// SPDX-License-Identifier: Apache-2.0
// Lays one file's values over another's. Tables merge key by key, arrays of tables with ids by id; anything
// else is replaced.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "host/config/node.hpp"
#include "host/config/problems.hpp"
#include "host/config/reader.hpp"

namespace headroom::config {

// Lays a file over those that it includes: it may add objects, and says nothing of it.
void merge(Node& base, Node over, Problems& problems);

// Lays an overlay, or one --set, over the config. Every change is recorded in `log`. Here an object is only
// added with new = true and anything may be taken out: remove = true in a table or object, remove = ["key"]
// above a key. What would change nothing (an empty table) is a problem; a value that is there already is none.
// for = "name": the company that the overlay is for.
void lay_over(Node& base, Node over, std::vector<Override>& log, Problems& problems);

}  // namespace headroom::config
