#include "engine/ranks/worker.h"

#include <stdexcept>
#include <sys/socket.h>
#include <thread>

#include <gtest/gtest.h>

#include "engine/ranks/control_message.h"
#include "schedules/lower.h"
#include "tests/engine/scalar_model.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

/// What a worker tells, as the letters of its messages.
std::string Letters(int socket) {
  std::string received;
  char bytes[4096];
  for (ssize_t got = 0; (got = recv(socket, bytes, sizeof bytes, 0)) > 0;) {
    received.append(bytes, static_cast<std::size_t>(got));
  }
  std::string letters;
  while (const std::optional<ControlMessage> message = TakeMessage(received)) {
    letters += static_cast<char>(message->kind);
  }
  return letters;
}

struct Told {
  std::string letters;
  std::optional<Failure> failure;
};

Told RunAlone(const MakeWork& work, const ExecutionPlan& plan, bool start) {
  int ends[2];
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  const Descriptor near(ends[0]);
  Descriptor far(ends[1]);
  if (start) {
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(send(near.Get(), &begin, sizeof begin, 0), static_cast<ssize_t>(sizeof begin));
  } else {
    shutdown(near.Get(), SHUT_WR);
  }
  Told told;
  told.failure = RunWorker(plan, work, {}, {.rank = 0, .control = far.Get()});
  far.Close();
  told.letters = Letters(near.Get());
  return told;
}

TEST(RunWorker, SaysThatItIsReadyAndDone) {
  const ExecutionPlan plan = PlanExecution(test::Make("1f1b", {.ranks = 1, .microbatches = 2}));
  test::ScalarResult result;
  const MakeWork work =
      RunProgramOf(plan, [&](std::int32_t rank) { return test::ScalarParts(plan, rank, result); });
  const Told told = RunAlone(work, plan, true);
  EXPECT_EQ(told.letters, "RD");
  EXPECT_FALSE(told.failure);
  EXPECT_EQ(RunAlone(work, plan, false).letters, "R");  // The job was over before it began.
}

TEST(RunWorker, SaysWhatWentWrong) {
  const ExecutionPlan plan = PlanExecution(test::Make("1f1b", {.ranks = 1, .microbatches = 2}));
  const Told told = RunAlone(
      [](std::int32_t) -> std::unique_ptr<RankWork> { throw std::runtime_error("no device"); },
      plan, true);
  EXPECT_EQ(told.letters, "F");
  ASSERT_TRUE(told.failure);
  EXPECT_EQ(told.failure->Text(), "rank 0, op 0 (set-up): no device");
}

}  // namespace
}  // namespace stagecraft
