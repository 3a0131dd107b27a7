#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "engine/optimizer/learning_rate.h"
#include "engine/optimizer/optimizer.h"

namespace CLI {  // NOLINT(readability-identifier-naming): the name is the library's
class App;
}

namespace stagecraft {

/// The flag that sets a field of `OptimizerOptions` or a parameter of `ParseLearningRate`;
/// libraries name those, since their callers may have no command line.
std::string FlagOfOptimizer(std::string_view option);

/// The flags of optimizer, learning rate and prediction.
class OptimizerArguments {
 public:
  void AddTo(CLI::App& app);

  /// Throws `CommandFailure` (usage) with everything that makes no sense.
  OptimizerOptions Options() const;

  /// Without `--lr` the usual rate of the optimizer.
  LearningRate Rate() const;

 private:
  OptimizerOptions options_;
  std::optional<double> momentum_;
  std::optional<std::string> rates_, schedule_;
  std::optional<std::int32_t> warmup_;
};

}  // namespace stagecraft
