# Finds what the part for GPUs is built with: nvcc, the header of NCCL, and a LibTorch that has its
# CUDA libraries. STAGECRAFT_WITH_CUDA is AUTO (used if found), ON (an error if not) or OFF. The
# result is STAGECRAFT_CUDA_FOUND, and the targets stagecraft_cudart and stagecraft_libtorch_cuda.
#
# No GPU is needed to build. Without this part the program is what it would be anyway.
set(STAGECRAFT_WITH_CUDA AUTO CACHE STRING "Train on GPUs: AUTO, ON or OFF")
set_property(CACHE STAGECRAFT_WITH_CUDA PROPERTY STRINGS AUTO ON OFF)
set(STAGECRAFT_CUDA_FOUND FALSE)
if(STAGECRAFT_WITH_CUDA STREQUAL "OFF" OR NOT STAGECRAFT_TORCH_FOUND)
  return()
endif()

set(missing)
find_program(STAGECRAFT_NVCC nvcc PATHS /usr/local/cuda/bin)
mark_as_advanced(STAGECRAFT_NVCC)
if(NOT STAGECRAFT_NVCC)
  list(APPEND missing "nvcc")
endif()
if(NOT EXISTS ${STAGECRAFT_TORCH_ROOT}/lib/libtorch_cuda.so)
  list(APPEND missing "libtorch_cuda.so of ${STAGECRAFT_TORCH_ROOT}")
endif()
# The wheel's header and libraries belong together; the toolkit's do if there are none.
get_filename_component(site_packages ${STAGECRAFT_TORCH_ROOT} DIRECTORY)
set(wheels ${site_packages}/nvidia)
get_filename_component(nvcc_folder "${STAGECRAFT_NVCC}" REALPATH)
get_filename_component(nvcc_folder "${nvcc_folder}" DIRECTORY)
get_filename_component(toolkit "${nvcc_folder}" DIRECTORY)
find_path(STAGECRAFT_NCCL_INCLUDE nccl.h PATHS ${wheels}/nccl/include NO_DEFAULT_PATH)
find_path(STAGECRAFT_NCCL_INCLUDE nccl.h PATHS ${toolkit}/include)
mark_as_advanced(STAGECRAFT_NCCL_INCLUDE)
if(NOT STAGECRAFT_NCCL_INCLUDE)
  list(APPEND missing "nccl.h")
endif()
find_file(STAGECRAFT_CUDART libcudart.so.13
          PATHS ${wheels}/cu13/lib ${toolkit}/lib64 ${toolkit}/targets/x86_64-linux/lib
          NO_DEFAULT_PATH)
mark_as_advanced(STAGECRAFT_CUDART)
if(NOT STAGECRAFT_CUDART)
  list(APPEND missing "libcudart.so.13")
endif()

if(missing)
  list(JOIN missing ", " missing)
  if(STAGECRAFT_WITH_CUDA STREQUAL "AUTO")
    message(STATUS "Not built for GPUs: ${missing} not found.")
    return()
  endif()
  message(FATAL_ERROR "STAGECRAFT_WITH_CUDA is ON, but ${missing} was not found. "
                      "tools/install-libtorch --cuda gets LibTorch with its CUDA libraries.")
endif()

set(CMAKE_CUDA_COMPILER ${STAGECRAFT_NVCC} CACHE FILEPATH "nvcc")
if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES "80-real;90-real;100")  # A100, H100 and H200, B200 and later.
endif()
# CMake's tests of the compiler link the toolkit's static runtime, which therefore must be there.
enable_language(CUDA)
# CMake 3.25 does not know how to ask this nvcc for C++20.
foreach(option CMAKE_CUDA20_STANDARD_COMPILE_OPTION CMAKE_CUDA20_EXTENSION_COMPILE_OPTION)
  if(NOT ${option})
    set(${option} "-std=c++20")
  endif()
endforeach()
set(STAGECRAFT_CUDA_FOUND TRUE)
file(STRINGS ${STAGECRAFT_NCCL_INCLUDE}/nccl.h nccl_version REGEX "define NCCL_(MAJOR|MINOR|PATCH)")
string(REGEX REPLACE ";?#define NCCL_[A-Z]+ " "." nccl_version "${nccl_version}")
string(REGEX REPLACE "^\\." "" nccl_version "${nccl_version}")
message(STATUS "CUDA ${CMAKE_CUDA_COMPILER_VERSION}, header of NCCL ${nccl_version} "
               "from ${STAGECRAFT_NCCL_INCLUDE}")

# By file and by our run path: the wheel's come before the system's, which may be older than what
# LibTorch needs. NCCL is not linked at all: the one that LibTorch brings is asked for its calls.
add_library(stagecraft_cudart INTERFACE)
target_include_directories(stagecraft_cudart SYSTEM INTERFACE ${toolkit}/include)
target_link_libraries(stagecraft_cudart INTERFACE ${STAGECRAFT_CUDART})
get_filename_component(cudart_folder ${STAGECRAFT_CUDART} DIRECTORY)
target_link_options(stagecraft_cudart INTERFACE
  LINKER:--disable-new-dtags LINKER:-rpath,${wheels}/nccl/lib LINKER:-rpath,${cudart_folder})

add_library(stagecraft_libtorch_cuda INTERFACE)
target_include_directories(stagecraft_libtorch_cuda SYSTEM INTERFACE ${STAGECRAFT_NCCL_INCLUDE})
target_link_libraries(stagecraft_libtorch_cuda INTERFACE
  stagecraft_libtorch
  -Wl,--no-as-needed ${STAGECRAFT_TORCH_ROOT}/lib/libtorch_cuda.so
  ${STAGECRAFT_TORCH_ROOT}/lib/libc10_cuda.so -Wl,--as-needed
  stagecraft_cudart)
