#pragma once

#include <memory>

#include "engine/ranks/nccl.h"

namespace stagecraft {

/// The NCCL that LibTorch has brought into this process: any other would be a second one. Throws
/// `Error` if there is none, or it lacks a call.
std::unique_ptr<Nccl> LoadNccl();

}  // namespace stagecraft
