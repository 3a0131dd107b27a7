#pragma once

#include <cstdint>

#include "engine/training.h"

namespace stagecraft {

/// A number that is equal for processes that would train to the same bits: the ranks of a job
/// recognise each other by it. Everything that changes results counts: the schedule, where it
/// pauses and what it evaluates, the model and its cut, data (`TrainingTask::data`), types, loss,
/// optimizer, learning rate, seed, the arithmetic of devices, and the snapshot to go on from, which
/// may be null. It tells jobs apart by accident, not against an adversary.
///
/// A new field of any of these structs does not compile here until it is listed.
std::uint64_t FingerprintOf(const TrainingTask& task, const TrainingPlan& plan,
                            const Snapshot* start = nullptr);

}  // namespace stagecraft
