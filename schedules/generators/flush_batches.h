#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "schedules/generator.h"
#include "schedules/placements.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"

namespace stagecraft {

/// What `rank` does in one batch, before it steps: micro-batches from 0, version 0.
using BatchProgram = std::function<Program(std::int32_t rank)>;

/// Batches of m micro-batches with a flush behind each: what all synchronous approaches share. Each
/// rank runs `program` and then steps its stages, in order of their numbers, after an all-reduce
/// where a stage is replicated; micro-batches and versions go on from batch to batch, so that all
/// reads of batch b are of version b. A rank that is done with a batch begins the next.
Schedule RepeatBatch(const GeneratorOptions& options, Placement placement,
                     const BatchProgram& program);

/// The same on a straight pipeline: stage r runs min(`warmup[r]`, m) forwards, then pairs of one
/// forward and one backward, then the backwards that are left.
///
/// Requires an entry of `warmup` per rank, none larger than the one before it by more than 0: a
/// stage that runs ahead of the stage before it would wait for it for ever.
Schedule MakeFlushed(const GeneratorOptions& options, TableView<const std::int32_t> warmup,
                     Checkpoint checkpoint = Checkpoint::kNone);

}  // namespace stagecraft
