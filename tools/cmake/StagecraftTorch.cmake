# Finds LibTorch and makes it the target stagecraft_libtorch. It is looked for in
# TORCH_ROOT (a CMake or environment variable: the folder with include/ and lib/), where
# tools/install-libtorch puts it, and in the environment's Python. STAGECRAFT_WITH_TORCH is AUTO
# (used if found), ON (an error if not) or OFF. The result is STAGECRAFT_TORCH_FOUND,
# and STAGECRAFT_TORCH_ROOT.
#
# Not find_package(Torch): that needs a CUDA toolkit for wheels built with CUDA, and links the CUDA
# libraries into everything.
set(STAGECRAFT_WITH_TORCH AUTO CACHE STRING "Train with LibTorch: AUTO, ON or OFF")
set_property(CACHE STAGECRAFT_WITH_TORCH PROPERTY STRINGS AUTO ON OFF)
set(STAGECRAFT_TORCH_FOUND FALSE)
if(STAGECRAFT_WITH_TORCH STREQUAL "OFF")
  return()
endif()

set(candidates)
if(TORCH_ROOT)
  list(APPEND candidates ${TORCH_ROOT})
elseif(DEFINED ENV{TORCH_ROOT})
  list(APPEND candidates $ENV{TORCH_ROOT})
else()
  list(APPEND candidates ${PROJECT_SOURCE_DIR}/build/libtorch/torch)
  find_program(STAGECRAFT_PYTHON NAMES python3)
  mark_as_advanced(STAGECRAFT_PYTHON)
  if(STAGECRAFT_PYTHON)
    execute_process(
      COMMAND ${STAGECRAFT_PYTHON} -c
              "import importlib.util as u; print(u.find_spec('torch').submodule_search_locations[0])"
      OUTPUT_VARIABLE python_torch OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    if(python_torch)
      list(APPEND candidates ${python_torch})
    endif()
  endif()
endif()
foreach(candidate IN LISTS candidates)
  if(EXISTS ${candidate}/lib/libtorch_cpu.so AND EXISTS ${candidate}/include/ATen/core/Tensor.h)
    get_filename_component(torch_root ${candidate} ABSOLUTE)
    set(STAGECRAFT_TORCH_ROOT ${torch_root})
    set(STAGECRAFT_TORCH_FOUND TRUE)
    break()
  endif()
endforeach()

if(NOT STAGECRAFT_TORCH_FOUND)
  list(JOIN candidates ", " searched)
  set(missing "LibTorch not found (looked in ${searched})")
  if(STAGECRAFT_WITH_TORCH STREQUAL "AUTO" AND NOT TORCH_ROOT AND NOT DEFINED ENV{TORCH_ROOT})
    message(STATUS "${missing}: no training. Run tools/install-libtorch or set TORCH_ROOT.")
    return()
  endif()
  message(FATAL_ERROR "${missing}. Run tools/install-libtorch, or set TORCH_ROOT to the folder "
                      "with include/ and lib/.")
endif()

set(version_header ${torch_root}/include/torch/headeronly/version.h)
set(torch_version 0)
if(EXISTS ${version_header})
  file(READ ${version_header} text)
  string(REGEX REPLACE ".*TORCH_VERSION_MAJOR ([0-9]+).*TORCH_VERSION_MINOR ([0-9]+).*"
                       "\\1.\\2" torch_version "${text}")
endif()
if(torch_version VERSION_LESS 2.11)
  message(FATAL_ERROR "LibTorch in ${torch_root} is older than 2.11, the first that works; "
                      "tools/install-libtorch gets 2.11.0")
endif()
message(STATUS "LibTorch ${torch_version} from ${torch_root}")

add_library(stagecraft_libtorch INTERFACE)
target_include_directories(stagecraft_libtorch SYSTEM INTERFACE
  ${torch_root}/include ${torch_root}/include/torch/csrc/api/include)
# Libraries by file, all kept: operators register themselves when they are loaded. What they need
# themselves they find by their own run path.
target_link_options(stagecraft_libtorch INTERFACE
  LINKER:--allow-shlib-undefined LINKER:--disable-new-dtags LINKER:-rpath,${torch_root}/lib)
target_link_libraries(stagecraft_libtorch INTERFACE
  -Wl,--no-as-needed ${torch_root}/lib/libtorch_cpu.so ${torch_root}/lib/libc10.so
  -Wl,--as-needed)
