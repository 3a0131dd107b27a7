#pragma once

#include <cstdint>

#include "engine/model_stage.h"

namespace CLI {  // NOLINT(readability-identifier-naming): the name is the library's
class App;
}

namespace stagecraft {

/// The flags that say what computes: main memory or GPUs, and how.
class DeviceArguments {
 public:
  void AddTo(CLI::App& app);

  /// Throws `CommandFailure` (usage) for what makes no sense, or is refused.
  Compute Get() const;

 private:
  bool on_gpus_ = false;
  bool tf32_ = false;
  bool not_deterministic_ = false;
  bool autocast_ = false;
};

}  // namespace stagecraft
