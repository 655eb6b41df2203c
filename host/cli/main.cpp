// SPDX-License-Identifier: Apache-2.0
#include "host/cli/cli.hpp"

int main(int count, char** values) {
  return headroom::cli::run_program(headroom::cli::Arguments(values + 1, values + count));
}
