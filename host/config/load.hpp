// SPDX-License-Identifier: Apache-2.0
// What the parts of the loader share. load_company() in company.hpp is the way in.
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

// [[objects]] of one kind, in the order of the file.
struct Objects {
  std::vector<Table> tables{};
  std::vector<std::string> ids{};
  std::size_t size() const { return tables.size(); }
};

// A key that may stand in an object or in the [defaults] of its kind.
class Layered {
 public:
  Layered(Table own, std::optional<Table> defaults) : own_(own), defaults_(defaults) {}
  const Table& own() const { return own_; }

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
  bool as_of_known = false;  // without it nothing is said about past and future
  std::int32_t months = 0;
  double ledger_unit_usd = 0;
  Objects delays{}, ratings{}, gpus{}, entities{}, sites{}, customers{}, contracts{}, tranches{};
  std::vector<derive::Delay> delay{};         // as delays
  std::vector<double> one_year_default{};     // as ratings
  std::vector<std::int32_t> entity_index{};   // as entities -> Scenario's order
  std::map<StreamId, std::string> streams{};  // to find collisions

  Objects objects(std::string_view key, std::size_t at_least = 0) const;
  static Named named(const Table& table);

  // Money in ledger units; amounts stay under 2^30 of them.
  Range money_range() const;
  Money musd(const Table& table, std::string_view key, std::optional<double> fallback = {}) const;
  Money signed_musd(const Table& table, std::string_view key) const;
  Money ledger(double musd) const;                                             // rounded
  Real ledger_real(double musd) const;                                         // not rounded
  Money bounded(double musd, const Table& table, std::string_view key) const;  // of a product of keys

  // A date in months; far away where it is not one, so that one mistake is one problem.
  Real month(const Table& table, std::string_view key, std::optional<Real> fallback = {}) const {
    return table.months(key, as_of, !fallback && table.has(key) ? kNeverReal : fallback);
  }
  // The month in which a date falls, 0 at as_of.
  std::int32_t whole_month(const Table& table, std::string_view key,
                           std::optional<std::int32_t> fallback = {}) const;
  bool past(const Table& table, std::string_view key) const;    // not after as_of
  bool future(const Table& table, std::string_view key) const;  // after as_of
  std::string date_text(double month) const;                    // for messages

  StreamId stream(const std::string& name, const Place& place);
  DelayParams delay_of(std::int32_t index, const std::string& stream_name, const Place& place);
  std::int32_t entity_of(const Table& table) const;  // the parent where the table names none
};

// Of an object, by its key on_plan. `no_effect`: why on_plan = true would change nothing; empty where it does.
std::uint32_t object_switches(const Table& table, std::string_view no_effect = {}, bool otherwise = false);

void forbid(const Table& table, std::initializer_list<std::string_view> keys, std::string_view why,
            std::string_view remedy);

// In this order: each uses what the ones before it read.
void load_market(Loading& in);    // load_market.cpp
void load_entities(Loading& in);  // load_capital.cpp
void load_tranches(Loading& in);
void load_sites(Loading& in);      // load_sites.cpp
void load_contracts(Loading& in);  // load_contracts.cpp: customers, contracts, on-demand pool
void load_covenants(Loading& in);
void balance(Loading& in);  // opening PP&E and other net assets of each entity

}  // namespace headroom::config
