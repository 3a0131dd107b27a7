# stagecraft_library(NAME SOURCES ... HEADERS ... PRIVATE_HEADERS ... DEPS ... PRIVATE_DEPS ...)
#   One room of the project as the static library stagecraft_NAME, alias stagecraft::NAME. Headers
#   are included from the project root. HEADERS are the doors of the room: other rooms may include
#   them, and they are installed. PRIVATE_HEADERS are for the room itself, its tests and benchmarks.
#   Each header must compile alone.
function(stagecraft_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;HEADERS;PRIVATE_HEADERS;DEPS;PRIVATE_DEPS")
  set(target stagecraft_${name})
  add_library(${target} STATIC ${arg_SOURCES})
  add_library(stagecraft::${name} ALIAS ${target})
  target_sources(${target} PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR}
                                                   FILES ${arg_HEADERS})
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_link_libraries(${target} PUBLIC ${arg_DEPS} PRIVATE ${arg_PRIVATE_DEPS})
  # Headers in a sub-folder name others from the project root.
  target_include_directories(${target} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
                                              $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name} CXX_EXTENSIONS OFF
                                             POSITION_INDEPENDENT_CODE ON
                                             VERIFY_INTERFACE_HEADER_SETS ON)
  if(arg_PRIVATE_HEADERS)
    # A target of their own, which is checked and never installed.
    add_library(${target}_workshop INTERFACE)
    target_link_libraries(${target}_workshop INTERFACE ${target} ${arg_PRIVATE_DEPS})
    stagecraft_check_headers(${target}_workshop ${arg_PRIVATE_HEADERS})
  endif()
endfunction()

# stagecraft_check_headers(TARGET HEADERS...): `all_verify_interface_header_sets` compiles each alone.
function(stagecraft_check_headers target)
  target_sources(${target} INTERFACE FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR} FILES ${ARGN})
  set_target_properties(${target} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)
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
