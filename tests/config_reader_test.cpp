// SPDX-License-Identifier: Apache-2.0
// The TOML reading layer: exact messages, merging, dates.
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "host/config/printable.hpp"
#include "host/config/reader.hpp"

namespace headroom::config {
namespace {

using Files = std::map<std::string, std::string>;

Sources in_memory(Files files, std::vector<std::string> sets = {}, std::vector<std::string> overlays = {}) {
  return {.file = "x.toml",
          .overlays = std::move(overlays),
          .sets = std::move(sets),
          .read = [files = std::move(files)](const std::string& file) -> std::optional<std::string> {
            const auto it = files.find(file);
            return it == files.end() ? std::nullopt : std::optional(it->second);
          }};
}

// All problems of a document and of reading it, one a line; empty when there are none.
std::string problems_of(const Sources& sources, const std::function<void(const Table&)>& read) {
  try {
    Document document(sources);
    read(document.root());
    document.finish();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

enum class Kind { training, inference };

const std::vector<std::string> sites = {"vineland-1", "denton", "kansas-city"};

struct Case {
  const char* toml;
  std::function<void(const Table&)> read;
  const char* message;
};

TEST(ConfigReader, WrongValues) {
  const Date as_of(std::chrono::year(2026) / 3 / 31);
  const std::vector<Case> cases = {
      {"take_or_pay = 1.2", [](const Table& t) { t.number("take_or_pay", share()); },
       "x.toml:1:15: 'take_or_pay' is 1.2 (a share must be between 0 and 1); write a decimal such as 0.95"},
      {"fee_musd = \"5\"", [](const Table& t) { t.number("fee_musd"); },
       "x.toml:1:12: 'fee_musd' is a string (a number in USD million is expected); write it without quotes, "
       "such as "
       "1.5"},
      {"price_usd_per_gpu_hour = -2", [](const Table& t) { t.real("price_usd_per_gpu_hour", positive()); },
       "x.toml:1:26: 'price_usd_per_gpu_hour' is -2 (it must be above 0); give a number above 0 in USD per GPU "
       "hour"},
      {"p_per_year = true", [](const Table& t) { t.number("p_per_year"); },
       "x.toml:1:14: 'p_per_year' is a boolean (a number per year is expected); write a number such as 1.5"},
      {"a = -1", [](const Table& t) { t.number("a", non_negative()); },
       "x.toml:1:5: 'a' is -1 (it must not be negative); give a number 0 or more"},
      {"a = 3", [](const Table& t) { t.number("a", at_least(4)); },
       "x.toml:1:5: 'a' is 3 (it must be 4 or more); give a number 4 or more"},
      {"a_months = 90",
       [](const Table& t) { t.number("a_months", between(1, 60).because("a lease runs 1 to 60")); },
       "x.toml:1:12: 'a_months' is 90 (a lease runs 1 to 60); give a number from 1 to 60 in months"},
      {"a = nan", [](const Table& t) { t.number("a"); },
       "x.toml:1:5: 'a' is nan (a number within single precision is expected); give a finite number"},
      {"a = 1e60", [](const Table& t) { t.number("a"); },
       "x.toml:1:5: 'a' is 1e+60 (a number within single precision is expected); give a finite number"},
      {"a = 1e-60", [](const Table& t) { t.number("a", positive()); },
       "x.toml:1:5: 'a' is 1e-60 (it must be above 0); give a number above 0"},
      {"gpus = 5.0", [](const Table& t) { t.integer("gpus"); },
       "x.toml:1:8: 'gpus' is a decimal number (a whole number is expected); write a whole number such as 12"},
      {"gpus = 5000000000", [](const Table& t) { t.integer("gpus"); },
       "x.toml:1:8: 'gpus' is 5000000000 (it has to fit in 32 bits); give a number within two billion"},
      {"name = 5", [](const Table& t) { t.text("name"); },
       "x.toml:1:8: 'name' is a whole number (a text is expected); write it in quotes"},
      {"on = 1", [](const Table& t) { t.flag("on"); },
       "x.toml:1:6: 'on' is a whole number (true or false is expected); write true or false"},
      {"start = \"2026-06-30\"", [](const Table& t) { t.date("start"); },
       "x.toml:1:9: 'start' is a string (a date is expected); write a date without quotes, such as 2026-12-31"},
      {"as_of = 2026-03-30", [](const Table& t) { t.date_at_month_end("as_of"); },
       "x.toml:1:9: 'as_of' is 2026-03-30 (the model counts whole months from a month end); write 2026-03-31"},
      {"ready = 7", [=](const Table& t) { t.months("ready", as_of); },
       "x.toml:1:9: 'ready' is a whole number (a date is expected); write a date without quotes, such as "
       "2026-12-31"},
      {"start = 2026-06-30\nend = 2026-03-31",
       [](const Table& t) {
         t.date("start");
         t.date("end");
         t.in_order("start", "end");
       },
       "x.toml:2:7: 'end' is 2026-03-31 (it must not be before 'start', 2026-06-30); correct one of the two "
       "dates"},
      {"kind = \"trainin\"",
       [](const Table& t) {
         t.choice<Kind>("kind", {{"training", Kind::training}, {"inference", Kind::inference}});
       },
       "x.toml:1:8: 'kind' is \"trainin\" (it must be one of training, inference); did you mean \"training\"?"},
      {"site = \"vineland1\"", [](const Table& t) { t.ref("site", sites); },
       "x.toml:1:8: 'site' is \"vineland1\" (nothing has this id; known are vineland-1, denton, kansas-city); "
       "did you "
       "mean \"vineland-1\"?"},
      {"site = \"vineland1\"", [](const Table& t) { t.ref("site", {}); },
       "x.toml:1:8: 'site' is \"vineland1\" (there is nothing it could refer to); add it or refer to another"},
      {"sites = [\"denton\", \"oslo\"]",
       [](const Table& t) { EXPECT_EQ(t.refs("sites", sites), std::vector<std::int32_t>{1}); },
       "x.toml:1:20: 'sites[1]' is \"oslo\" (nothing has this id; known are vineland-1, denton, kansas-city); "
       "add it or "
       "refer to another"},
      {"a = [1, 2.5, -3]", [](const Table& t) { EXPECT_EQ(t.numbers("a", positive())[2], 1.0); },
       "x.toml:1:14: 'a[2]' is -3 (it must be above 0); give a number above 0"},
      {"a = [1, 2]", [](const Table& t) { EXPECT_EQ(t.numbers("a", {}, 3).size(), 3U); },
       "x.toml:1:5: 'a' has 2 numbers (3 are expected); write 3 numbers"},
      {"a = 1", [](const Table& t) { t.numbers("a"); },
       "x.toml:1:5: 'a' is a whole number (an array of numbers is expected); write a = [...]"},
      {"a = 1", [](const Table& t) { t.table("a").number("inside"); },
       "x.toml:1:5: 'a' is a whole number (a table is expected); write [a]"},
      {"[[site]]\ngpus = 1", [](const Table& t) { t.tables("site")[0].integer("gpus"); },
       "x.toml:1:1: 'id' is missing from [[site]] (a text is expected); add id = ..."},
      {"site = []", [](const Table& t) { t.tables("site", 1); },
       "x.toml:1:8: 'site' has 0 entries (at least 1 must be there); add a [[site]]"},
      {"gpus = 200",
       [](const Table& t) { t.integer("gpus"), t.reject("gpus", "the site holds 100", "raise it"); },
       "x.toml:1:8: 'gpus' is 200 (the site holds 100); raise it"},
  };
  for (const Case& each : cases) {
    EXPECT_EQ(problems_of(in_memory({{"x.toml", each.toml}}), each.read), each.message) << each.toml;
  }
}

TEST(ConfigReader, UnreadAndMissingKeys) {
  const auto read = [](const Table& root) {
    const Table debt = root.table("debt");
    debt.number("fee_musd");
    debt.number("delay_months", {}, 0.0);
    debt.number("annual_volatility", {}, 0.0);
    root.table("market").number("eta", {}, 1.0);
    for (const Table& site : root.tables("site")) site.integer("gpus");
  };
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"[debt]\nfee_musd = 1\n[market]\n", ""},
      {"[debt]\n[market]\n",
       "x.toml:1:1: 'fee_musd' is missing from [debt] (a number in USD million is expected); add fee_musd = "
       "..."},
      {"[debt]\nfee_musd = 1\n",
       "x.toml:1:1: 'market' is missing from the top level (a table is expected); add [market]"},
      {"[debt]\nfee_usd = 1e6\n[market]\n",
       "x.toml:2:1: unknown key 'fee_usd' in [debt] (wrong unit: it is 'fee_musd' here, in USD million); "
       "convert the "
       "value and write fee_musd"},
      {"[debt]\nfee_musd = 1\ndelay_years = 1\n[market]\n",
       "x.toml:3:1: unknown key 'delay_years' in [debt] (wrong unit: it is 'delay_months' here, in months); "
       "convert the "
       "value and write delay_months"},
      {"[debt]\nfee_musd = 1\nanual_volatilty = 1\n[market]\n",
       "x.toml:3:1: unknown key 'anual_volatilty' in [debt] (nothing reads it); did you mean "
       "'annual_volatility'?"},
      {"[debt]\nfee_msud = 1\n[market]\n",
       "x.toml:2:1: unknown key 'fee_msud' in [debt] (nothing reads it); did you mean 'fee_musd'?"},
      {"[debt]\nfee_musd = 1\neta = 1\n[market]\n",
       "x.toml:3:1: unknown key 'eta' in [debt] (it is a key of [market]); move it there"},
      {"[debt]\nfee_musd = 1\n[market]\n[[site]]\nid = \"a\"\ngpus = 1\npower = 1\n",
       "x.toml:7:1: unknown key 'power' in [[site]] (nothing reads it); remove it; the keys here are gpus, id"},
      {"colour = 1\n[debt]\nfee_musd = 1\n[markt]\neta = 1\n",
       "x.toml:1:1: unknown key 'colour' in the top level (nothing reads it); remove it; the keys here are "
       "debt, "
       "include, market, site\n"
       "x.toml:4:2: unknown key 'markt' in the top level (nothing reads it); did you mean 'market'?"},
  };
  for (const auto& [toml, message] : cases) {
    EXPECT_EQ(problems_of(in_memory({{"x.toml", toml}}), read), message) << toml;
  }
}

TEST(ConfigReader, ValuesAndFallbacks) {
  Document document(in_memory({{"x.toml", R"(
name = "core"
on = false
ready = 2026-04-15
kind = "inference"
of = "denton"
words = ["a", "b"]
steps = [{from = 2026-06-30, ratio = 4.5}, {from = 2027-06-30, ratio = 4}]
)"}}));
  const Table root = document.root();
  EXPECT_EQ(root.text("name"), "core");
  EXPECT_EQ(root.text("note", "none"), "none");
  EXPECT_FALSE(root.flag("on", true));
  EXPECT_EQ(root.months("ready", std::chrono::year(2026) / 3 / 31), 0.5F);
  EXPECT_EQ(root.choice<Kind>("kind", {{"training", Kind::training}, {"inference", Kind::inference}}),
            Kind::inference);
  EXPECT_EQ(root.choice<Kind>("other", {{"training", Kind::training}}, Kind::inference), Kind::inference);
  EXPECT_EQ(root.ref("of", sites), 1);
  EXPECT_EQ(root.ref("at", sites, false), -1);
  EXPECT_EQ(root.texts("words"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(root.numbers("absent", {}, {}, std::vector<double>{7}), std::vector<double>{7});
  EXPECT_EQ(root.integer("gpus", positive(), 8), 8);
  EXPECT_EQ(root.rows("steps").at(1).real("ratio"), 4.0F);
  EXPECT_FALSE(root.optional_table("vendor").has_value());
  for (const Table& step : root.rows("steps")) step.date("from"), step.real("ratio");
  EXPECT_NO_THROW(document.finish());
}

// A bound that is no float: the value on the bound is inside.
TEST(ConfigReader, BoundsAreInclusive) {
  EXPECT_EQ(problems_of(in_memory({{"x.toml", "a = 0.7\nb = 0.1"}}),
                        [](const Table& t) {
                          EXPECT_EQ(t.real("a", at_least(0.7)), 0.7F);
                          EXPECT_EQ(t.real("b", between(0.0, 0.1)), 0.1F);
                        }),
            "");
  for (const Range& range :
       {share(), positive(), non_negative(), at_least(7), between(-3, -2), Range{.high = -5},
        Range{.low = 5, .high = 6, .above_low = true}, Range{.low = 5, .above_low = true}}) {
    EXPECT_TRUE(range.holds(range.usable())) << range.low << " " << range.high;
  }
}

const Files company = {
    {"x.toml",
     "include = [\"shared/market.toml\"]\n"
     "[market.price]\neta = 1.0\n"
     "[[site]]\nid = \"a\"\ngpus = 100\n"
     "[[site]]\nid = \"b\"\ngpus = 200\n"},
    {"shared/market.toml",
     "include = [\"rates.toml\"]\n[market.price]\neta = 0.9\nkappa = 0.5\n[rates]\nstart_share = 0.05\n"},
    {"shared/rates.toml", "[rates]\nstart_share = 0.04\nspread_share = 0.1\n"},
    {"stress.toml", "[[site]]\nid = \"b\"\ngpus = 250\n[[site]]\nid = \"c\"\nnew = true\ngpus = 5\n"},
    {"worse.toml", "[market]\nprice.eta = 2\n[[site]]\nid = \"b\"\ngpus = 300\n"},
};

TEST(ConfigReader, IncludesLieBelow) {
  EXPECT_EQ(Document(in_memory(company)).canonical_text(),
            "market.price.eta = 1\n"
            "market.price.kappa = 0.5\n"
            "rates.spread_share = 0.1\n"
            "rates.start_share = 0.05\n"
            "site.a.gpus = 100\n"
            "site.a.id = \"a\"\n"
            "site.b.gpus = 200\n"
            "site.b.id = \"b\"\n");
}

TEST(ConfigReader, OverlaysAndSetsAreRecorded) {
  Document document(in_memory(
      company, {"site.a.gpus=7", "market.price.kappa = 1.5", "rates.name=flat-curve", "rates.day=2026-06-30"},
      {"stress.toml", "worse.toml"}));
  std::string said;
  for (const Override& each : document.overrides()) {
    said += each.key + ": " + each.old_value + " -> " + each.new_value + " at " + to_string(each.place) + "\n";
  }
  EXPECT_EQ(said,
            "site.b.gpus: 200 -> 250 at stress.toml:3:8\n"
            "site.c:  -> {gpus = 5, id = \"c\"} at stress.toml:4:1\n"
            "market.price.eta: 1 -> 2 at worse.toml:2:13\n"
            "site.b.gpus: 250 -> 300 at worse.toml:5:8\n"
            "site.a.gpus: 100 -> 7 at --set site.a.gpus:1:13\n"
            "market.price.kappa: 0.5 -> 1.5 at --set market.price.kappa:1:22\n"
            "rates.name:  -> \"flat-curve\" at --set rates.name:1:7\n"
            "rates.day:  -> 2026-06-30 at --set rates.day:1:7\n");
}

TEST(ConfigReader, PlacesSurviveMerging) {
  const auto read = [](const Table& root) {
    root.table("market").table("price").number("eta", share());
    root.table("market").table("price").number("kappa", at_least(1));
    root.table("rates").number("start_share", positive());
    root.table("rates").number("spread_share", at_least(1));
    for (const Table& site : root.tables("site")) site.integer("gpus", between(1, 10));
  };
  EXPECT_EQ(problems_of(in_memory(company, {"site.a.gpus=ten"}, {"stress.toml", "worse.toml"}), read),
            "--set site.a.gpus:1:13: 'gpus' is a string (a whole number is expected); write a whole number "
            "such as 12\n"
            "shared/market.toml:4:9: 'kappa' is 0.5 (it must be 1 or more); give a number 1 or more\n"
            "shared/rates.toml:3:16: 'spread_share' is 0.1 (it must be 1 or more); give a number 1 or more "
            "as a share of 1\n"
            "worse.toml:2:13: 'eta' is 2 (a share must be between 0 and 1); write 0.02 for 2%\n"
            "worse.toml:5:8: 'gpus' is 300 (it must be from 1 to 10); give a number from 1 to 10");
}

TEST(ConfigReader, WrongSets) {
  const auto read = [](const Table& root) {
    for (const char* key : {"eta", "kappa"}) root.table("market").table("price").number(key);
    for (const char* key : {"start_share", "spread_share"}) root.table("rates").number(key);
    for (const Table& site : root.tables("site")) {
      site.integer("gpus");
      site.number("delay_months", {}, 0.0);
    }
  };
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"site.a.gpuz=5",
       "--set site.a.gpuz:1:8: unknown key 'gpuz' in [[site]] (nothing reads it); did you mean 'gpus'?"},
      {"site.a.delay_years=5",
       "--set site.a.delay_years:1:8: unknown key 'delay_years' in [[site]] (wrong unit: it is 'delay_months' "
       "here, in "
       "months); convert the value and write delay_months"},
      {"markt.price.eta=1",
       "--set markt.price.eta:1:1: unknown key 'markt' in the top level (nothing reads it); did you mean "
       "'market'?"},
      {"site.d.gpus=5",
       "--set site.d.gpus:1:6: 'site' has no element \"d\" (its ids are a, b); did you mean \"a\"?"},
      {"site.a.gpus.x=5",
       "--set site.a.gpus.x:1:13: 'site.a.gpus' has no keys (it is a whole number); set it as a whole"},
      {"site.a=5",
       "--set site.a:1:6: 'site.a' cannot be set (a path names tables, elements by their id, and last a key "
       "other than "
       "id); write for example site.vineland-1.gpus=100"},
      {"site.a.id=c",
       "--set site.a.id:1:8: 'site.a.id' cannot be set (a path names tables, elements by their id, and last a "
       "key other "
       "than id); write for example site.vineland-1.gpus=100"},
      {"site",
       "--set site:1:1: no value (--set takes key=value); write for example market.supply.start_tightness=0.1"},
      {"=5",
       "--set :1:1: '' cannot be set (a path names tables, elements by their id, and last a key other than "
       "id); write "
       "for example site.vineland-1.gpus=100"},
      {"site.a.gpus=1.2.3",
       "--set site.a.gpus:1:13: '1.2.3' is no value (a number, true, false, a date, a word or a TOML value is "
       "expected); write for example 0.95, 2026-12-31, name or '\"two words\"'"},
      {"market.price={eta = 'x'}",
       "--set market.price:1:21: 'eta' is a string (a number is expected); write it without quotes, such as "
       "1.5"},
  };
  for (const auto& [set, message] : cases) {
    EXPECT_EQ(problems_of(in_memory(company, {set}), read), message) << set;
  }
}

TEST(ConfigReader, BrokenFiles) {
  const std::vector<std::pair<Files, const char*>> cases = {
      {{}, "x.toml:1:1: cannot read 'x.toml' (there is no file of that name); correct the path"},
      {{{"x.toml", "include = [\"a/b.toml\"]"}},
       "x.toml:1:12: cannot read 'a/b.toml' (there is no file of that name); correct the path"},
      {{{"x.toml", "include = \"b.toml\""}},
       "x.toml:1:11: 'include' holds a string (an array of file names is expected); write include = "
       "[\"market.toml\"]"},
      {{{"x.toml", "include = [\"b.toml\"]"}, {"b.toml", "\ninclude = [\"x.toml\"]"}},
       "b.toml:2:12: 'x.toml' includes itself (a file cannot lie below itself, directly or through others); "
       "remove this "
       "include"},
      {{{"x.toml", "include = [\"b.toml\"]\na = 1\nb = \n"}, {"b.toml", "a = 2026-02-30"}},
       "x.toml:3:5: not valid TOML (key-value pair: expected value, saw '\\n'); correct the text here"},
      {{{"x.toml", "include = [\"b.toml\", \"c.toml\"]"},
        {"b.toml", "a = 2026-02-30"},
        {"c.toml", "a = 1\na = 2"}},
       "b.toml:1:15: not valid TOML (date: expected day between 1 and 28 (inclusive), saw 30); correct the "
       "text here\n"
       "c.toml:2:5: not valid TOML (key-value pair: cannot redefine existing integer 'a'); correct the text "
       "here"},
      {{{"x.toml", "[[site]]\nid = \"a\"\n[[site]]\nid = \"a\"\n[[site]]\nid = \"a.b\""}},
       "x.toml:4:6: id \"a\" is given twice (first at x.toml:2:6); rename one of them\n"
       "x.toml:6:6: id \"a.b\" cannot be addressed (an id is made of letters, digits, '-' and '_'); rename it"},
  };
  for (const auto& [files, message] : cases) {
    EXPECT_EQ(problems_of(in_memory(files), [](const Table&) {}), message);
  }
  EXPECT_EQ(problems_of({.file = "no/such.toml"}, [](const Table&) {}),
            "no/such.toml:1:1: cannot read 'no/such.toml' (there is no file of that name); correct "
            "the path");
}

// ---- Overlays and --set: applied or refused, never ignored. ----

const Files group = {{"x.toml", R"(
[company]
name = "Kappa Cloud"
[market]
price = { eta = 1.0, kappa = 2.0 }
[[site]]
id = "a"
gpus = 100
grid = { planned = 2026-06-30 }
[[site]]
id = "b"
gpus = 200
[[covenant]]
id = "dscr"
threshold = 1.1
consequences = ["cash_trap"]
[[covenant]]
id = "liquidity"
thresholds = [{ value = 5 }]
)"}};

struct Laid {
  std::string problems{}, canonical{}, overrides{};
};

Laid lay(const std::string& overlay, std::vector<std::string> sets = {}) {
  Files files = group;
  std::vector<std::string> overlays;
  if (!overlay.empty()) files["o.toml"] = overlay, overlays = {"o.toml"};
  Laid laid;
  try {
    Document document(in_memory(std::move(files), std::move(sets), std::move(overlays)));
    document.problems().throw_if_any();  // of --set
    laid.canonical = document.canonical_text();
    for (const Override& each : document.overrides())
      laid.overrides += each.key + ": " + each.old_value + " -> " + each.new_value + "\n";
  } catch (const ConfigError& error) {
    laid.problems = error.what();
  }
  return laid;
}

TEST(ConfigOverlay, ChangesWhatItSays) {
  struct Row {
    const char* overlay;
    const char* overrides;
  };
  for (const Row& row : {
           Row{"[[site]]\nid = 'c'\nnew = true\ngpus = 5\n", "site.c:  -> {gpus = 5, id = \"c\"}\n"},
           Row{"[[inflow]]\nid = 'i'\nnew = true\namount = 5\n", "inflow.i:  -> {amount = 5, id = \"i\"}\n"},
           Row{"[[site]]\nid = 'b'\nremove = true\n", "site.b: {gpus = 200, id = \"b\"} -> \n"},
           Row{"[[site]]\nid = 'a'\nremove = ['grid']\n", "site.a.grid: {planned = 2026-06-30} -> \n"},
           Row{"[market]\nremove = true\n", "market: {price = {eta = 1, kappa = 2}} -> \n"},
           Row{"[market.price]\nremove = ['eta']\nkappa = 3\n",
               "market.price.eta: 1 -> \nmarket.price.kappa: 2 -> 3\n"},
           Row{"remove = ['market']\n", "market: {price = {eta = 1, kappa = 2}} -> \n"},
           Row{"[[covenant]]\nid = 'dscr'\nthresholds = [{ value = 2 }]\n",
               "covenant.dscr.threshold: 1.1 -> \ncovenant.dscr.thresholds:  -> [{value = 2}]\n"},
           Row{"[[covenant]]\nid = 'liquidity'\nthreshold_musd = 2\n",
               "covenant.liquidity.thresholds: [{value = 5}] -> \ncovenant.liquidity.threshold_musd:  -> 2\n"},
           Row{"[[covenant]]\nid = 'dscr'\nconsequences = []\n",
               "covenant.dscr.consequences: [\"cash_trap\"] -> []\n"},
           Row{"for = 'kappa cloud'\n[[site]]\nid = 'a'\ngpus = 7\n", "site.a.gpus: 100 -> 7\n"},
           // What is there already is no override, in whatever form.
           Row{"[[site]]\nid = 'a'\ngpus = 100.0\n", ""},
       }) {
    const Laid laid = lay(row.overlay);
    EXPECT_EQ(laid.problems, "") << row.overlay;
    EXPECT_EQ(laid.overrides, row.overrides) << row.overlay;
    EXPECT_EQ(laid.canonical == lay("").canonical, std::string(row.overrides).empty()) << row.overlay;
  }
  EXPECT_EQ(lay("", {"site.b.remove=true"}).overrides, "site.b: {gpus = 200, id = \"b\"} -> \n");
  EXPECT_EQ(lay("", {"site.a.remove=['grid']"}).overrides, "site.a.grid: {planned = 2026-06-30} -> \n");
  EXPECT_EQ(lay("", {"market.price.eta=1.0"}).overrides, "");
}

TEST(ConfigOverlay, IsRefusedWhereItWouldChangeNothing) {
  for (const auto& [overlay, says] : {
           std::pair("[[site]]\nid = 'aa'\ngpus = 5\n",
                     "o.toml:2:6: this company has no site aa (its ids are a, b); did you mean \"a\"?"),
           {"[[site]]\nid = 'oslo'\ngpus = 5\n",
            "o.toml:2:6: this company has no site oslo (its ids are a, b); correct the id, or write new = true "
            "to "
            "add it"},
           {"[[inflow]]\nid = 'i'\n",
            "o.toml:2:6: this company has no inflow i (it has none); correct the id, or write new = true to "
            "add it"},
           {"for = 'Lambda'\n[[covenant]]\nid = 'ltv'\nthreshold = 1\n",
            "o.toml:1:7: 'for' is \"Lambda\" (the company is \"Kappa Cloud\"); lay it over the config of that "
            "company\n"
            "o.toml:3:6: this company has no covenant ltv (the overlay is for \"Lambda\"); correct the id, or "
            "write "
            "new = true to add it"},
           {"for = 7\n[market.price]\neta = 3\n",
            "o.toml:1:7: 'for' is a whole number (the name of a company is expected); write for = "
            "\"CoreWeave\""},
           {"[[site]]\nid = 'a'\nnew = true\ngpus = 5\n",
            "o.toml:3:7: 'new' is true (there is a site a already); remove it, or give another id"},
           {"[[site]]\nid = 'c'\nnew = false\n",
            "o.toml:3:7: 'new' is false (only true is possible); write true, or remove it"},
           {"[market]\n",
            "o.toml:1:1: 'market' says nothing (a table is merged key by key, so that an empty one changes "
            "nothing); "
            "leave it out, or write remove = true in it"},
           {"[market.price]\n",
            "o.toml:1:1: 'market.price' says nothing (a table is merged key by key, so that an empty one "
            "changes "
            "nothing); leave it out, or write remove = true in it"},
           {"[[site]]\nid = 'a'\n",
            "o.toml:1:1: 'site.a' says nothing (a table is merged key by key, so that an empty one changes "
            "nothing); "
            "leave it out, or write remove = true in it"},
           {"# nothing\n",
            "o.toml:1:1: 'the overlay' says nothing (a table is merged key by key, so that an empty one "
            "changes "
            "nothing); leave it out"},
           {"[market.price]\nremove = ['etta']\n",
            "o.toml:2:11: \"etta\" cannot be removed ('market.price' has no such key); did you mean \"eta\"?"},
           {"[[site]]\nid = 'a'\nremove = ['id']\n",
            "o.toml:3:11: \"id\" cannot be removed (an object is known by it); write remove = true to take the "
            "object out"},
           {"[markt]\nremove = true\n",
            "o.toml:1:1: 'markt' cannot be removed (it is not there); did you mean \"market\"?"},
           {"remove = true\n",
            "o.toml:1:10: 'remove' is true (the whole config would be gone); write remove = [\"key\"]"},
           {"[market]\nremove = 7\n",
            "o.toml:2:10: 'remove' is 7 (an array of keys, or true, is expected); write remove = [\"key\"]"},
           {"[[site]]\nid = 'a'\nremove = true\ngpus = 5\n",
            "o.toml:4:1: 'gpus' is of what is removed ('remove' is true); remove one of the two lines"},
       }) {
    EXPECT_EQ(lay(overlay).problems, says) << overlay;
  }
  for (const char* set : {"market={}", "market.price={}", "site.a.grid={}", "for=x", "include=[]"})
    EXPECT_NE(lay("", {set}).problems, "") << set;
}

// ---- Where every value comes from. ----

TEST(ConfigSettings, EachHasItsOrigin) {
  const Files files = {
      {"x.toml",
       "include = [\"m.toml\"]\n[[site]]\nid = \"a\"\ngpus = 5\n[[site]]\nid = \"b\"\ngpus = 6\n"
       "pue = 1.2\nquarters = [1, 2.5]\nsteps = [{ at = 3 }]\n"},
      {"m.toml", "[defaults.site]\npue = 1.1\n"}};
  Document document(in_memory(files, {"site.a.gpus=7"}));
  const Table root = document.root();
  const Table defaults = root.table("defaults").table("site");
  defaults.number("pue");
  for (const Table& site : root.tables("site")) {
    site.number("gpus");
    site.inherit("pue", defaults);
    site.number("pue", {}, 1.1);
    site.integer("priority", {}, 1);
    site.flag("own", false);
    site.text("name", "none");
    site.choice<int>("kind", {{"hall", 0}, {"shed", 1}}, 1);
    site.assume("lease", "never");
    site.numbers("quarters", {}, {}, std::vector<double>{});
    for (const Table& step : site.rows("steps")) step.number("at");
  }
  root.section("switches").flag("demand", true);
  document.finish();
  std::string text;
  for (const Setting& each : document.settings())
    text += each.key + " = " + each.value + "  # " + origin_text(each) + "\n";
  EXPECT_EQ(text,
            "defaults.site.pue = 1.1  # m.toml:2\n"
            "site.a.gpus = 7  # --set, was 5\n"
            "site.a.id = \"a\"  # x.toml:3\n"
            "site.a.kind = \"shed\"  # default\n"
            "site.a.lease = never  # default\n"
            "site.a.name = \"none\"  # default\n"
            "site.a.own = false  # default\n"
            "site.a.priority = 1  # default\n"
            "site.a.pue = 1.1  # m.toml:2, [defaults.site]\n"
            "site.b.gpus = 6  # x.toml:7\n"
            "site.b.id = \"b\"  # x.toml:6\n"
            "site.b.kind = \"shed\"  # default\n"
            "site.b.lease = never  # default\n"
            "site.b.name = \"none\"  # default\n"
            "site.b.own = false  # default\n"
            "site.b.priority = 1  # default\n"
            "site.b.pue = 1.2  # x.toml:8\n"
            "site.b.quarters = [1, 2.5]  # x.toml:9\n"
            "site.b.steps[0].at = 3  # x.toml:10\n"
            "switches.demand = true  # default\n");
  for (const Setting& each : document.settings()) {
    if (each.key != "site.b.quarters") continue;
    ASSERT_EQ(each.numbers.size(), 2U);
    EXPECT_EQ(each.numbers[1].value, 2.5);
    EXPECT_EQ(to_string(each.numbers[1].place), "x.toml:9:16");
  }
}

TEST(ConfigReader, HashIsOfTheEffectiveConfig) {
  const auto hash = [](const std::string& toml, std::vector<std::string> sets = {}) {
    return Document(in_memory({{"x.toml", toml}}, std::move(sets))).hash();
  };
  EXPECT_EQ(hash(""), "cbf29ce484222325");  // FNV-1a's offset basis
  EXPECT_EQ(hash("a = 1\nb.c = 2"), hash("b = {c = 2.0}  # same\na = 1"));
  EXPECT_EQ(hash("a = 1"), hash("a = 2", {"a=1"}));
  EXPECT_NE(hash("a = 1"), hash("a = 2"));
  EXPECT_NE(hash("[[s]]\nid = 'a'\n[[s]]\nid = 'b'"), hash("[[s]]\nid = 'b'\n[[s]]\nid = 'a'"));
}

TEST(ConfigReader, TheTomlTextIsTheSameConfig) {
  const Files files = {{"x.toml", R"(
include = ["below.toml"]
name = "quote \" slash \\ line \n escape \u001b é"
whole = 3
decimal = 3.0
small = 1e-9
large = 1e30
flag = true
date = 2026-03-31
list = [1, 2.5, "x"]
empty = []
nothing = {}
"a key" = 1
"" = 2
deep.er.key = 1
mixed = [{ a = 1 }, 2]
[[site]]
id = "a"
[[site.stage]]
at = 2026-04-30
[[site.stage]]
at = 2026-05-31
terms = { first = 1, second = [{ x = 1 }, { x = 2 }] }
[[site]]
id = "b"
[row]
[[row.entry]]
k = 1
[[row.entry]]
)"},
                       {"below.toml", "whole = 1\n[[site]]\nid = \"z\"\n"}};
  const Document document(in_memory(files, {"site.b.gpus=5", "new.table.key=1.5"}));
  const Document again(in_memory({{"x.toml", document.toml_text()}}));
  EXPECT_EQ(again.canonical_text(), document.canonical_text());
  EXPECT_EQ(again.hash(), document.hash());
  EXPECT_EQ(again.toml_text(), document.toml_text());
}

TEST(ConfigReader, NearestCountsSwapsOnce) {
  EXPECT_EQ(nearest("gpsu", {"gpu", "gpus"}), "gpu");  // one removal, one swap: the first of equals
  EXPECT_EQ(nearest("agpus", {"x", "gpus"}), "gpus");
  EXPECT_EQ(nearest("power", {"gpus", "price"}), std::nullopt);
  EXPECT_EQ(nearest("H100", {"a100", "h100", "h200"}), "h100");
  EXPECT_EQ(nearest("A-", {"AAA", "AA", "A", "BBB", "BB"}), "A");
  EXPECT_EQ(nearest("aa", {"AAA", "AA", "A"}), "AA");
  const std::string long_word(1 << 20, 'x');
  EXPECT_EQ(nearest(long_word, {long_word + "y"}), std::nullopt);
}

TEST(ConfigReader, TextOfOthersIsPrintable) {
  EXPECT_EQ(printable("Kigali \xc3\xa9\t"), "Kigali \xc3\xa9\\u0009");
  EXPECT_EQ(printable_lines("a\tb\n\x1b[2J"), "a\tb\n\\u001b[2J");
  EXPECT_EQ(printable(std::string("\0\x7f\xc2\x9b\xe2\x80\xae", 7)), "\\u0000\\u007f\\u009b\\u202e");
  EXPECT_EQ(printable("\xff\xc3"), "\\xff\\xc3");                // not UTF-8
  EXPECT_EQ(printable("\xf0\x9f\x98\x80"), "\xf0\x9f\x98\x80");  // four bytes
  EXPECT_EQ(cut("abc", 3), "abc");
  EXPECT_EQ(cut("ab\xc3\xa9", 3), "ab...");
  std::vector<std::string> many(1000, "word");
  EXPECT_LT(listed(many).size(), 1000U);
  EXPECT_TRUE(listed(many).ends_with(", ... (1000 in all)"));
}

TEST(ConfigDates, MonthsFromAMonthEnd) {
  using std::chrono::year;
  const Date as_of(year(2026) / 3 / 31);
  const std::vector<std::pair<Date, float>> cases = {
      {year(2026) / 3 / 31, 0.0F},
      {year(2026) / 4 / 30, 1.0F},
      {year(2026) / 4 / 15, 0.5F},
      {year(2026) / 5 / 1, 1.0F + 1.0F / 31.0F},
      {year(2027) / 2 / 28, 11.0F},
      {year(2028) / 2 / 29, 23.0F},
      {year(2028) / 2 / 28, 22.0F + 28.0F / 29.0F},
      {year(2026) / 2 / 28, -1.0F},
      {year(2025) / 12 / 31, -3.0F},
      {year(2031) / 3 / 31, 60.0F},
  };
  for (const auto& [date, months] : cases)
    EXPECT_FLOAT_EQ(months_between(as_of, date), months) << format_date(date);
  for (int k = -40; k <= 120; ++k) {
    EXPECT_EQ(months_between(as_of, month_end(as_of, k)), static_cast<float>(k));
  }
  EXPECT_EQ(format_month(month_end(as_of, 11)), "2027-02");
  EXPECT_EQ(format_date(month_end(as_of, 11)), "2027-02-28");
}

}  // namespace
}  // namespace headroom::config
