#!/usr/bin/env bash
# Builds the fuzz targets with coverage and runs each for FUZZ_SECONDS (60) from its corpus. Needs no nightly compiler: the flags are those of cargo-fuzz.
# Usage: fuzz/smoke.sh [TARGET …]
set -euo pipefail
cd "$(dirname "$0")"

seconds="${FUZZ_SECONDS:-60}"
host="$(rustc -vV | sed -n 's/^host: //p')"
export RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
-Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 --cfg fuzzing"
"${CARGO:-cargo}" build --release --locked --target "$host"

targets=("$@")
[ "${#targets[@]}" -gt 0 ] || mapfile -t targets < <(cd fuzz_targets && printf '%s\n' *.rs | sed 's/\.rs$//')
mkdir -p artifacts
for target in "${targets[@]}"; do
  # What is found is kept out of the repository; what is committed is where each run begins.
  mkdir -p "target/corpus/$target"
  printf 'fuzz: %s, %s s\n' "$target" "$seconds"
  log="target/$target.log"
  if ! "target/$host/release/$target" "target/corpus/$target" "corpus/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=512 -max_len=16384 \
    -artifact_prefix="artifacts/$target-" -print_final_stats=1 >"$log" 2>&1; then
    tail -n 40 "$log"
    printf 'fuzz: %s found something, see fuzz/artifacts and %s\n' "$target" "fuzz/$log" >&2
    exit 1
  fi
  grep -E 'cov: ' "$log" | tail -n 1
  grep -E 'number_of_executed_units|peak_rss_mb' "$log"
done
