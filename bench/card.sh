#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# card.sh FOLDER OUT [PART]...: what only a card can show, with the executables in FOLDER (cmake --workflow --preset
# static, or release), run from the root of the project. Parts, all if none is named:
#   tests      the tests that need a card; none may be skipped
#   bytes      every company on the card and on the CPU: the same files
#   sanitizer  compute-sanitizer over a small run of every company: memory, uninitialised reads, races, barriers
#   bench      headroom bench
#   profile    the counters of the path kernel of every company (ncu)
# Results stand in OUT; exit 1 if anything failed.
folder=$1 out=$2
shift 2
parts=${*:-tests bytes sanitizer bench profile}
companies="demo lakeside-template nebius-1q26 coreweave-1q26"
paths=${HEADROOM_CARD_PATHS:-200000}
headroom=$folder/headroom
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"
failed=0

# said STEP COMMAND...: one line a step; the command's output in OUT/STEP.txt
said() {
  step=$1 began=$(date +%s)
  shift
  if "$@" >"$out/$step.txt" 2>&1; then state=ok; else state=FAILED failed=1; fi
  echo "$step: $state, $(($(date +%s) - began)) s"
}

card() {
  nvidia-smi --format=csv --query-gpu=name,driver_version,compute_cap,memory.total,clocks.sm,clocks.mem,clocks.max.sm,clocks.max.mem,power.limit,temperature.gpu,ecc.mode.current,mig.mode.current
  "$headroom" info
}

tests() { HEADROOM_REQUIRE_GPU=1 "$folder/headroom_gpu_tests" --gtest_brief=1; }

# All files that hold results; summary.json and manifest.json also tell device, seconds and dates.
bytes() {
  same=0
  for company in $companies; do
    for backend in cpu cuda; do
      "$headroom" run "configs/$company.toml" --paths "$paths" --backend "$backend" --paths-out "$work/$backend.npy" \
        --out "$work/$company-$backend" --quiet >/dev/null || same=1
    done
    cmp "$work/cpu.npy" "$work/cuda.npy" || same=1
    for file in "$work/$company-cpu"/*.csv; do
      cmp "$file" "$work/$company-cuda/$(basename "$file")" || same=1
    done
    for backend in cpu cuda; do
      python3 -c 'import json, sys; print(json.dumps(json.load(open(sys.argv[1]))["results"]))' \
        "$work/$company-$backend/summary.json" >"$work/$backend.json" || same=1
    done
    cmp "$work/cpu.json" "$work/cuda.json" || same=1
    echo "$company: $(ls "$work/$company-cpu" | wc -l) files, $(stat -c %s "$work/cpu.npy") bytes of columns"
    rm -rf "$work"/*
  done
  return $same
}

sanitizer() {
  clean=0
  for tool in memcheck initcheck racecheck synccheck; do
    for company in $companies; do
      echo "$tool, $company"
      compute-sanitizer --tool "$tool" --error-exitcode 9 \
        "$headroom" run "configs/$company.toml" --paths 300 --months 14 --backend cuda --out "$work/$company" --quiet || clean=1
    done
  done
  return $clean
}

bench() { "$headroom" bench --backend cuda --repetitions 5 --row-seconds 20 --json "$out/bench.json"; }

profile() {
  measured=0
  for company in $companies; do
    ncu --clock-control none --set full --import-source off -k regex:simulate_paths -c 1 -o "$out/$company" -f \
      "$headroom" run "configs/$company.toml" --paths 500000 --backend cuda --quiet || measured=1
    ncu --import "$out/$company.ncu-rep" --page details || measured=1
  done
  return $measured
}

said card card
cat "$out/card.txt"
for part in $parts; do said "$part" "$part"; done
exit $failed
