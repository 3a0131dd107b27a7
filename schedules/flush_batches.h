#pragma once

#include <cstdint>
#include <span>

#include "schedules/generators.h"
#include "schedules/schedule.h"

namespace stagecraft {

/// Batches of m micro-batches on a straight pipeline, with a step and a flush behind each: what
/// the synchronous approaches share. In a batch, stage r runs min(`warmup[r]`, m) forwards, then
/// pairs of one forward and one backward, then the backwards that are left. All reads of batch b
/// are of version b.
///
/// Requires an entry of `warmup` per rank, none larger than the one before it by more than 0: a
/// stage that runs ahead of the stage before it would wait for it for ever.
Schedule MakeFlushed(const GeneratorOptions& options, std::span<const std::int32_t> warmup,
                     Checkpoint checkpoint = Checkpoint::kNone);

}  // namespace stagecraft
