# OpenBLAS::OpenBLAS: the library and the folder of cblas.h. Distributions keep both in a folder per variant,
# which pkg-config knows.
find_package(PkgConfig QUIET)
if(PKG_CONFIG_FOUND)
  pkg_check_modules(OpenBLAS_PC QUIET openblas)
endif()
find_path(OpenBLAS_INCLUDE_DIR cblas.h
  HINTS ${OpenBLAS_PC_INCLUDE_DIRS} PATH_SUFFIXES openblas-pthread openblas)
find_library(OpenBLAS_LIBRARY openblas
  HINTS ${OpenBLAS_PC_LIBRARY_DIRS} PATH_SUFFIXES openblas-pthread openblas)
mark_as_advanced(OpenBLAS_INCLUDE_DIR OpenBLAS_LIBRARY)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OpenBLAS REQUIRED_VARS OpenBLAS_LIBRARY OpenBLAS_INCLUDE_DIR)
if(OpenBLAS_FOUND AND NOT TARGET OpenBLAS::OpenBLAS)
  add_library(OpenBLAS::OpenBLAS UNKNOWN IMPORTED)
  set_target_properties(OpenBLAS::OpenBLAS PROPERTIES
    IMPORTED_LOCATION "${OpenBLAS_LIBRARY}" INTERFACE_INCLUDE_DIRECTORIES "${OpenBLAS_INCLUDE_DIR}")
endif()
