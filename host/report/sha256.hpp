// SPDX-License-Identifier: Apache-2.0
// SHA-256 (FIPS 180-4), as sha256sum prints it.
#pragma once

#include <string>
#include <string_view>

namespace headroom::report {

std::string sha256(std::string_view content);  // 64 hex digits

}  // namespace headroom::report
