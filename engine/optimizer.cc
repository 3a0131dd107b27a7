#include "engine/optimizer.h"

#include <string>
#include <utility>

#include <fmt/format.h>

namespace stagecraft {
namespace {

class Faults {
 public:
  void Unless(bool fine, const char* flag, std::string message) {
    if (!fine) {
      Diagnostic diagnostic;
      diagnostic.where = flag;
      diagnostic.message = std::move(message);
      faults_.push_back(std::move(diagnostic));
    }
  }
  void UnlessBelowOne(double value, const char* flag, const char* what) {
    Unless(value >= 0 && value < 1, flag,
           fmt::format("expected {} in [0, 1), got {}", what, value));
  }
  std::vector<Diagnostic> Take() { return std::move(faults_); }

 private:
  std::vector<Diagnostic> faults_;
};

}  // namespace

std::vector<Diagnostic> CheckOptimizer(const OptimizerOptions& options) {
  Faults faults;
  const bool is_sgd = options.kind == OptimizerKind::kSgd;
  faults.UnlessBelowOne(options.momentum, "--momentum", "a momentum");
  faults.Unless(is_sgd || options.momentum == 0, "--momentum",
                "is of sgd; adam and adamw take --betas");
  faults.Unless(options.dampening >= 0 && options.dampening <= 1, "--dampening",
                fmt::format("expected a number in [0, 1], got {}", options.dampening));
  faults.Unless(options.dampening == 0 || is_sgd, "--dampening", "is of sgd's momentum");
  faults.Unless(!options.nesterov || (is_sgd && options.momentum > 0 && options.dampening == 0),
                "--nesterov", "expected sgd with a momentum and no dampening");
  faults.Unless(options.weight_decay >= 0, "--weight-decay",
                fmt::format("expected at least 0, got {}", options.weight_decay));
  faults.UnlessBelowOne(options.beta1, "--betas", "the first");
  faults.UnlessBelowOne(options.beta2, "--betas", "the second");
  faults.Unless(options.epsilon > 0, "--eps",
                fmt::format("expected a number above 0, got {}", options.epsilon));
  faults.Unless(options.clip_norm >= 0, "--clip",
                fmt::format("expected at least 0, got {}", options.clip_norm));
  faults.Unless(!options.prediction_decay || options.kind == OptimizerKind::kAdamW,
                "--prediction-decay", "is of adamw, whose decay is not in its gradient");
  faults.Unless(!options.constant_correction || !is_sgd, "--xpipe-adam", "is of adam and adamw");
  return faults.Take();
}

}  // namespace stagecraft
