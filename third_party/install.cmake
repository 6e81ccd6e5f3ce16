# What `cmake --install` copies: the libraries, the headers, and the files by which CMake and pkg-config find
# them. All paths in these files are relative to where they lie.
include(CMakePackageConfigHelpers)

set(config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/damo)
install(TARGETS damo damo_core damo_ops damo_models EXPORT damo)
foreach(level IN LISTS damo_levels)
  install(TARGETS damo_core_${level} damo_ops_${level} damo_models_${level}
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/glibc-hwcaps/${level} NAMELINK_SKIP)
endforeach()
install(EXPORT damo NAMESPACE damo:: DESTINATION ${config_dir} FILE damo-targets.cmake)
install(DIRECTORY core ops models DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/damo FILES_MATCHING PATTERN "*.h")

configure_package_config_file(third_party/damo-config.cmake.in damo-config.cmake
  INSTALL_DESTINATION ${config_dir} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(damo-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES
  ${CMAKE_CURRENT_BINARY_DIR}/damo-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/damo-config-version.cmake
  third_party/FindOpenBLAS.cmake
  DESTINATION ${config_dir})

file(RELATIVE_PATH pc_to_prefix "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
if(BUILD_SHARED_LIBS)
  set(pc_private .private)
endif()
configure_file(third_party/damo.pc.in damo.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/damo.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
