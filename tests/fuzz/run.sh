#!/usr/bin/env bash
# Searches for bytes that break the readers: tests/fuzz/run.sh MINUTES [target...]
# Builds the targets with libFuzzer and the address and undefined-behaviour sanitizers in build/fuzz and runs
# each for so many minutes; the last lines say what came of each. Ends with status 1 if one failed: the input
# is then in build/fuzz/findings. Fix the reader, and put the input into tests/fuzz/corpus/<target>.
#   DAMO_FUZZ_JOBS  how many targets run at a time; 1 by default
#   CXX             clang++ by default
# What was found on the way is in build/fuzz/corpus/<target>, and used again by the next run; for the corpus in
# the sources it is minimized by
#   build/fuzz/tests/fuzz/fuzz_<target> -merge=1 tests/fuzz/corpus/<target> build/fuzz/corpus/<target>
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
if [[ ! ${1:-} =~ ^[0-9]+$ || $1 == 0 ]]; then
  echo "usage: tests/fuzz/run.sh MINUTES [target...]; MINUTES is \"${1:-}\", expected a positive number" >&2
  exit 2
fi
minutes=$1
shift
build=build/fuzz
programs=$build/tests/fuzz

cmake -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DDAMO_FUZZERS=ON -DCMAKE_CXX_COMPILER="${CXX:-clang++}" >&2
cmake --build "$build" --parallel "${DAMO_FUZZ_JOBS:-1}" --target fuzzers >&2

targets=("$@")
if ((${#targets[@]} == 0)); then
  for folder in tests/fuzz/corpus/*/; do targets+=("$(basename "$folder")"); done
fi
for target in "${targets[@]}"; do
  if [[ ! -x $programs/fuzz_$target || ! -d tests/fuzz/corpus/$target ]]; then
    echo "there is no fuzz target $target in tests/fuzz" >&2
    exit 2
  fi
done

# The targets write each input to a file: in memory where that is possible.
if [[ -d /dev/shm && -w /dev/shm ]]; then TMPDIR=$(mktemp -d -p /dev/shm); else TMPDIR=$(mktemp -d); fi
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT

# A header that promises gigabytes must not allocate them, hence the limits on memory.
fuzz() {
  local target=$1
  mkdir -p "$build/corpus/$target" "$build/findings"
  ASAN_OPTIONS=detect_leaks=1:quarantine_size_mb=32 UBSAN_OPTIONS=print_stacktrace=1 \
    nice "$programs/fuzz_$target" -max_total_time=$((60 * minutes)) -max_len=4096 -timeout=5 \
    -rss_limit_mb=512 -malloc_limit_mb=256 -use_value_profile=1 -print_final_stats=1 \
    -artifact_prefix="$build/findings/$target-" \
    "$build/corpus/$target" "tests/fuzz/corpus/$target" >"$build/$target.log" 2>&1
}

failed=()
running=0
for target in "${targets[@]}"; do
  if ((running >= ${DAMO_FUZZ_JOBS:-1})); then
    wait -n || true
    running=$((running - 1))
  fi
  rm -f "$build/$target.status"
  { status=0; fuzz "$target" || status=$?; echo "$status" >"$build/$target.status"; } &
  running=$((running + 1))
done
wait

printf '%-12s %14s %8s  %s\n' target executions edges result
for target in "${targets[@]}"; do
  log=$build/$target.log
  executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  edges=$(sed -n 's/^#[0-9]*.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
  result="nothing found"
  if [[ $(cat "$build/$target.status") != 0 ]]; then
    result="FAILED: $(grep -m 1 -E '^(SUMMARY|does not hold)' "$log" || echo "see $log")"
    failed+=("$target")
  fi
  printf '%-12s %14s %8s  %s\n' "$target" "${executions:-?}" "${edges:-?}" "$result"
done
((${#failed[@]} == 0))
