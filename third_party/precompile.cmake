# What makes a build short: a compiler cache where one is installed, and headers that are parsed once for all
# sources of the same options. -DCMAKE_CXX_COMPILER_LAUNCHER= and -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON do
# without.

if(PROJECT_IS_TOP_LEVEL AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
  find_program(DAMO_CCACHE ccache)
  mark_as_advanced(DAMO_CCACHE)
  if(DAMO_CCACHE)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${DAMO_CCACHE})
  endif()
endif()
if(CMAKE_CXX_COMPILER_LAUNCHER MATCHES "(^|[/;])ccache$")
  # It refuses precompiled headers otherwise, as one might tell the time.
  list(PREPEND CMAKE_CXX_COMPILER_LAUNCHER env CCACHE_SLOPPINESS=pch_defines,time_macros)
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    add_compile_options(-fpch-preprocess)
  elseif(CMAKE_CXX_COMPILER_ID MATCHES Clang)
    add_compile_options("SHELL:-Xclang -fno-pch-timestamp")
  endif()
endif()

# What most sources include, but nothing of Damo: whoever edits a header compiles no more than before.
set(damo_precompiled <algorithm> <array> <cmath> <cstdint> <filesystem> <fstream> <functional> <limits> <map>
  <memory> <optional> <set> <span> <sstream> <string> <string_view> <unordered_map> <unordered_set> <utility>
  <vector> <fmt/format.h>)

# damo_precompile(target PRIVATE header...) compiles the target with these headers precompiled, and
# damo_precompile(target REUSE_FROM other) with those of a target that has the same options. A source that has
# options of its own is compiled without.
function(damo_precompile target)
  target_precompile_headers(${target} ${ARGN})
  # The folder's last line has set all options by then.
  cmake_language(EVAL CODE "cmake_language(DEFER CALL damo_skip_precompiled ${target})")
endfunction()

function(damo_skip_precompiled target)
  get_target_property(sources ${target} SOURCES)
  foreach(source IN LISTS sources)
    get_source_file_property(options ${source} TARGET_DIRECTORY ${target} COMPILE_OPTIONS)
    if(options)
      set_source_files_properties(${source} PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
    endif()
  endforeach()
endfunction()
