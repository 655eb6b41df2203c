// SPDX-License-Identifier: Apache-2.0
// Shared by the parts of the loader. The entry point is load_company() in company.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "headroom/hd.hpp"
#include "headroom/scenario.hpp"
#include "host/config/company.hpp"
#include "host/config/derive.hpp"
#include "host/config/problems.hpp"
#include "host/config/reader.hpp"
#include "host/engine/scenario_data.hpp"

namespace headroom::config {

// A length of time in months or years. Nothing takes less than an hour or more than a thousand years.
Range length();

// [[objects]] of one kind, in the file's order.
struct Objects {
  std::vector<Table> tables{};
  std::vector<std::string> ids{};
  std::size_t size() const { return tables.size(); }
};

// Reads a key from an object, or else from the [defaults] of its kind.
class Layered {
 public:
  Layered(Table own, std::optional<Table> defaults) : own_(own), defaults_(defaults) {}
  const Table& own() const { return own_; }
  const Table& holder(std::string_view key) const {
    return own_.has(key) || !defaults_ || !defaults_->has(key) ? own_ : *defaults_;
  }

  double number(std::string_view key, const Range& range) const;
  Real real(std::string_view key, const Range& range) const { return static_cast<Real>(number(key, range)); }
  bool flag(std::string_view key) const;
  std::int32_t ref(std::string_view key, const std::vector<std::string>& ids) const;

 private:
  Table own_;
  std::optional<Table> defaults_;
};

struct Loading {
  Document& document;
  Table root;
  Company& company;
  ScenarioData& data;
  Problems& problems;
  Date as_of{};
  bool as_of_known = false;  // if false, no message compares a date with as_of
  std::int32_t months = 0;
  double ledger_unit_usd = 0;
  Objects delays{}, ratings{}, gpus{}, entities{}, sites{}, customers{}, contracts{}, tranches{}, cases{};
  std::vector<derive::Delay> delay{};                       // in the order of `delays`
  std::vector<std::vector<double>> default_within_years{};  // cumulative, in the order of `ratings`
  std::vector<std::int32_t> entity_index{};   // from the order of `entities` to the Scenario's order
  std::map<StreamId, std::string> streams{};  // to find collisions

  Objects objects(std::string_view key, std::size_t at_least = 0) const;
  static Named named(const Table& table);

  // Money in ledger units; amounts stay below 2^30 of them.
  Range money_range() const;
  Money musd(const Table& table, std::string_view key, std::optional<double> fallback = {}) const;
  Money signed_musd(const Table& table, std::string_view key) const;
  Money ledger(double musd) const;                                                // rounded
  Real ledger_real(double musd, const Table& table, std::string_view key) const;  // bounded, not rounded
  Money bounded(double musd, const Table& table, std::string_view key) const;     // for a product of keys

  // A date in months. If it is not a date: a month far away, so that one mistake is reported once.
  Real month(const Table& table, std::string_view key, std::optional<Real> fallback = {}) const;
  // The month that a date falls in; 0 for as_of.
  std::int32_t whole_month(const Table& table, std::string_view key,
                           std::optional<std::int32_t> fallback = {}) const;
  bool past(const Table& table, std::string_view key) const;    // not after as_of
  bool future(const Table& table, std::string_view key) const;  // after as_of
  std::string date_text(double month) const;                    // for messages

  StreamId stream(const std::string& name, const Place& place);
  DelayParams delay_of(std::int32_t index, const std::string& stream_name, const Place& place,
                       double months_to_go = 0);
  std::int32_t entity_of(const Table& table) const;  // the parent if the table names none
};

// An object's switches, by its key on_plan. `no_effect`: why on_plan = true would change nothing; empty if it
// would change something.
std::uint32_t object_switches(const Table& table, std::string_view no_effect = {}, bool otherwise = false);

void forbid(const Table& table, std::initializer_list<std::string_view> keys, std::string_view why,
            std::string_view remedy);

// Called in this order: each uses data read by those before it.
void load_market(Loading& in);    // load_market.cpp
void load_entities(Loading& in);  // load_capital.cpp
void load_tranches(Loading& in);
void load_sites(Loading& in);      // load_sites.cpp
void load_cases(Loading& in);      // likewise: lenders' cases
void load_contracts(Loading& in);  // load_contracts.cpp: customers, contracts, on-demand pool
void load_covenants(Loading& in);
void balance(Loading& in);  // opening PP&E and other net assets of each entity

}  // namespace headroom::config
