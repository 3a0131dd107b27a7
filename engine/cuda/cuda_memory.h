#pragma once

#include <algorithm>
#include <cstddef>
#include <cuda_runtime_api.h>
#include <memory>

#include <c10/cuda/CUDACachingAllocator.h>

#include "engine/torch/plain_errors.h"

namespace stagecraft {

/// Uninitialised memory of the current GPU from LibTorch's allocator, first used on `stream`; at
/// least one byte. Throws `Error`, in LibTorch's words, if there is not so much.
inline std::shared_ptr<std::byte> AllocateOnGpu(std::size_t bytes, cudaStream_t stream) {
  namespace allocator = c10::cuda::CUDACachingAllocator;
  void* const memory = WithPlainErrors(
      [&] { return allocator::raw_alloc_with_stream(std::max<std::size_t>(bytes, 1), stream); });
  return {static_cast<std::byte*>(memory), [](std::byte* data) { allocator::raw_delete(data); }};
}

}  // namespace stagecraft
