# stagecraft_library(NAME SOURCES ... HEADERS ... DEPS ... PRIVATE_DEPS ...)
#   One room of the project as the static library stagecraft_NAME, alias stagecraft::NAME. Headers
#   are included from the project root and each must compile alone.
function(stagecraft_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;HEADERS;DEPS;PRIVATE_DEPS")
  set(target stagecraft_${name})
  add_library(${target} STATIC ${arg_SOURCES})
  add_library(stagecraft::${name} ALIAS ${target})
  target_sources(${target} PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR}
                                                   FILES ${arg_HEADERS})
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_link_libraries(${target} PUBLIC ${arg_DEPS} PRIVATE ${arg_PRIVATE_DEPS})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name} CXX_EXTENSIONS OFF
                                             POSITION_INDEPENDENT_CODE ON
                                             VERIFY_INTERFACE_HEADER_SETS ON)
endfunction()

# stagecraft_test(ROOM SOURCES ... [LABELS ...]): one test program per room, found test by test.
function(stagecraft_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LABELS;DEPS")
  set(target ${name}_test)
  add_executable(${target} ${arg_SOURCES})
  target_link_libraries(${target} PRIVATE ${arg_DEPS} GTest::gtest_main GTest::gmock)
  target_compile_definitions(${target} PRIVATE STAGECRAFT_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
  # Off in the presets that say whether each file includes what it uses; saves a third elsewhere.
  target_precompile_headers(${target} PRIVATE <gtest/gtest.h> <gmock/gmock.h>)
  gtest_discover_tests(${target} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT 300
                       DISCOVERY_TIMEOUT 60)
endfunction()
