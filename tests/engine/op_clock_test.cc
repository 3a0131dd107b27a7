#include "engine/op_clock.h"

#include <chrono>
#include <memory>
#include <optional>
#include <span>

#include <gtest/gtest.h>

#include "schedules/lower.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using std::chrono::microseconds;

/// Weights whose slot s holds version s, but for slot 9, of which nobody keeps account.
class NumberedSlots : public Weights {
 public:
  void Step(const StepOp& /*step*/) override {}
  void Predict(const PredictOp& /*prediction*/) override {}
  std::span<double> Gradient() override { return {}; }
  std::optional<SlotContent> Holds(std::int32_t slot) const override {
    return slot == 9 ? std::nullopt : std::optional(SlotContent{slot, 0});
  }
};

TEST(HostClock, TakesTheTimesOfOpsAndTransfers) {
  const Schedule schedule = Lower(test::Make("gpipe", {.ranks = 2, .microbatches = 1}));
  ASSERT_EQ(schedule.programs[0][1].kind, OpKind::kSendForward);
  ASSERT_EQ(schedule.programs[1][0].kind, OpKind::kRecvForward);
  Recorder recorder(schedule);
  const auto zero = std::chrono::steady_clock::now();
  recorder.Begin(zero);
  const std::unique_ptr<OpClock> clock = MakeHostClock(&recorder);

  clock->Begin({0, 0});
  const Nanoseconds between = recorder.Now();
  clock->End({0, 0});
  clock->Mark({0, 1});
  Received received{MakeBoundary(24), zero + std::chrono::hours(1)};
  clock->Arrive({1, 0}, received);

  const Timeline timeline = recorder.Recorded();
  EXPECT_LE(timeline.spans[0].start, between);
  EXPECT_GE(timeline.spans[0].end, between);
  EXPECT_GE(timeline.spans[1].start, timeline.spans[0].end);
  EXPECT_EQ(timeline.spans[1].start, timeline.spans[1].end);
  ASSERT_FALSE(timeline.transfers.empty());
  EXPECT_EQ(timeline.transfers[0].recv, (OpRef{1, 0}));
  EXPECT_EQ(timeline.transfers[0].arrival, std::chrono::hours(1));
  EXPECT_EQ(timeline.transfers[0].bytes, 24);
}

TEST(HostClock, WritesDownWhatAnOpHasRead) {
  const Schedule schedule = test::Make("gpipe", {.ranks = 1, .microbatches = 1});
  Recorder recorder(schedule);
  const std::unique_ptr<OpClock> clock = MakeHostClock(&recorder);
  clock->Read({0, 0}, NumberedSlots(), 3);
  clock->Read({0, 1}, NumberedSlots(), 9);
  EXPECT_EQ(recorder.Reads()[0], (SlotContent{3, 0}));
  EXPECT_EQ(recorder.Reads()[1], Recorder::kNoRead);
}

TEST(HostClock, WithoutARecorderWritesNothing) {
  const std::unique_ptr<OpClock> clock = MakeHostClock(nullptr);
  clock->Begin({0, 0});
  clock->Read({0, 0}, NumberedSlots(), 3);
  clock->End({0, 0});
  clock->Arrive({0, 1}, {});
  clock->Drain();
}

}  // namespace
}  // namespace stagecraft
