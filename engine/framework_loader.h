#pragma once

#include <cstdint>
#include <string>

#include "engine/model_stage.h"

namespace stagecraft {

/// There is no framework. The message says where it was looked for and what to do.
class NoFramework : public Error {
 public:
  using Error::Error;
};

/// Where a framework computes.
enum class FrameworkKind : std::uint8_t { kMainMemory, kGpus };

/// Loads the part of the engine that needs LibTorch, `libstagecraft_torch.so` or, for GPUs,
/// `libstagecraft_cuda.so`, from `../lib/stagecraft` beside the program's folder. Takes a fraction
/// of a second the first time; the framework lives as long as the process, which can have only one
/// of the two: LibTorch never finds a GPU once it has computed without its CUDA part. Throws
/// `NoFramework`.
Framework& LoadFramework(FrameworkKind kind);

/// The same from a file.
Framework& LoadFramework(const std::string& file);

}  // namespace stagecraft
