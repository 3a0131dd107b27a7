#include "tools/arguments/device_arguments.h"

#include <string>

#include <CLI/CLI.hpp>

#include "tools/arguments/flags.h"
#include "tools/command.h"

namespace stagecraft {

void DeviceArguments::AddTo(CLI::App& app) {
  app.add_option_function<std::string>(
         "--device",
         [this](const std::string& word) {
           on_gpus_ = ChoiceIndex("--device", word, {"cpu", "cuda"}) == 1;
         },
         "what computes; cuda: one GPU per rank; with fewer GPUs, ranks take turns [cpu]")
      ->type_name("cpu|cuda")
      ->group("Device");

  app.add_flag("--tf32", tf32_, "GPUs multiply with 10 bits of mantissa: faster, less exact")
      ->group("Device");
  app.add_flag("--nondeterministic", not_deterministic_,
               "GPUs may take algorithms that give other bits each time")
      ->group("Device");
  // Declared only to be refused with the reason.
  app.add_flag("--autocast", autocast_, "")->group("");
}

Compute DeviceArguments::Get() const {
  if (autocast_) {
    throw CommandFailure(ExitCode::kUsage, "--autocast",
                         "is not available: it keeps casts of weights by their address, and would "
                         "read versions that are no longer there; expected --dtype");
  }
  if (!on_gpus_ && (tf32_ || not_deterministic_)) {
    throw CommandFailure(ExitCode::kUsage, tf32_ ? "--tf32" : "--nondeterministic",
                         "is of GPUs; expected it with --device cuda");
  }
  return {on_gpus_, {.tf32 = tf32_, .deterministic = !not_deterministic_}};
}

}  // namespace stagecraft
