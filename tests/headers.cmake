# header_sources: all headers in one source, in both orders and by both names of each, and one source for each
# that no source includes first: headers_test.cpp finds what is missing.
file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}
  ${PROJECT_SOURCE_DIR}/core/*.h ${PROJECT_SOURCE_DIR}/ops/*.h ${PROJECT_SOURCE_DIR}/models/*.h)
set(header_sources)

# A source that includes each header of ARGN as `line` says.
set(quoted "#include \"\\1\"\n")
set(angled "#include <damo/\\1>\n")
function(damo_header_source name line)
  list(TRANSFORM ARGN REPLACE "(.+)" "${line}" OUTPUT_VARIABLE lines)
  string(JOIN "" text ${lines})
  set(path ${CMAKE_CURRENT_BINARY_DIR}/generated/headers/${name}.cpp)
  file(CONFIGURE OUTPUT ${path} CONTENT "${text}" @ONLY)
  set(header_sources ${header_sources} ${path} PARENT_SCOPE)
endfunction()

damo_header_source(forward ${quoted} ${headers})
damo_header_source(twice ${quoted}${angled} ${headers})
set(backward ${headers})
list(REVERSE backward)
damo_header_source(backward ${angled} ${backward})
foreach(header IN LISTS headers)
  string(REGEX REPLACE "\\.h$" ".cpp" source ${header})
  if(NOT EXISTS ${PROJECT_SOURCE_DIR}/${source})
    string(REPLACE "/" "_" name ${header})
    damo_header_source(${name} ${quoted} ${header})
  endif()
endforeach()
