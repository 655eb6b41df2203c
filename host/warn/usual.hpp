// SPDX-License-Identifier: Apache-2.0
// The usual ranges of what a config says, one row each.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "host/config/company.hpp"

namespace headroom {

// The numbers and words of a config, by key.
class Said {
 public:
  explicit Said(const Company& company);

  double number(const std::string& key) const;     // 0 if it is not there, or no single number
  std::string word(const std::string& key) const;  // without quotes; empty if it is not there
  double cost(const std::string& site) const;      // USD million: its GPUs and fit-out
  // USD million that the GPUs and the fit-out of an entity's sites cost in all (empty: of all entities).
  double fleet(const std::string& entity) const;
  double running(const std::string& entity) const;  // of the open ones; of all where none is open

  // From here on, nothing is measured against the sites, or against GPU prices: one of them looks wrong itself.
  void distrust_sites() { sites_trusted_ = false; }
  void distrust_prices() { prices_trusted_ = false; }
  bool trusts_sites() const { return sites_trusted_; }
  bool trusts_prices() const { return prices_trusted_; }

 private:
  std::map<std::string, const config::Setting*> by_key_{};
  std::map<std::string, double> fleet_{}, running_{};
  bool sites_trusted_ = true, prices_trusted_ = true;
};

// What a number is divided by before it is compared; 0: the row does not apply to this object.
using Against = double (*)(const Said&, const std::string& object);

struct Usual {
  std::string_view key;   // site.*.pue: * is an object's id, [] the number of a row
  double low, high;       // of the absolute value, or ratio; zero is usual everywhere
  Against against;        // null: the number itself
  std::string_view unit;  // of what is compared
  std::string_view
      source;  // of the range. [R], [F], [P], [D]: as in configs; "assumption": a judgement of ours
};

std::span<const Usual> usual_ranges();

}  // namespace headroom
