#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# usage: throwaway.sh FOLDER CMAKE [ARGUMENT]...
# Adds a measure, its sum by calendar year and two covenant metrics (an amount and a ratio) to a copy of the sources in
# FOLDER, one row each and a formula. Looks for them in everything that a run writes, and for what was touched.
set -eu
copy=$(mkdir -p "$1" && cd "$1" && pwd) cmake=$2
shift 2
fail() { echo "throwaway.sh: $*" >&2; exit 1; }


rm -rf "$copy/source" "$copy/out"
mkdir "$copy/source"
cp -r CMakeLists.txt include host cuda configs "$copy/source"
model=$copy/source/include/headroom

# insert FILE PATTERN TEXT: TEXT before the one line of FILE that matches PATTERN.
insert() {
  [ "$(grep -c "$2" "$model/$1")" = 1 ] || fail "$1 has not one line '$2'"
  TEXT=$3 awk -v pattern="$2" '$0 ~ pattern { print ENVIRON["TEXT"] } { print }' "$model/$1" >"$copy/edited"
  mv "$copy/edited" "$model/$1"
}
touched() {
  for folder in include host cuda; do diff -rq "$folder" "$copy/source/$folder" || true; done |
    sed 's/^Files \([^ ]*\) and .*/\1/' | tr '\n' ' '
}

insert measures.hpp '^  X[(]kRevenue, "' '  X(kThrowaway, "throwaway", "a measure to throw away", "musd", money, flow) \'
insert measures.hpp '^  X[(]kYearRevenue,' '  X(kYearThrowaway, kThrowaway, high) \'
lanes="-std=c++20 -fsyntax-only -I$copy/source/include -I$copy/source -DHEADROOM_ISA=baseline $copy/source/host/cpu/lanes.cpp"
if ${CXX:-c++} $lanes 2>"$copy/without_formula"; then fail "a measure without a formula compiles"; fi
grep -q 'kThrowaway' "$copy/without_formula" || fail "the compiler does not say which formula is missing"
insert month/record.hpp '^HEADROOM_HD Money measured[(]Of<kRevenue>' \
  'HEADROOM_HD Money measured(Of<kThrowaway>, const MonthEnd& x) { return 2 * x.group.capex; }'
[ "$(touched)" = "include/headroom/measures.hpp include/headroom/month/record.hpp " ] || fail "a measure touches $(touched)"

sed 's/"throwaway"/""/' "$model/measures.hpp" >"$copy/unnamed.hpp"
if ${CXX:-c++} -std=c++20 -fsyntax-only -x c++ -I"$model/.." "$copy/unnamed.hpp" 2>/dev/null; then
  fail "a measure without a name compiles"
fi

insert model/metrics.hpp '^}  // namespace metric$' '
struct ThrowawayAmount : MetricDefaults {
  static constexpr const char* label = "an amount to throw away";
  static constexpr Scale scale = Scale::money;
  static constexpr Bound bound = Bound::maximum;
  static constexpr Empty empty = Empty::none;
  static constexpr WindowRule window = WindowRule::none;
  HEADROOM_HD static Real value(const auto& x) { return x.debt; }
  HEADROOM_HD static Real missing(const auto& x, Real limit) { return x.debt - limit; }
};
struct ThrowawayRatio : MetricDefaults {
  static constexpr const char* label = "a ratio to throw away";
  static constexpr Scale scale = Scale::fixed_point;
  static constexpr Bound bound = Bound::minimum;
  static constexpr Empty empty = Empty::passes;
  static constexpr WindowRule window = WindowRule::annual;
  HEADROOM_HD static Real value(const auto& x) { return ratio_of<ThrowawayRatio>(x.cash, x.debt); }
  HEADROOM_HD static Real missing(const auto& x, Real limit) { return fma(limit, x.debt, -x.cash); }
  HEADROOM_HD static WindowRow deemed(Money amount) { return deemed_ebitda(amount); }
};'
insert model/metrics.hpp '^  X[(]dscr, Dscr[)]' '  X(throwaway_amount, ThrowawayAmount) X(throwaway_ratio, ThrowawayRatio) \'
[ "$(touched)" = "include/headroom/measures.hpp include/headroom/model/metrics.hpp include/headroom/month/record.hpp " ] ||
  fail "a metric touches $(touched)"

# Built to be soon there: the libraries' headers are read once, and little is optimised.
cat >"$copy/quick.cmake" <<'END'
cmake_language(DEFER CALL target_precompile_headers headroom_core PRIVATE <algorithm> <functional> <map> <memory>
               <optional> <string> <thread> <vector> <fmt/format.h> <nlohmann/json.hpp>)
cmake_language(DEFER CALL target_compile_options headroom_cpu_baseline PRIVATE -O0)
END
"$cmake" "$@" -S "$copy/source" -B "$copy/build" -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG=-O1 \
  -DHEADROOM_CUDA=OFF -DHEADROOM_TESTS=OFF -DHEADROOM_BASELINE_ONLY=ON -DCMAKE_PROJECT_headroom_INCLUDE="$copy/quick.cmake" >"$copy/log" ||
  { cat "$copy/log"; fail "cmake"; }
"$cmake" --build "$copy/build" --target headroom --parallel 2 >"$copy/log" 2>&1 || { cat "$copy/log"; fail "build"; }

config=$copy/source/configs/throwaway.toml
cat configs/demo.toml - >"$config" <<'END'

[[covenant]]
id = "slack"
name = "Slack"
metric = "throwaway_amount"
tests = "monthly"
first_test = 2026-04-30
threshold_musd = 200.0

[[covenant]]
id = "cover"
name = "Cover"
metric = "throwaway_ratio"
window = "trailing_3"
tests = "monthly"
first_test = 2026-04-30
threshold = 0.5
END
"$copy/build/headroom" run "$config" --paths 256 --out "$copy/out" >"$copy/run.txt" || fail "run"
"$copy/build/headroom" plan "$config" >"$copy/plan.txt" || fail "plan"

# holds FILE PATTERN...
holds() {
  file=$copy/$1
  shift
  for pattern in "$@"; do grep -qE "$pattern" "$file" || fail "'$pattern' is not in $file"; done
}
holds out/monthly.csv '^throwaway,musd,2026-04' '^headroom/slack,musd,' '^headroom/cover,ratio,'
holds out/covenants.csv '^slack,2026-04,200,' '^cover,2026-04,0\.5,'
holds out/results.csv "^throwaway.2026-04.mean,.*,musd," "^throwaway.2027.p5," "^breach.slack.12m," "^covenant.cover.headroom.2026-04.p50,"
holds out/summary.json '"throwaway_musd"' '"metric": *"throwaway_amount"' '"metric": *"throwaway_ratio"' '"limit": *"maximum"'
holds run.txt 'Slack' 'Cover'
holds plan.txt 'Slack: throwaway_amount, USD million' 'Cover: throwaway_ratio$'
echo "a measure and two metrics are in every output; touched: $(touched)"
