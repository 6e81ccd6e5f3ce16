# header_sources: all headers in one source, in both orders, and one source for each that no source includes
# first: headers_test.cpp finds what is missing.
file(GLOB headers CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}
  ${PROJECT_SOURCE_DIR}/core/*.h ${PROJECT_SOURCE_DIR}/ops/*.h ${PROJECT_SOURCE_DIR}/models/*.h)
set(header_sources)

# A source that includes HEADERS, by name.
function(damo_header_source name)
  list(TRANSFORM ARGN REPLACE "(.+)" "#include \"\\1\"\n" OUTPUT_VARIABLE lines)
  string(JOIN "" text ${lines})
  set(path ${CMAKE_CURRENT_BINARY_DIR}/generated/headers/${name}.cpp)
  file(CONFIGURE OUTPUT ${path} CONTENT "${text}" @ONLY)
  set(header_sources ${header_sources} ${path} PARENT_SCOPE)
endfunction()

damo_header_source(forward ${headers})
set(backward ${headers})
list(REVERSE backward)
damo_header_source(backward ${backward})
foreach(header IN LISTS headers)
  string(REGEX REPLACE "\\.h$" ".cpp" source ${header})
  if(NOT EXISTS ${PROJECT_SOURCE_DIR}/${source})
    string(REPLACE "/" "_" name ${header})
    damo_header_source(${name} ${header})
  endif()
endforeach()
