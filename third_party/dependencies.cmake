# What Damo is built on. An installed copy is used where there is one; header-only libraries and fmt are
# otherwise downloaded at a fixed version and checksum. The rest must be installed: third_party/setup.sh does
# that on Debian.
include(FetchContent)

# Finds a package and makes its target visible to whoever links to Damo; what is not found is listed by its
# Debian name.
macro(damo_find target debian package)
  if(NOT TARGET ${target})
    find_package(${package} QUIET ${ARGN})
    if(TARGET ${target})
      set_target_properties(${target} PROPERTIES IMPORTED_GLOBAL TRUE)
    else()
      list(APPEND damo_missing ${debian})
    endif()
  endif()
endmacro()

list(APPEND CMAKE_MODULE_PATH ${CMAKE_CURRENT_LIST_DIR})
set(damo_missing "")
set(THREADS_PREFER_PTHREAD_FLAG ON)
damo_find(Threads::Threads libc6-dev Threads)
damo_find(ZLIB::ZLIB zlib1g-dev ZLIB)
damo_find(PNG::PNG libpng-dev PNG)
damo_find(OpenBLAS::OpenBLAS libopenblas-pthread-dev OpenBLAS MODULE)
if(damo_missing)
  list(JOIN damo_missing " " damo_missing)
  message(FATAL_ERROR "Missing libraries; the Debian packages are: ${damo_missing}\n"
    "third_party/setup.sh installs all that Damo needs.")
endif()

# Downloads <name> (lower case) and makes <target> of its headers under <subdir>.
function(damo_fetch_headers target name subdir url hash)
  if(TARGET ${target})
    return()
  endif()
  message(STATUS "${name} is not installed or too old; downloading ${url}")
  FetchContent_Declare(damo_${name} URL ${url} URL_HASH SHA256=${hash} SOURCE_SUBDIR none)
  FetchContent_MakeAvailable(damo_${name})
  add_library(${target} INTERFACE IMPORTED GLOBAL)
  set_target_properties(${target} PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${damo_${name}_SOURCE_DIR}/${subdir}")
endfunction()

# The oldest versions asked for are the oldest tried.
damo_find(fmt::fmt libfmt-dev fmt 9 CONFIG)
if(NOT TARGET fmt::fmt)
  set(url https://github.com/fmtlib/fmt/archive/9.1.0.tar.gz)
  message(STATUS "fmt 9 or later is not installed; downloading ${url}")
  set(fmt_VERSION 9.1.0)
  set(FMT_INSTALL ${DAMO_INSTALL})
  FetchContent_Declare(fmt URL ${url}
    URL_HASH SHA256=5dea48d1fcddc3ec571ce2058e13910a0d4a6bab4cc09a809d8b1dd1c88ae6f2)
  FetchContent_MakeAvailable(fmt)
  # Its warnings are not ours.
  set_target_properties(fmt PROPERTIES
    INTERFACE_SYSTEM_INCLUDE_DIRECTORIES $<TARGET_PROPERTY:fmt,INTERFACE_INCLUDE_DIRECTORIES>)
endif()

damo_find(Eigen3::Eigen libeigen3-dev Eigen3 3.4 CONFIG)
damo_fetch_headers(Eigen3::Eigen eigen .
  https://gitlab.com/libeigen/eigen/-/archive/3.4.0/eigen-3.4.0.tar.bz2
  b4c198460eba6f28d34894e3a5710998818515104d6e74e5cc331ce31e46e626)

if(DAMO_BUILD_APPS OR DAMO_BUILD_TESTS)
  damo_find(nlohmann_json::nlohmann_json nlohmann-json3-dev nlohmann_json CONFIG)
  damo_fetch_headers(nlohmann_json::nlohmann_json nlohmann_json single_include
    https://github.com/nlohmann/json/archive/refs/tags/v3.11.2.tar.gz
    d69f9deb6a75e2580465c6c4c5111b89c4dc2fa94e3a85fcd2ffcd9a143d9273)
endif()
if(DAMO_BUILD_APPS)
  damo_find(CLI11::CLI11 libcli11-dev CLI11 2.1 CONFIG)
  damo_fetch_headers(CLI11::CLI11 cli11 include
    https://github.com/CLIUtils/CLI11/archive/refs/tags/v2.3.2.tar.gz
    aac0ab42108131ac5d3344a9db0fdf25c4db652296641955720a4fbe52334e22)
endif()
if(DAMO_BUILD_TESTS)
  damo_find(doctest::doctest doctest-dev doctest 2.4 CONFIG)
  damo_fetch_headers(doctest::doctest doctest .
    https://github.com/doctest/doctest/archive/refs/tags/v2.4.11.tar.gz
    632ed2c05a7f53fa961381497bf8069093f0d6628c5f26286161fbd32a560186)
endif()
