#include "engine/ranks/control_room.h"

#include <memory>
#include <optional>
#include <sys/socket.h>
#include <thread>

#include <gtest/gtest.h>

#include "engine/ranks/control_message.h"
#include "schedules/lower.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

/// A control room with one thread per rank at the other end of its connection.
class ControlRoomTest : public testing::Test {
 protected:
  /// A process that was ended by a signal, if `dies`.
  class Process : public RankProcess {
   public:
    Process(std::int32_t rank, bool dies) : rank_(rank), dies_(dies) {}
    std::optional<Failure> HowItEnded() override {
      return dies_ ? std::optional(Failure{rank_, 0, "end", "ended by signal 11"}) : std::nullopt;
    }

   private:
    std::int32_t rank_;
    bool dies_;
  };

  template <typename Rank>
  std::string Run(const Rank& rank, JobOptions options = {}) {
    ControlRoom room(plan_, options);
    std::vector<std::jthread> threads;
    for (std::int32_t i = 0; i < 2; ++i) {
      int ends[2];
      EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
      room.Add(Descriptor(ends[0]), std::make_unique<Process>(i, i == dies_));
      threads.emplace_back([&rank, i, end = ends[1]] {
        const Descriptor socket(end);
        rank(i, socket.Get());
      });
    }
    try {
      std::string text;
      for (const std::string& result : room.Run()) {
        text += result + ";";
      }
      return text;
    } catch (const JobError& error) {
      return error.what();
    }
  }

  std::string Record(std::int32_t rank) const {
    return std::string(Recorder::BytesOf(plan_.schedule, rank), '\0');
  }

  std::int32_t dies_ = -1;  ///< Rank whose process ends by a signal.
  ExecutionPlan plan_ = PlanExecution(Lower(test::Make("1f1b", {.ranks = 2, .microbatches = 2})));
};

TEST_F(ControlRoomTest, StartsWhenAllAreReadyAndCollectsResults) {
  std::string reports;
  EXPECT_EQ(Run(
                [&](std::int32_t rank, int socket) {
                  SendMessage(socket, ControlKind::kReady);
                  std::chrono::steady_clock::time_point begin;
                  recv(socket, &begin, sizeof begin, MSG_WAITALL);
                  SendMessage(socket, ControlKind::kReport, "half");
                  SendMessage(socket, ControlKind::kDone,
                              Record(rank) + "result " + std::to_string(rank));
                  shutdown(socket, SHUT_WR);
                  char verdict = 0;
                  EXPECT_EQ(recv(socket, &verdict, 1, MSG_WAITALL), 1);
                },
                {.on_report =
                     [&](std::int32_t rank, std::string_view report) {
                       reports += std::to_string(rank) + std::string(report) + " ";
                     }}),
            "result 0;result 1;");
  EXPECT_EQ(reports.size(), 12U);
}

TEST_F(ControlRoomTest, AFailureBeforeTheStartReleasesTheOthers) {
  EXPECT_EQ(Run([](std::int32_t rank, int socket) {
              if (rank == 1) {
                SendMessage(socket, ControlKind::kFailed,
                            PackFailure({1, 0, "set-up", "no such device"}));
                return;
              }
              SendMessage(socket, ControlKind::kReady);
              char byte = 0;
              EXPECT_EQ(recv(socket, &byte, 1, 0), 0);  // No start any more.
            }),
            "rank 1, op 0 (set-up): no such device");
}

TEST_F(ControlRoomTest, TheCauseCountsBeforeItsConsequences) {
  EXPECT_EQ(
      Run([](std::int32_t rank, int socket) {
        SendMessage(socket, ControlKind::kReady);
        std::chrono::steady_clock::time_point begin;
        recv(socket, &begin, sizeof begin, MSG_WAITALL);
        if (rank == 0) {
          SendMessage(socket, ControlKind::kFailed,
                      PackFailure({0, 4, "0B1@0", "peer lost", true}));
        } else {
          std::this_thread::sleep_for(std::chrono::milliseconds(20));
          SendMessage(socket, ControlKind::kFailed, PackFailure({1, 3, "1B0@0", "out of memory"}));
        }
      }),
      "rank 1, op 3 (1B0@0): out of memory");
}

TEST_F(ControlRoomTest, ARankThatWasAbortedWithoutAFailureHasNoResult) {
  EXPECT_EQ(Run([&](std::int32_t rank, int socket) {
              if (rank == 0) {
                SendMessage(socket, ControlKind::kDone, Record(0));
              } else {
                SendMessage(socket, ControlKind::kAborted);
              }
            }),
            "rank 1, op 0 (end): it was stopped by another rank, and did not hear that it was "
            "meant");
}

TEST_F(ControlRoomTest, ADeathIsTheCauseUnlessTheRankHadGivenUpBefore) {
  const auto misses = [](int socket) {  // What a rank says whose peer has gone.
    SendMessage(socket, ControlKind::kFailed,
                PackFailure({0, 4, "0B1@0", "rank 1 has ended", true}));
  };
  dies_ = 1;
  EXPECT_EQ(Run([&](std::int32_t rank, int socket) {
              if (rank == 0) {
                misses(socket);
              }
            }),
            "rank 1, op 0 (end): ended by signal 11");

  // It died of tearing down, after it had said what was wrong.
  EXPECT_EQ(
      Run([&](std::int32_t rank, int socket) {
        if (rank == 0) {
          misses(socket);
        } else {
          SendMessage(socket, ControlKind::kFailed, PackFailure({1, 3, "1B0@0", "out of memory"}));
        }
      }),
      "rank 1, op 3 (1B0@0): out of memory");

  // It was told to stop by rank 0, whose failure is the cause, and died of tearing down.
  EXPECT_EQ(
      Run([&](std::int32_t rank, int socket) {
        if (rank == 0) {
          SendMessage(socket, ControlKind::kFailed, PackFailure({0, 3, "0F0@0", "out of memory"}));
        } else {
          SendMessage(socket, ControlKind::kAborted);
        }
      }),
      "rank 0, op 3 (0F0@0): out of memory");
}

TEST_F(ControlRoomTest, ARankThatGoesWithoutAWordIsNamed) {
  EXPECT_EQ(Run([](std::int32_t rank, int socket) {
              if (rank == 0) {
                SendMessage(socket, ControlKind::kAborted);
              }
            }),
            "rank 1, op 0 (end): its process ended without a result");
}

}  // namespace
}  // namespace stagecraft
