#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "engine/failure.h"
#include "engine/op_clock.h"
#include "engine/stage.h"
#include "engine/transport.h"
#include "engine/weights.h"
#include "schedules/activations.h"
#include "schedules/dependencies.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"
#include "schedules/weight_slots.h"

namespace stagecraft {

/// A lowered schedule with everything that executing it needs to know, worked out once for all
/// ranks.
struct ExecutionPlan {
  Schedule schedule;
  Dependencies dependencies;
  WeightSlots slots;
  Table<Table<std::int32_t>> ranks_of_stage;
};

/// Requires: `Verify(lowered)` is empty, and `lowered` has its SENDs and RECVs.
ExecutionPlan PlanExecution(Schedule lowered);
/// The same for part of a schedule, with the slots of the whole.
ExecutionPlan PlanExecution(Schedule lowered, WeightSlots slots);

/// What a rank holds of one stage.
struct StagePart {
  std::unique_ptr<Stage> stage;
  std::unique_ptr<Weights> weights;
};

/// Runs the program of one rank, op after op, on the calling thread.
///
/// A RECV only posts; the op that needs its tensor waits for it. What an op computes depends on the
/// schedule, the stages and the weights only: never on when something arrives. The members of a
/// cell run one after the other; what they send goes out after the last.
///
/// `parts` has one part for each stage in the rank's placement. `clock` hears of each op; one of a
/// device also bounds how far the program may be ahead. `position`, unless it is null, is kept at
/// the index of the op that runs. All must live on.
class Executor {
 public:
  Executor(const ExecutionPlan& plan, std::int32_t rank, std::map<std::int32_t, StagePart>& parts,
           Transport& transport, OpClock& clock, std::atomic<std::int32_t>* position = nullptr);

  /// Runs what is left of the program. Throws `JobError` for whatever goes wrong on this rank,
  /// having ended the job for all others, and `Aborted` if another rank did that.
  void Run() { RunUntil(program_.Count()); }

  /// Runs the ops before the one at index `end` that have not run yet.
  void RunUntil(std::int32_t end);

  /// Waits until everything has run, also on a device. Throws what `Run` throws.
  void Drain();

  /// Gives all replicas of `stage` the values of the first: those of the rank that comes first in
  /// the order of the ranks. All replicas call it between the same ops, with equally many values.
  /// Throws what `Run` throws.
  void ShareFirst(std::int32_t stage, std::span<double> values);

  /// Index of the op that comes next.
  std::int32_t Next() const { return next_; }

 private:
  /// Runs `call`; whatever it throws ends the job.
  template <typename Call>
  void Guarded(const Call& call);
  void RunOp(std::int32_t index);
  void Compute(std::int32_t index, const Op& op);
  void Communicate(std::int32_t index, const Op& op);
  void Update(std::int32_t index, const Op& op);
  /// Index of the P that takes up the outcome of the S at `index` right behind it, but for RECVs,
  /// which only post; -1 if there is none. The two are done in one pass.
  std::int32_t PredictionBehind(std::int32_t index) const;
  std::int32_t BaseOf(std::int32_t index) const;
  /// The tensor that an F, B or I works on, from this rank or another.
  Boundary InputOf(std::int32_t index);
  /// Keeps the tensor that an F, B or I made for the SEND or the op of this rank that uses it.
  void Keep(std::int32_t index, const Op& op, Boundary tensor);
  StagePart& PartOf(const Op& op) { return parts_.at(op.stage); }
  std::int32_t SlotOf(std::int32_t index) const;

  const ExecutionPlan& plan_;
  std::int32_t rank_;
  const Program& program_;
  std::map<std::int32_t, StagePart>& parts_;
  Transport& transport_;
  OpClock& clock_;
  std::atomic<std::int32_t>* position_;
  std::int32_t next_ = 0;
  std::int32_t predicted_ = -1;  ///< Index of the last P that was made with its S.
  RecomputedForwards recomputed_;
  std::map<std::int32_t, Boundary> kept_;  ///< Tensors by the index of the op that made them.
  Table<std::int64_t> samples_;  ///< Per stage: samples of the gradients since its last S.
};

}  // namespace stagecraft
