#!/usr/bin/env bash
# Builds and runs a project that uses Damo: tests/consumer/run.sh find_package|pkg_config|add_subdirectory
# The first two use an installed copy of build/release (or $DAMO_BUILD) and need no CMake cache of ours; the
# last compiles Damo anew, with the options $DAMO_CMAKE_ARGS.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
way=${1:?expected find_package, pkg_config or add_subdirectory}
build=${DAMO_BUILD:-$root/build/release}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [[ $way != add_subdirectory ]]; then
  cmake --install "$build" --prefix "$work/installed" >/dev/null
  # It must work wherever it is moved to, and know nothing of where it was made.
  mv "$work/installed" "$work/damo"
  for path in "$root" "$build" "$work/installed"; do
    if grep -rlaF "$path" "$work/damo"; then
      echo "the installed files above name $path, expected no path of the build" >&2
      exit 1
    fi
  done
  # Not in fmt's own files, which lie beside ours where fmt was downloaded.
  if grep -rnE --include='damo*.cmake' --include=FindOpenBLAS.cmake --include=damo.pc \
    '(^|[[:space:]";:=IL])/[[:alnum:]]' "$work/damo"; then
    echo "the installed files have the absolute paths above, expected none" >&2
    exit 1
  fi
fi

# check_private FLAGS: none of our instruction sets, warnings and code generation reach a consumer.
check_private() {
  if grep -oE '(^|[[:space:]])(-[mWf]|-DDAMO|-DEigen)[^[:space:]]*' <<<"$1"; then
    echo "a consumer is compiled with the flags above, expected none of Damo's own" >&2
    exit 1
  fi
}

# configure OPTIONS: and look at how main.cpp is to be compiled.
configure() {
  CXXFLAGS='' cmake -G Ninja -S "$here" -B "$work/build" -DCMAKE_EXPORT_COMPILE_COMMANDS=ON "$@"
  check_private "$(grep '"command"' "$work/build/compile_commands.json" | grep -F "$here/main.cpp")"
}

case $way in
  find_package)
    configure -DCMAKE_PREFIX_PATH="$work/damo" -DCMAKE_BUILD_TYPE=Release
    cmake --build "$work/build"
    ;;
  add_subdirectory)
    # Unoptimized, for a quick build. DAMO_CMAKE_ARGS are words.
    # shellcheck disable=SC2086
    configure -DDAMO_SOURCE="$root" -DCMAKE_BUILD_TYPE=None ${DAMO_CMAKE_ARGS:-}
    if grep -E '^DAMO_(BUILD_TESTS|BUILD_APPS|INSTALL):BOOL=ON' "$work/build/CMakeCache.txt"; then
      echo "the options above are on, expected them off in another project" >&2
      exit 1
    fi
    cmake --build "$work/build" --target consumer
    ;;
  pkg_config)
    pc=$(find "$work/damo" -name damo.pc)
    flags=$(PKG_CONFIG_PATH=$(dirname "$pc") pkg-config --cflags --libs damo)
    echo "pkg-config: $flags"
    check_private "$flags"
    mkdir "$work/build"
    # shellcheck disable=SC2086  # the flags are words
    "${CXX:-c++}" -std=c++20 "$here/main.cpp" $flags -o "$work/build/consumer"
    ;;
  *)
    echo "unknown way $way, expected find_package, pkg_config or add_subdirectory" >&2
    exit 2
    ;;
esac
"$work/build/consumer"
