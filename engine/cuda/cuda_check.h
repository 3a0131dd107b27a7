#pragma once

#include <cuda_runtime_api.h>
#include <string>

#include "schedules/diagnostic.h"

namespace stagecraft {

/// Throws `Error` if a call of CUDA did not succeed, naming it.
inline void CheckCuda(cudaError_t status, const char* call) {
  if (status != cudaSuccess) {
    static_cast<void>(cudaGetLastError());  // Else the next call would report it again.
    throw Error(std::string(call) + ": " + cudaGetErrorString(status));
  }
}

}  // namespace stagecraft
