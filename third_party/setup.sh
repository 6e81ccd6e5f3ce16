#!/usr/bin/env bash
# Installs what Damo is built with, on Debian and Ubuntu: third_party/setup.sh [--ci]
# With --ci also what only the continuous integration uses. Does nothing if all is there.
set -euo pipefail

packages=(g++ cmake ninja-build pkg-config libeigen3-dev libopenblas-pthread-dev libfmt-dev zlib1g-dev
  libpng-dev nlohmann-json3-dev libcli11-dev doctest-dev)
if [[ ${1:-} == --ci ]]; then packages+=(clang libclang-rt-dev); fi

if ! command -v dpkg-query >/dev/null; then
  echo "setup: this system has no dpkg; Damo needs what Debian calls: ${packages[*]}" >&2
  exit 0 # whether all of it is there, CMake says
fi

installed=" $(dpkg-query -W -f '${db:Status-Status}:${Package} ' "${packages[@]}" 2>/dev/null || true)"
missing=()
for package in "${packages[@]}"; do
  if [[ $installed != *" installed:$package "* ]]; then missing+=("$package"); fi
done
if ((${#missing[@]} == 0)); then exit 0; fi

as_root=()
if ((EUID != 0)); then
  if ! command -v sudo >/dev/null || ! { [[ -t 0 ]] || sudo -n true 2>/dev/null; }; then
    echo "setup: missing packages: ${missing[*]}" >&2
    echo "setup: as root, run: apt-get update && apt-get install --yes ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
echo "setup: installing ${missing[*]}"
"${as_root[@]}" apt-get update
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
  apt-get install --yes --no-install-recommends "${missing[@]}"
