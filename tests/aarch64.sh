#!/usr/bin/env bash
# Builds core and ops for aarch64 on a Debian machine of another kind, and runs their tests under qemu:
#   tests/aarch64.sh [options of the test programs, as --test-case='saturated*']
# Installs what is missing, as root. DAMO_CMAKE_ARGS are more options for cmake. The last line counts test cases:
# "N passed, N failed".
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=build/aarch64

third_party/setup.sh
packages=(g++-aarch64-linux-gnu qemu-user libopenblas-pthread-dev:arm64 libfmt-dev:arm64 zlib1g-dev:arm64
  libpng-dev:arm64)
states=$(dpkg-query -W -f '${db:Status-Status} ' "${packages[@]}" 2>/dev/null || true)
if [[ $states != "$(printf 'installed %.0s' "${packages[@]}")" ]]; then
  echo "aarch64: installing ${packages[*]}"
  as_root=()
  if ((EUID != 0)); then as_root=(sudo); fi
  "${as_root[@]}" dpkg --add-architecture arm64
  "${as_root[@]}" apt-get update
  # The packages for this machine stay.
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install --yes --no-install-recommends --no-remove "${packages[@]}"
fi

# shellcheck disable=SC2086  # the arguments are words
cmake --preset aarch64 ${DAMO_CMAKE_ARGS:-}
cmake --build --preset aarch64 --parallel "$(nproc)" --target damo_core_tests damo_ops_tests

# A thread of OpenBLAS's own would wait under qemu for ever.
export OPENBLAS_NUM_THREADS=1
passed=0 failed=0
for program in damo_core_tests damo_ops_tests; do
  echo "+ $program"
  counts=$(qemu-aarch64 -L / "$build/tests/$program" "$@" | tee /dev/stderr |
    sed -nE 's/.*test cases: +[0-9]+ \| +([0-9]+) passed \| +([0-9]+) failed.*/\1 \2/p') || true
  read -r p f <<<"${counts:-0 1}" # a program that ends before it has counted has failed
  passed=$((passed + p)) failed=$((failed + f))
done
echo "$passed passed, $failed failed"
((failed == 0))
