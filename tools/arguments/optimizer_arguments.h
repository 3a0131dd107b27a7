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
  /// Declares the flags; this object must live until the command line is parsed.
  void AddTo(CLI::App& app);

  /// Throws `CommandFailure` (usage) with every value that is out of range or contradicts another.
  OptimizerOptions Options() const;

  /// Without `--lr` the usual rate of the optimizer.
  LearningRate Rate() const;

 private:
  OptimizerOptions options_;                     ///< All but the momentum.
  std::optional<double> momentum_;               ///< Nullopt: 0.9 for SGD, else 0.
  std::optional<std::string> rates_, schedule_;  ///< As text; `ParseLearningRate` reads it.
  std::optional<std::int32_t> warmup_;           ///< Updates.
};

}  // namespace stagecraft
