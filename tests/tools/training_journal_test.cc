#include "tools/training_journal.h"

#include <gtest/gtest.h>

#include "schedules/lower.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

TrainingReport Loss(std::int64_t microbatch, double loss) {
  return {TrainingReport::Kind::kTraining, 0, {microbatch, loss, 1, 0}};
}

TEST(TrainingJournal, PutsUpdatesInOrderHoweverReportsCome) {
  TrainingPlan plan =
      PlanTraining(Lower(test::Make("1f1b", {.ranks = 2, .microbatches = 2, .batches = 2})), 0, 0);
  plan.rounds = 2;
  const LearningRate rate({0.5, 0.25});
  TrainingJournal journal(plan, rate, {.microbatch = 10, .update = 5});
  std::string text;
  journal.on_update = [&](const UpdateResult& update) { text += ToJsonLine(update); };
  std::vector<double> epochs;
  journal.on_epoch = [&](const EpochResult& epoch) { epochs.push_back(epoch.loss); };
  for (const std::int64_t q : {12, 13, 11}) {
    journal.Take(Loss(q, static_cast<double>(q)));
    EXPECT_EQ(text, "");
  }
  journal.Take(Loss(10, 10));
  EXPECT_EQ(text,
            "{\"update\":5,\"microbatches\":[10,11],\"losses\":[10.0,11.0],\"lr\":0.25,"
            "\"staleness\":[0,0]}\n"
            "{\"update\":6,\"microbatches\":[12,13],\"losses\":[12.0,13.0],\"lr\":0.25,"
            "\"staleness\":[0,0]}\n");
  EXPECT_EQ(epochs, std::vector<double>{11.5});
  for (std::int64_t q = 14; q < 18; ++q) {
    journal.Take(Loss(q, 1));
  }
  EXPECT_EQ(epochs, (std::vector<double>{11.5, 1}));
  EXPECT_EQ(journal.MicrobatchesSeen(), 8);
}

TEST(TrainingJournal, StalenessIsThatOfTheUpdate) {
  const TrainingPlan plan =
      PlanTraining(Lower(test::Make("pipedream", {.ranks = 3, .microbatches = 4})), 0, 0);
  const LearningRate rate;
  TrainingJournal journal(plan, rate, {});
  std::vector<std::vector<std::int32_t>> staleness;
  journal.on_update = [&](const UpdateResult& update) { staleness.push_back(update.staleness); };
  for (std::int64_t q = 0; q < 4; ++q) {
    journal.Take(Loss(q, 1));
  }
  EXPECT_EQ(staleness,
            (std::vector<std::vector<std::int32_t>>{{0, 0, 0}, {1, 1, 0}, {2, 1, 0}, {2, 1, 0}}));
}

TEST(TrainingJournal, AnEpochEndsWithItsEvaluation) {
  const TrainingPlan plan =
      PlanTraining(Lower(test::Make("1f1b", {.ranks = 2, .microbatches = 2})), 0, 2);
  const LearningRate rate;
  TrainingJournal journal(plan, rate, {});
  std::vector<EpochResult> epochs;
  journal.on_epoch = [&](const EpochResult& epoch) { epochs.push_back(epoch); };
  journal.Take(Loss(0, 1));
  journal.Take(Loss(1, 3));
  journal.Take({TrainingReport::Kind::kEvaluation, 0, {1, 4, 1, 1}});
  EXPECT_TRUE(epochs.empty());
  journal.Take({TrainingReport::Kind::kEvaluation, 0, {0, 1, 3, 2}});
  ASSERT_EQ(epochs.size(), 1U);
  EXPECT_EQ(epochs[0].loss, 2);
  EXPECT_EQ(epochs[0].test_loss, (3 * 1.0 + 1 * 4.0) / 4);
  EXPECT_EQ(epochs[0].accuracy, 0.75);
}

}  // namespace
}  // namespace stagecraft
