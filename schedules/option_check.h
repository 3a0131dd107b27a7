#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "schedules/diagnostic.h"
#include "schedules/generator.h"
#include "schedules/registry.h"

namespace stagecraft {

/// An option that some generators take.
struct OptionTraits {
  Takes takes;
  std::string_view name;                      ///< Of the field in `GeneratorOptions`.
  bool (*is_given)(const GeneratorOptions&);  ///< Differs from its default.
  void (*reset)(GeneratorOptions&);           ///< To its default.
};

/// All of them, in the order of the help.
std::span<const OptionTraits> AllOptionTraits();

/// `options` without what `generator` does not take: for commands that share them among several.
GeneratorOptions OnlyTaken(const Generator& generator, GeneratorOptions options);

/// One sentence per argument that makes no sense for `generator`; empty if it can make a schedule.
std::vector<Diagnostic> CheckOptions(const Generator& generator, const GeneratorOptions& options);

}  // namespace stagecraft
