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
  /// Declares the flags; this object must live until the command line is parsed.
  void AddTo(CLI::App& app);

  /// What computes. Throws `CommandFailure` (usage) for flags that contradict each other, and for
  /// what is not supported.
  Compute Get() const;

 private:
  bool on_gpus_ = false;  ///< `--device cuda`.
  bool tf32_ = false;
  bool not_deterministic_ = false;
  bool autocast_ = false;  ///< Always refused, with the reason.
};

}  // namespace stagecraft
