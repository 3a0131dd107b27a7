#include "engine/training_job.h"

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "engine/ranks/thread_job.h"
#include "schedules/lower.h"
#include "tests/engine/scalar_framework.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

/// A framework whose ranks, threads here, all meet in one store.
class MeetingFramework : public test::ScalarFramework {
 public:
  std::unique_ptr<Store> ConnectStore(const StoreAddress& address) override {
    serving_ += address.serves ? 1 : 0;
    return std::make_unique<Door>(store_);
  }

  /// How many ranks have been told to run the store themselves.
  int Serving() const { return serving_; }

 private:
  class Door : public Store {
   public:
    explicit Door(Store& store) : store_(store) {}
    void Set(const std::string& key, const std::string& value) override { store_.Set(key, value); }
    std::string Get(const std::string& key, std::chrono::milliseconds deadline) override {
      return store_.Get(key, deadline);
    }

   private:
    Store& store_;
  };

  MemoryStore store_;
  std::atomic<int> serving_{0};
};

class RunTrainingJobTest : public testing::Test {
 protected:
  static constexpr std::int32_t kRanks = 3;

  TrainingTask task_ = test::ScalarTask(kRanks, OptimizerOptions{.momentum = 0.5});
  TrainingPlan plan_ =
      PlanTraining(Lower(test::Make("pipeoptim", {.ranks = kRanks, .microbatches = 12})), 0, 0);
  MeetingFramework framework_;
  TrainingSetup setup_{.task = &task_, .plan = &plan_, .framework = &framework_};
  std::vector<std::string> of_threads_ = RunAsThreads(plan_.training, TrainingWork(setup_));
};

TEST_F(RunTrainingJobTest, ThreadsAreTheDefault) {
  EXPECT_EQ(RunTrainingJob(setup_, {}, {}), of_threads_);
}

TEST_F(RunTrainingJobTest, LaunchedRanksMeetInTheStoreAndTrainToTheSameBits) {
  std::vector<std::vector<std::string>> results(kRanks);
  {
    std::vector<std::jthread> ranks;
    for (std::int32_t rank = 0; rank < kRanks; ++rank) {
      ranks.emplace_back([&, rank] {
        const LaunchEnvironment launch{.launcher = "torchrun",
                                       .rank = rank,
                                       .ranks = kRanks,
                                       .local_rank = rank,
                                       .local_ranks = kRanks,
                                       .run = "7"};
        results[static_cast<std::size_t>(rank)] = RunTrainingJob(setup_, {.launch = launch}, {});
      });
    }
  }
  EXPECT_EQ(results[0], of_threads_);
  EXPECT_TRUE(results[1].empty()) << "rank 0 alone has the results";
  EXPECT_TRUE(results[2].empty());
  EXPECT_EQ(framework_.Serving(), 1) << "rank 0 runs the store, since no launcher does";
}

TEST_F(RunTrainingJobTest, ALaunchedRankOfAnotherTaskIsRefused) {
  TrainingTask other = task_;
  other.seed = 8;
  std::vector<std::string> failures(kRanks);
  {
    std::vector<std::jthread> ranks;
    for (std::int32_t rank = 0; rank < kRanks; ++rank) {
      ranks.emplace_back([&, rank] {
        TrainingSetup setup = setup_;
        setup.task = rank == 2 ? &other : &task_;
        const LaunchEnvironment launch{
            .launcher = "torchrun", .rank = rank, .ranks = kRanks, .run = "7"};
        try {
          RunTrainingJob(setup, {.launch = launch}, {});
        } catch (const Error& error) {
          failures[static_cast<std::size_t>(rank)] = error.what();
        }
      });
    }
  }
  EXPECT_NE(failures[2].find("another schedule, model, data or options"), std::string::npos)
      << failures[2];
}

}  // namespace
}  // namespace stagecraft
