#include "traces/measured_stages.h"

#include <array>
#include <cstddef>
#include <optional>
#include <string>

#include "schedules/schedule.h"
#include "schedules/tables.h"

namespace stagecraft {
namespace {

/// Durations of ops, to be averaged.
struct Sum {
  Nanoseconds total{0};
  std::int64_t count = 0;

  void Add(Nanoseconds duration) {
    total += duration;
    ++count;
  }
  std::optional<Nanoseconds> Mean() const {
    return count == 0 ? std::nullopt : std::optional(total / count);
  }
};

/// By kind of op.
using SumsOfStage = KindTable<Sum>;

}  // namespace

std::vector<ProfileLayer> MeasureStages(const Schedule& schedule, const Timeline& timeline,
                                        const std::vector<MicrobatchRange>& ranges) {
  Table<SumsOfStage> sums(schedule.shape.stages);
  std::size_t index = 0;
  for (const Program& program : schedule.programs) {
    bool counts = Contains(ranges, 0);  // An S or P belongs to the micro-batch before it, or to 0.
    for (const Op& op : program) {
      if (TraitsOf(op.kind).has_microbatch) {
        counts = Contains(ranges, op.microbatch);
      }
      const Span span = timeline.spans[index++];
      if (counts) {
        sums[op.stage][op.kind].Add(span.end - span.start);
      }
    }
  }

  std::vector<ProfileLayer> stages;
  for (const SumsOfStage& of_stage : sums) {
    const auto mean = [&](OpKind kind) { return of_stage[kind].Mean(); };
    ProfileLayer stage;
    stage.name = "stage " + std::to_string(stages.size());

    MeasuredCosts costs;
    costs.forward = mean(OpKind::kForward);
    costs.backward = mean(OpKind::kBackward);
    costs.backward_input = mean(OpKind::kBackwardInput);
    costs.backward_weight = mean(OpKind::kBackwardWeight);
    costs.recompute = mean(OpKind::kRecompute);
    stage.at.push_back(costs);

    stage.step = mean(OpKind::kStep);
    stage.predict = mean(OpKind::kPredict);
    stages.push_back(std::move(stage));
  }
  return stages;
}

}  // namespace stagecraft
