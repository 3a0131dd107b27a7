#include "schedules/registry.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "schedules/closest.h"
#include "schedules/generators.h"
#include "schedules/option_check.h"

namespace stagecraft {

std::span<const Generator> Generators() {
  // In the order of the listing: synchronous schedules first, then those without a flush.
  static const auto generators = std::to_array<Generator>({
      kSequential,      kModelParallel, kDataParallel,
      kGPipe,           kOneFOneB,      kInterleavedOneFOneB,
      kBreadthFirst,    kZeroBubbleH1,  kZeroBubbleH2,
      kZeroBubbleV,     kDualPipe,      kDualPipeV,
      kChimera,         kGreedy,        kZeroBubbleAuto,
      kZeroBubbleAutoV, kAsyncOneFOneB, kPipeDream,
      kPipeDream2BW,    kSpecTrain,     kXPipe,
      kPipeOptim,       kPipeMare,      kPipelinedBackprop,
  });
  return generators;
}

const Generator* FindGenerator(std::string_view name) {
  const std::span<const Generator> all = Generators();
  const auto found = std::ranges::find(all, name, &Generator::name);
  return found == all.end() ? nullptr : &*found;
}

Result<Schedule> Generate(std::string_view name, const GeneratorOptions& options) {
  const Generator* generator = FindGenerator(name);
  if (generator == nullptr) {
    std::vector<std::string_view> names;
    std::ranges::transform(Generators(), std::back_inserter(names), &Generator::name);
    return {
        std::nullopt,
        {ErrorAt("", fmt::format("no schedule is called '{}'{}", name, DidYouMean(name, names)))}};
  }

  std::vector<Diagnostic> faults = CheckOptions(*generator, options);
  if (!faults.empty()) {
    return {std::nullopt, std::move(faults)};
  }

  Schedule schedule = generator->make(options);
  schedule.name = generator->name;
  schedule.source = generator->source;

  std::vector<Diagnostic> warnings;
  if (generator->warn != nullptr) {
    if (std::string text = generator->warn(options, schedule); !text.empty()) {
      warnings.push_back(WarningAt(std::string(name), std::move(text)));
    }
  }
  return {std::move(schedule), std::move(warnings)};
}

}  // namespace stagecraft
