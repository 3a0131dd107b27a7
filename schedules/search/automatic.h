#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "schedules/generator.h"
#include "schedules/placements.h"

namespace stagecraft {

/// The schedule that the automatic scheduler finds for `placement`, for the estimates and within
/// the limit of `options`: all estimates 1 and p activation sets unless given.
Schedule MakeAutomatic(const GeneratorOptions& options, const Placement& placement);

/// What it never exceeds: the limit, where that counts sets.
Bounds AutomaticBounds(const GeneratorOptions& options, const Placement& placement);

/// Why there is none: estimates for another number of stages, a limit below one micro-batch.
std::string RefuseAutomatic(const GeneratorOptions& options, const Placement& placement);

}  // namespace stagecraft
