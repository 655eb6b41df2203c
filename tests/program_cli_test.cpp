// SPDX-License-Identifier: Apache-2.0
// The program as the shell sees it: exit codes, output streams, files.
#include <nlohmann/json.hpp>
#include <sstream>

#include "program.hpp"

namespace headroom {
namespace {

TEST_F(ProgramTest, Help) {
  for (const std::vector<std::string>& words : {std::vector<std::string>{"--help"},
                                                {"run", "--help"},
                                                {"help", "run"},
                                                {"plan", "-h"},
                                                {"check", "--help"},
                                                {"info", "--help"}}) {
    const Result result = run(words);
    EXPECT_EQ(result.code, 0);
    EXPECT_TRUE(contains(result.out, "Usage: headroom"));
    EXPECT_TRUE(contains(result.out, "Exit codes: 0 done"));
    EXPECT_EQ(result.err, "");
  }
  EXPECT_EQ(run({}).code, 2);
  EXPECT_EQ(run({"--version"}).out.substr(0, 9), "headroom ");
}

TEST_F(ProgramTest, Info) {
  const Result result = run({"info"});
  EXPECT_EQ(result.code, 0);
  for (const char* word : {"commit", "instruction sets: baseline", "cuda", "card"}) {
    EXPECT_TRUE(contains(result.out, word)) << result.out;
  }
}

TEST_F(ProgramTest, WrongCommandLine) {
  struct Row {
    std::vector<std::string> words;
    const char* says;
  };
  for (const Row& row :
       {Row{{"rnu", kDemo}, "did you mean headroom run?"},
        Row{{"help", "nonsense"}, "there is no command 'nonsense'"},
        Row{{"help", "run", "plan"}, "'plan' is one word too many"},
        Row{{"run", kDemo, "--pahts", "5"}, "did you mean --paths?"},
        Row{{"run", kDemo, "--path=5"}, "did you mean --paths?"},
        Row{{"run"}, "needs a config file"},
        Row{{"run", kDemo, kDemo}, "is one too many"},
        Row{{"info", kDemo}, "takes no file"},
        Row{{"run", kDemo, "--paths", "0"}, "--paths '0' is not a whole number"},
        Row{{"run", kDemo, "--paths", "1.5"}, "--paths '1.5' is not"},
        Row{{"run", kDemo, "--paths", "many"}, "--paths 'many' is not"},
        Row{{"run", kDemo, "--paths"}, "headroom run --help"},
        Row{{"run", kDemo, "--seed", "-1"}, "--seed '-1' is not"},
        Row{{"run", kDemo, "--months", "241"}, "from 1 to 240"},
        Row{{"run", kDemo, "--backend", "cuad"}, "did you mean cuda?"},
        Row{{"run", kDemo, "--isa", "avx-512"}, "did you mean avx512?"},
        Row{{"run", kDemo, "--first-path", "18446744073709551615"}, "beyond path 2^64 - 1"},
        Row{{"run", kDemo, "--out", ""}, "--out is empty"},
        Row{{"bench", "--configs", kConfigs, "--backend", "cdua"}, "did you mean cuda?"},
        Row{{"bench", "--configs", kConfigs, "--isa", "avx3"}, "--isa 'avx3' is not one of auto, baseline"},
        Row{{"plan", kDemo, "--paths", "5"}, "headroom plan has no option '--paths'"}}) {
    const Result result = run(row.words);
    EXPECT_EQ(result.code, 2) << row.says;
    EXPECT_TRUE(contains(result.err, row.says)) << result.err << "instead of: " << row.says;
    EXPECT_EQ(result.out, "");
  }
}

TEST_F(ProgramTest, WrongConfig) {
  const Result missing = run({"run", (folder_ / "none.toml").string()});
  EXPECT_EQ(missing.code, 2);
  EXPECT_TRUE(contains(missing.err, "none.toml"));
  const Result wrong =
      run({"run", kDemo, "--set", "no_such_table.key=1", "--out", (folder_ / "results").string()});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_TRUE(contains(wrong.err, "nothing was run"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "results"));
}

TEST_F(ProgramTest, PlanAndCheck) {
  const Result plan = run({"plan", kDemo});
  EXPECT_EQ(plan.code, 0) << plan.err;
  EXPECT_TRUE(contains(plan.out, "revenue"));
  EXPECT_TRUE(contains(plan.out, "Covenant headroom"));
  const Result check = run({"check", kDemo});
  EXPECT_EQ(check.code, 0) << check.err;
  EXPECT_TRUE(contains(check.out, "no problem found"));
}

TEST_F(ProgramTest, WarningsBlockNothingUnlessAsked) {
  const Words slip = {"--set", "site.abilene.power_usd_per_kwh=75"};
  const std::string line = "--set site.abilene.power_usd_per_kwh:1:32: 'power_usd_per_kwh' is 75 (usual: ";
  const auto with = [&](Words words, const Words& more) {
    words.insert(words.end(), slip.begin(), slip.end());
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  };
  const Result check = with({"check", kDemo}, {});
  EXPECT_EQ(check.code, 0);
  EXPECT_TRUE(contains(check.out, "\n1 warning: this looks like a slip of a unit\n" + line)) << check.out;
  const Result paths = with({"run", kDemo, "--paths", "64"}, {});
  EXPECT_EQ(paths.code, 0);
  EXPECT_EQ(paths.err, "headroom: 1 number of the config looks like a slip of a unit; headroom check " + kDemo +
                           " says which\n");
  EXPECT_EQ(with({"plan", kDemo}, {}).err, paths.err);
  for (const char* command : {"check", "plan", "run", "figures"}) {
    const Result strict = with({command, kDemo}, {"--strict"});
    EXPECT_EQ(strict.code, 2) << command;
    EXPECT_EQ(strict.out, "") << command;
    EXPECT_EQ(strict.err.find(line), 0U) << strict.err;
    EXPECT_EQ(
        run({command, kDemo, "--strict", command == std::string("run") ? "--paths=64" : "--months=60"}).code,
        0);
  }
}

TEST_F(ProgramTest, CheckAllSaysWhereEveryValueComesFrom) {
  const auto all = [&](const Words& more) {
    Words words = {"check", kDemo, "--all"};
    words.insert(words.end(), more.begin(), more.end());
    return run(words).out;
  };
  const std::string base = all({});
  EXPECT_TRUE(contains(base, "\nsite.abilene.gpus = 10000  # " + kDemo + ":")) << base.substr(0, 3000);
  EXPECT_TRUE(contains(base, "\nsite.abilene.pue = 1.15  # " + kConfigs + "/market.toml:")) << base;
  EXPECT_TRUE(contains(base, "\ntranche.ddtl.cash_sweep = false  # default\n"));
  // One line differs, besides the hash and the list of overrides.
  const std::string other = all({"--set", "site.abilene.pue=1.3"});
  EXPECT_TRUE(contains(other, "\nsite.abilene.pue = 1.3  # --set\n"));
  std::istringstream a(base), b(other);
  std::string left, right;
  int differ = 0;
  const auto skip_to_settings = [](std::istringstream& text, std::string& line) {
    while (std::getline(text, line) && !line.empty()) continue;
  };
  skip_to_settings(a, left), skip_to_settings(b, right);
  while (std::getline(a, left) && std::getline(b, right)) differ += left != right ? 1 : 0;
  EXPECT_EQ(differ, 1);
  EXPECT_TRUE(a.peek() == EOF && b.peek() == EOF);

  ASSERT_EQ(
      run({"run", kDemo, "--paths", "64", "--out", path("results"), "--set", "site.abilene.pue=1.3"}).code, 0);
  const std::string inputs = read(folder_ / "results" / "inputs.toml");
  EXPECT_TRUE(contains(inputs, "\n# site.abilene.pue = 1.3  # --set\n")) << inputs;
  EXPECT_TRUE(contains(inputs, "\n# tranche.ddtl.cash_sweep = false  # default\n"));
}

TEST_F(ProgramTest, APlanSaysWhatItIsOf) {
  const std::string key = "site.abilene.unplanned_months";
  const Result plan = run({"plan", kDemo, "--set", key + "=4"});
  EXPECT_TRUE(contains(plan.out, key + " = 4 (not in the config)")) << plan.out.substr(0, 300);
  EXPECT_NE(plan.out.substr(0, plan.out.find('\n')), run({"plan", kDemo}).out.substr(0, plan.out.find('\n')));
}

// A loan that falls due at once, and nobody to refinance it.
TEST_F(ProgramTest, APlanThatIsNotFundedSaysSoFirst) {
  const Result funded = run({"plan", kDemo});
  EXPECT_FALSE(contains(funded.out, "not funded")) << funded.out;
  EXPECT_FALSE(contains(funded.out, "The plan itself breaches")) << funded.out;

  const Result plan = run({"plan", kDemo, "--set", "tranche.notes-2030.maturity=2026-12-31", "--set",
                           "tranche.notes-2030.remove=['refinanceable', 'refinance_spread_per_year', "
                           "'refinance_months']",
                           "--set", "entity.halcyon.cash_musd=100"});
  EXPECT_EQ(plan.code, 0) << plan.err;
  const std::size_t said = plan.out.find("The plan is not funded\n  from 2026-"), table = plan.out.find("2Q26");
  EXPECT_LT(said, table) << plan.out;
  EXPECT_TRUE(contains(plan.out, "Halcyon Compute Inc. lacks cash: ")) << plan.out;
  EXPECT_TRUE(contains(plan.out, "The plan itself breaches\n  2026-")) << plan.out;
  EXPECT_TRUE(contains(plan.out, "Minimum liquidity\n")) << plan.out;
  EXPECT_TRUE(contains(plan.out, "  USD million, until 2026-12")) << plan.out;
  EXPECT_TRUE(contains(plan.out, "  cash at as_of                               100.0\n")) << plan.out;
  const Result borrower =
      run({"plan", kConfigs + "/coreweave-1q26.toml", "--set", "site.build-2026-h2-c.unplanned_months=0",
           "--set", "contract.meta-2026-a.price_usd_per_gpu_hour=0.8"});
  EXPECT_TRUE(contains(borrower.out, "Borrower of DDTL 4.0 cannot pay\n")) << borrower.out;
}

TEST_F(ProgramTest, AmountsBeyondTheLedgerAreRefused) {
  const auto refused = [&](const std::string& set, const std::string& says) {
    for (const char* command : {"check", "plan", "run"}) {
      const Result result = run({command, kDemo, "--set", set});
      EXPECT_EQ(result.code, 2) << command << " " << set;
      EXPECT_TRUE(contains(result.err, says)) << result.err;
      EXPECT_EQ(result.out, "");
    }
  };
  refused("entity.halcyon.sga_fixed_musd_per_month=100000",
          "demo.toml:6:8: the plan: an amount leaves the ledger (it ends "
          "at 2^30 ledger units, 1073741 million USD); correct the amount that is too large, or raise "
          "company.ledger_unit_usd\n--set entity.halcyon.sga_fixed_musd_per_month:");
  refused("site.abilene.power_usd_per_kwh=1e9", "'power_usd_per_kwh' is 1000000000 (with it the amount is ");
  refused("market.price.volatility_per_year.shortage=1e6", " of the first 256 paths: ");
}

TEST_F(ProgramTest, RunWritesFilesThatDoNotDependOnThreads) {
  const auto folder = [&](const char* name) { return (folder_ / name).string(); };
  const Result one = run({"run", kDemo, "--paths", "3k", "--seed", "5", "--backend", "cpu", "--threads", "1",
                          "--isa", "baseline", "--out", folder("one")});
  ASSERT_EQ(one.code, 0) << one.err;
  EXPECT_EQ(one.err, "");  // no progress bar in a pipe
  EXPECT_TRUE(contains(one.out, "3,000 paths"));
  EXPECT_TRUE(contains(one.out, "Violated identities: 0"));
  const Result many =
      run({"run", kDemo, "--paths", "3e3", "--seed", "5", "--threads", "3", "--out", folder("many")});
  ASSERT_EQ(many.code, 0) << many.err;
  for (const char* file : {"fcf.csv", "covenants.csv", "monthly.csv"}) {
    EXPECT_GT(read(folder_ / "one" / file).size(), 100U) << file;
    EXPECT_EQ(read(folder_ / "one" / file), read(folder_ / "many" / file)) << file;
  }
  const auto summary = [&](const char* name) {
    return nlohmann::ordered_json::parse(read(folder_ / name / "summary.json"));
  };
  EXPECT_EQ(summary("one")["results"].dump(), summary("many")["results"].dump());

  const Result other = run({"run", kDemo, "--paths", "3_000", "--seed", "6", "--out", folder("many")});
  EXPECT_EQ(other.code, 0);
  EXPECT_NE(read(folder_ / "one" / "fcf.csv"), read(folder_ / "many" / "fcf.csv"));
}

TEST_F(ProgramTest, BeyondTheExactPathsTheResolutionIsTold) {
  const Result exact = run({"run", kDemo, "--paths", "2k"});
  const Result binned = run({"run", kDemo, "--paths", "2k", "--exact-paths", "1k"});
  EXPECT_EQ(binned.code, 0) << binned.err;
  EXPECT_FALSE(contains(exact.out, "come from histograms"));
  EXPECT_TRUE(contains(binned.out, "come from histograms")) << binned.out;
}

TEST_F(ProgramTest, Bench) {
  const std::string rows = (folder_ / "bench" / "rows.json").string();
  const Result result =
      run({"bench", "--configs", kConfigs, "--backend", "cpu", "--repetitions", "2", "--row-seconds", "5",
           "--filter", "^floor/.*/demo|whole/cold/demo/1e.05|object/covenant", "--json", rows});
  EXPECT_EQ(result.code, 0) << result.err;
  std::ifstream in(rows);
  const auto json = nlohmann::json::parse(in);
  EXPECT_FALSE(json.at("context").at("compiler").get<std::string>().empty());
  std::vector<std::string> names;
  for (const auto& row : json.at("rows")) {
    names.push_back(row.at("name"));
    EXPECT_TRUE(row.at("measured").get<bool>()) << row.dump();
    EXPECT_GE(row.at("least_seconds").get<double>(), 0) << row.dump();
    EXPECT_LE(row.at("least_seconds").get<double>(), row.at("median_seconds").get<double>()) << row.dump();
    EXPECT_TRUE(contains(result.out, names.back()));
  }
  EXPECT_EQ(names, (std::vector<std::string>{"floor/words/demo", "floor/normals/demo", "whole/cold/demo/1e+05",
                                             "object/covenant"}));
  EXPECT_TRUE(
      contains(run({"bench", "--configs", kConfigs, "--filter", "("}).err, "is not a regular expression"));
  EXPECT_TRUE(contains(run({"bench", "--configs", "/nowhere"}).err, "no demo.toml in '/nowhere'"));
}

TEST_F(ProgramTest, BenchKeepsOldResultsWhereItHasNoNewOnes) {
  const std::string rows = (folder_ / "rows.json").string();
  std::ofstream(rows) << "old";
  const Result nothing = run({"bench", "--configs", kConfigs, "--filter", "flor/words", "--json", rows});
  EXPECT_EQ(nothing.code, 2);
  EXPECT_TRUE(contains(nothing.err, "no row's name holds 'flor/words'")) << nothing.err;
  EXPECT_EQ(read(rows), "old");

  // One row is done soon; the next takes far longer than the signal.
  const pid_t child = start({"bench", "--configs", kConfigs, "--backend", "cpu", "--threads", "1", "--isa",
                             "baseline", "--repetitions", "1", "--row-seconds", "3600", "--filter",
                             "floor/words/demo|paths/demo/120m/1e.06", "--json", rows},
                            (folder_ / "out").string());
  for (int tries = 0; tries < 1000 && !contains(read(folder_ / "out"), "floor/words/demo"); ++tries)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  kill(child, SIGINT);
  const Result result = finish(child);
  EXPECT_EQ(result.code, 130);
  EXPECT_TRUE(contains(result.err, "1 rows were measured, and written as not complete")) << result.err;
  const auto json = nlohmann::json::parse(read(rows));
  EXPECT_FALSE(json.at("context").at("complete").get<bool>());
  EXPECT_EQ(json.at("rows").size(), 1U);
}

TEST_F(ProgramTest, TooManyPathsForTheMemory) {
  const Result result = run({"run", kDemo, "--paths", "8G", "--exact-paths", "8G", "--backend", "cpu"});
  EXPECT_EQ(result.code, 2);
  EXPECT_TRUE(contains(result.err, "run at most --paths")) << result.err;
}

TEST_F(ProgramTest, CudaWithoutACard) {
  if (!contains(run({"info"}).out, "card        none")) GTEST_SKIP() << "a card answers";
  const Result result = run({"run", kDemo, "--backend", "cuda", "--paths", "1k"});
  EXPECT_EQ(result.code, 4);
  EXPECT_TRUE(contains(result.err, "--backend cuda is not available: ")) << result.err;
  const Result automatic = run({"run", kDemo, "--paths", "1k"});
  EXPECT_EQ(automatic.code, 0);
  EXPECT_TRUE(contains(automatic.out, "backend cpu, chosen because cuda is not available")) << automatic.out;
}

}  // namespace
}  // namespace headroom
