#!/usr/bin/env bash
# Builds Damo and runs its tests: tests/run.sh [options of ctest]
#   DAMO_PRESET      which of CMakePresets.json to build, release by default
#   DAMO_BUILD       the folder to build in, build/$DAMO_PRESET by default
#   DAMO_CMAKE_ARGS  more options for cmake, as -DDAMO_WERROR=ON
# The last line counts test cases: "N passed, N failed".
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
preset=${DAMO_PRESET:-release}
build=${DAMO_BUILD:-build/$preset}
jobs=$(nproc)

third_party/setup.sh
# shellcheck disable=SC2086  # the arguments are words
cmake --preset "$preset" -B "$build" ${DAMO_CMAKE_ARGS:-}
cmake --build "$build" --parallel "$jobs"
echo "= $build built in $SECONDS s"

# A program that saves after every step waits for its disk: the tests' files are in memory where that has room.
if [[ -z ${TMPDIR:-} && -w /dev/shm ]]; then
  space=$(df --output=avail /dev/shm | tail -n 1) # KiB
  probe=$(mktemp /dev/shm/damo-XXXXXX)
  printf '#!/bin/sh\n' >"$probe" && chmod +x "$probe"
  if ((space > 1000000)) && "$probe"; then export TMPDIR=/dev/shm; fi
  rm "$probe"
fi

log=$build/Testing/Temporary/LastTest.log
rm -f "$log"
status=0 start=$SECONDS
ctest --test-dir "$build" --output-on-failure --parallel "$jobs" "$@" || status=$?
echo "= $build tested in $((SECONDS - start)) s"
if [[ ! -f $log ]]; then exit 1; fi

# A test counts its own cases; one that ends before it has counted them, or fails for another reason, counts
# as one.
awk -v status="$status" '
  /^[0-9]+\/[0-9]+ Testing: / { p = f = counted = ended = 0 }
  /^\[doctest\] test cases:/ { p = $6; f = $9; counted = 1 }
  /^[0-9]+ passed, [0-9]+ failed$/ { p = $1; f = $3; counted = 1 }
  /^<end of output>/ { ended = 1 }
  ended && /^Test (Pass|Fail)/ {
    if (f == 0 && (/^Test Fail/ || !counted)) f = 1
    passed += p; failed += f; ended = 0
  }
  END {
    if (failed == 0 && status != 0) failed = 1
    printf "%d passed, %d failed\n", passed, failed
    exit failed > 0
  }' "$log"
