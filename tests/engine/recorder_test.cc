#include "engine/recorder.h"

#include <string>

#include <gtest/gtest.h>

#include "schedules/lower.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

TEST(Recorder, CarriesSpansFromOneProcessToAnother) {
  const Schedule schedule = Lower(test::Make("1f1b", {.ranks = 2, .microbatches = 2}));
  Recorder there(schedule);
  const Span span{Nanoseconds(3), Nanoseconds(5)};
  there.Record({1, 2}, span);
  there.RecordRead({1, 2}, {7, -1});
  const OpRef recv = test::FindOp(schedule, OpKind::kRecvForward, 1, 1);
  there.Begin(std::chrono::steady_clock::time_point(Nanoseconds(100)));
  there.RecordArrival(recv, there.At(std::chrono::steady_clock::time_point(Nanoseconds(109))), 24);
  Recorder here(schedule);
  const std::string bytes = there.Bytes(1);
  EXPECT_EQ(bytes.size(), Recorder::BytesOf(schedule, 1));
  here.Adopt(1, bytes + "what follows");
  EXPECT_EQ(here.Recorded(), there.Recorded());
  EXPECT_EQ(here.Reads(), there.Reads());
  for (const Transfer& transfer : here.Recorded().transfers) {
    EXPECT_EQ(transfer.arrival, Nanoseconds(transfer.recv == recv ? 9 : 0));
    EXPECT_EQ(transfer.bytes, transfer.recv == recv ? 24 : 0);
  }
}

}  // namespace
}  // namespace stagecraft
