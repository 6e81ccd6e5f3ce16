#!/usr/bin/env bash
# Installs what Damo is built with, on Debian and Ubuntu: third_party/setup.sh [--ci]
# With --ci also what only the continuous integration uses. Does nothing if all is there.
set -euo pipefail

packages=(libeigen3-dev libopenblas-pthread-dev libfmt-dev zlib1g-dev libpng-dev nlohmann-json3-dev libcli11-dev
  doctest-dev)
if [[ ${1:-} == --ci ]]; then packages+=(clang libclang-rt-dev); fi
# A tool may be there without its package.
for tool in g++:g++ cmake:cmake ninja:ninja-build pkg-config:pkg-config; do
  if ! command -v "${tool%:*}" >/dev/null; then packages+=("${tool#*:}"); fi
done
# MNIST is fetched by either.
if ! command -v curl >/dev/null && ! command -v wget >/dev/null; then packages+=(curl ca-certificates); fi

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

give_up() {
  echo "setup: missing packages: ${missing[*]}" >&2
  echo "setup: as root, run: apt-get update && apt-get install --yes ${missing[*]}" >&2
  exit 1
}

as_root=()
if ((EUID != 0)); then
  # Without a terminal sudo cannot ask for a password.
  if ! command -v sudo >/dev/null; then give_up; fi
  sudo -n true 2>/dev/null || { [[ -t 0 ]] && sudo -v; } || give_up
  as_root=(sudo)
fi
echo "setup: installing ${missing[*]}"
# An update fails also for a source that has nothing to do with these packages.
"${as_root[@]}" apt-get update || echo "setup: apt-get update failed; going on with the lists of before" >&2
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
  apt-get install --yes --no-install-recommends "${missing[@]}" || give_up
