// SPDX-License-Identifier: Apache-2.0
// summary.json keeps to its schema, checked by a library.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include "host/engine/engine.hpp"
#include "host/report/report.hpp"
#include "host/run/run.hpp"

namespace headroom {
namespace {

using Json = nlohmann::json;
using Adapter = valijson::adapters::NlohmannJsonAdapter;

class Schema : public testing::TestWithParam<const char*> {
 protected:
  Schema() {
    std::ifstream file(HEADROOM_SOURCE_DIR "/host/report/summary.schema.json");
    definition_ = Json::parse(file);
    valijson::SchemaParser(valijson::SchemaParser::kDraft7).populateSchema(Adapter(definition_), schema_);
  }
  // Every error with its place; empty: the text keeps to the schema.
  std::string errors(const Json& summary) {
    valijson::Validator validator;
    valijson::ValidationResults results;
    validator.validate(schema_, Adapter(summary), &results);
    std::string text;
    for (const auto& error : results) {
      for (const std::string& place : error.context) text += place;
      text += ": " + error.description + "\n";
    }
    return text;
  }
  Json definition_{};
  valijson::Schema schema_{};
};

Json summary_of(const char* company_name, bool binned) {
  const Company company =
      load_company({.file = std::string(HEADROOM_SOURCE_DIR) + "/configs/" + company_name + ".toml"});
  Request request;
  request.paths = {3, 0, 2000};
  if (binned) request.exact_paths = 100;
  request.by_month = true;
  const Result result = run(company, *make_cpu_backend(), request);
  return Json::parse(
      report::summary_json(company, result.data.view(), result.risk, result.guidance, {.backend = "cpu"}));
}

TEST_P(Schema, HoldsForEveryCompanyExactAndBinned) {
  EXPECT_EQ(errors(summary_of(GetParam(), false)), "");
  EXPECT_EQ(errors(summary_of(GetParam(), true)), "");
  for (const char* key : {"id", "asked_paths", "complete"})
    EXPECT_TRUE(summary_of(GetParam(), false)["run"].contains(key)) << key;
}

INSTANTIATE_TEST_SUITE_P(Companies, Schema,
                         testing::Values("demo", "lakeside-template", "coreweave-1q26", "nebius-1q26"),
                         [](const auto& instance) {
                           const std::string name = instance.param;
                           return name.substr(0, name.find('-'));
                         });

using SchemaRefuses = Schema;

TEST_P(SchemaRefuses, WhatIsMissingUnknownOrOfAnotherKind) {
  const Json good = summary_of(GetParam(), false);
  ASSERT_EQ(errors(good), "");
  Json bad = good;
  bad["run"]["schema"] = 2;
  EXPECT_NE(errors(bad), "");
  bad = good;
  bad["run"]["id"] = "not an id";
  EXPECT_NE(errors(bad), "");
  bad = good;
  bad["run"]["complete"] = "yes";
  EXPECT_NE(errors(bad), "");
  for (const char* path :
       {"/run/schema", "/results/seed", "/results/fcf_musd/total/plan", "/results/covenants/0/breach/within",
        "/results/customers/0/fees_musd/quantiles/p50", "/results/years/0/fcf_musd/quantiles/p5/low"}) {
    const Json::json_pointer place(path);
    bad = good;
    bad[place.parent_pointer()].erase(place.back());
    EXPECT_NE(errors(bad), "") << path << " may be missing";
    bad = good;
    bad[place] = true;
    EXPECT_NE(errors(bad), "") << path << " may be true";
    bad = good;
    bad[place.parent_pointer()]["other"] = Json::array();
    EXPECT_NE(errors(bad), "") << "beside " << path << " may be more";
  }
}

INSTANTIATE_TEST_SUITE_P(Companies, SchemaRefuses, testing::Values("demo"));

}  // namespace
}  // namespace headroom
