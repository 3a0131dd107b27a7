#pragma once

#include <string>

#include "engine/model_stage.h"

namespace stagecraft {

/// No framework, and why: the message says where it was looked for and what to do.
class NoFramework : public Error {
 public:
  using Error::Error;
};

/// Loads the part of the engine that needs LibTorch, `libstagecraft_torch.so`, from
/// `../lib/stagecraft` beside the program's folder. Takes a fraction of a second the first time;
/// the framework lives as long as the process. Throws `NoFramework`.
Framework& LoadFramework();

/// The same from a file.
Framework& LoadFramework(const std::string& file);

}  // namespace stagecraft
