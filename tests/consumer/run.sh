#!/usr/bin/env bash
# Builds and runs a project that uses Damo: tests/consumer/run.sh WAY, one of
#   find_package, pkg_config  with an installed copy of build/release (or $DAMO_BUILD)
#   add_subdirectory          with the sources, compiled anew and unoptimized
#   portable                  with an installed copy of the libraries for several levels of x86-64, compiled anew and
#                             unoptimized: the loader takes the best that it is allowed to
# The project has own headers with the names of all of Damo's, and they come first.
# $DAMO_CMAKE_ARGS are options for what is compiled anew. No consumer needs a CMake cache of ours.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
ways="find_package, pkg_config, add_subdirectory or portable"
way=${1:?expected $ways}
build=${DAMO_BUILD:-$root/build/release}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [[ $way == portable ]]; then
  build=$work/libraries
  cmake -G Ninja -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=None -DDAMO_PORTABLE=ON -DDAMO_BUILD_APPS=OFF \
    -DDAMO_BUILD_TESTS=OFF ${DAMO_CMAKE_ARGS:-}
  cmake --build "$build"
fi
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

# own: the project's core/tensor/error.h, and an #error by each other name that a header of Damo has, with its folder and
# without.
own=$work/own
cp -r "$here/own" "$own"
for header in $(cd "$root" && find core ops models -name '*.h'); do
  for path in "$own/$header" "$own/$(basename "$header")"; do
    mkdir -p "$(dirname "$path")"
    [[ -e $path ]] || echo "#error \"$path is included in place of Damo's\"" >"$path"
  done
done

# check_private FLAGS: none of our instruction sets, warnings and code generation reach a consumer.
check_private() {
  if grep -oE '(^|[[:space:]])(-[mWf]|-DDAMO|-DEigen)[^[:space:]]*' <<<"$1"; then
    echo "a consumer is compiled with the flags above, expected none of Damo's own" >&2
    exit 1
  fi
}

# configure OPTIONS: and look at how main.cpp is to be compiled.
configure() {
  CXXFLAGS='' cmake -G Ninja -S "$here" -B "$work/build" -DCMAKE_EXPORT_COMPILE_COMMANDS=ON \
    -DOWN_HEADERS="$own" "$@"
  check_private "$(grep '"command"' "$work/build/compile_commands.json" | grep -F "$here/main.cpp")"
}

case $way in
  find_package | portable)
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
    cmake --build "$work/build" --target consumer short_names
    ;;
  pkg_config)
    pc=$(find "$work/damo" -name damo.pc)
    export PKG_CONFIG_PATH=${pc%/*}
    flags=$(pkg-config --cflags --libs damo)
    echo "pkg-config: $flags"
    check_private "$flags"
    mkdir "$work/build"
    # The flags are words.
    # shellcheck disable=SC2046,SC2086
    {
      "${CXX:-c++}" -std=c++20 -I"$own" "$here/main.cpp" $flags -o "$work/build/consumer"
      "${CXX:-c++}" -std=c++20 $(pkg-config --cflags damo) -I"$own" -fsyntax-only "$here/main.cpp"
      "${CXX:-c++}" -std=c++20 "$here/short_names.cpp" $flags -o "$work/build/short_names"
    }
    ;;
  *)
    echo "unknown way $way, expected $ways" >&2
    exit 2
    ;;
esac
"$work/build/consumer"
"$work/build/short_names"

# loads LEVEL COMMAND: the consumer says that it runs the library for that level.
loads() {
  local level=$1 output
  shift
  output=$("$@")
  if [[ $output != *" $level" ]]; then
    echo "$* loads another library, expected that for $level: $output" >&2
    exit 1
  fi
}
if [[ $way == portable ]]; then
  loader=$(readelf --program-headers "$work/build/consumer" | sed -n 's/.*interpreter: \(.*\)\]/\1/p')
  levels=$("$loader" --help | awk '/^ +x86-64-v[0-9] .*supported, searched/ { print $1 }')
  echo "this processor has" $levels
  loads "$(head -n 1 <<<"$levels")" "$work/build/consumer"
  # As on lesser processors.
  loads x86-64-v2 "$loader" --glibc-hwcaps-mask none "$work/build/consumer"
  for level in x86-64-v3 x86-64-v4; do
    find "$work/damo" -path "*/glibc-hwcaps/$level/libdamo_models.so.0.1" | grep .
    if grep -qx "$level" <<<"$levels"; then
      loads "$level" "$loader" --glibc-hwcaps-mask "$level" "$work/build/consumer"
    fi
  done
fi
