// SPDX-License-Identifier: Apache-2.0
// A company as read from its config: the parameters that a backend runs on (ScenarioData), and the names,
// dates and reported figures that only reports need.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "host/config/reader.hpp"
#include "host/engine/scenario_data.hpp"

namespace headroom {

struct Named {
  std::string id;
  std::string label;  // printed in reports; the id if the config gives no name
};

// Actual figures from 1 January to as_of. With them the first calendar year can be shown in full.
struct Reported {
  double revenue_musd, ebitda_musd, interest_musd, capex_musd, ocf_musd;
  double fcf_musd() const { return ocf_musd - capex_musd; }
};

enum class GuidanceMeasure { revenue, ebitda, capex, exit_arr, backlog };
struct Guidance {
  std::string id;
  GuidanceMeasure measure;
  int year;  // exit_arr and backlog: at the end of the year, or at as_of if as_of is in the year before
  double low_musd, high_musd;
  std::string source;
};

// Totals of what was read. `headroom check` prints them, so that a missing section shows as a zero.
struct Totals {
  int sites = 0, running_sites = 0, customers = 0, contracts = 0, optional_contracts = 0, tranches = 0;
  int covenants = 0, covenant_tests = 0;  // tests within the horizon
  int equity_inflows = 0;
  double gpus = 0, running_gpus = 0, it_mw = 0, running_it_mw = 0;
  double contracted_gpus = 0;      // in force at as_of
  double contract_value_musd = 0;  // from as_of on, without options
  double option_value_musd = 0;
  double deferred_revenue_musd = 0, prepayments_due_musd = 0;
  double debt_drawn_musd = 0, debt_undrawn_musd = 0, cash_musd = 0, equity_inflow_musd = 0;
  double capex_to_go_musd = 0;  // of sites that are not open yet
  double other_net_assets_musd = 0;
};

// Everything that a company was read from. Read again, it gives the same company, with the same places.
struct SourceTexts {
  std::string file{};
  std::vector<std::string> overlays{}, sets{};
  std::map<std::string, std::string> texts{};  // by file
};

struct Company {
  std::string name{};
  config::Date as_of{};
  std::vector<Named> gpu_types{}, launches{}, sites{}, customers{}, entities{}, tranches{}, covenants{};
  std::vector<Named> contracts{};  // in the scenario's order: by site, then priority
  std::vector<double> site_it_mw{};
  std::optional<Reported> reported{};
  std::vector<Guidance> guidance{};
  Totals totals{};
  std::vector<config::Override> overrides{};
  std::string hash{};                       // hash of canonical_text
  std::string canonical_text{};             // the effective config
  std::string inputs{};                     // the effective config as one TOML file
  std::vector<config::Setting> settings{};  // every value, written or not, by key
  SourceTexts sources{};                    // empty if a study gave the parsed file
  ScenarioData data{};
};

// Throws config::ConfigError with every problem found. `months` replaces company.horizon_months.
Company load_company(const config::Sources& sources, std::optional<int> months = {});
Company reload_company(const SourceTexts& sources);

}  // namespace headroom
