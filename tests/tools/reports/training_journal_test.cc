#include "tools/reports/training_journal.h"

#include <cmath>
#include <string>

#include <gtest/gtest.h>

#include "schedules/lower.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

TrainingReport Loss(std::int64_t microbatch, double loss, std::int64_t samples = 1) {
  return {TrainingReport::Kind::kTraining, 0, {microbatch, loss, samples, 0}};
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

  // The first update waits for micro-batch 10, and the second for the first.
  for (const std::int64_t q : {12, 13, 11}) {
    journal.Take(Loss(q, static_cast<double>(q)));
    EXPECT_EQ(text, "");
  }
  journal.Take(Loss(10, 10));
  EXPECT_EQ(
      text,
      "{\"update\":5,\"microbatches\":[10,11],\"samples\":[1,1],\"losses\":[10.0,11.0],\"lr\":0.25,"
      "\"staleness\":[0,0]}\n"
      "{\"update\":6,\"microbatches\":[12,13],\"samples\":[1,1],\"losses\":[12.0,13.0],\"lr\":0.25,"
      "\"staleness\":[0,0]}\n");
  EXPECT_EQ(epochs, std::vector<double>{11.5});

  for (std::int64_t q = 14; q < 18; ++q) {
    journal.Take(Loss(q, 1));
  }
  EXPECT_EQ(epochs, (std::vector<double>{11.5, 1}));
  EXPECT_EQ(journal.MicrobatchesSeen(), 8);
}

TEST(TrainingJournal, AnEpochsLossIsTheMeanOverItsSamples) {
  const TrainingPlan plan =
      PlanTraining(Lower(test::Make("1f1b", {.ranks = 2, .microbatches = 2})), 0, 0);
  const LearningRate rate;
  TrainingJournal journal(plan, rate, {.microbatch = 6});
  std::string text;
  journal.on_update = [&](const UpdateResult& update) { text += ToJsonLine(update); };
  std::vector<EpochResult> epochs;
  journal.on_epoch = [&](const EpochResult& epoch) { epochs.push_back(epoch); };
  journal.Take(Loss(6, 3, 2));
  journal.Take(Loss(7, 1, 6));

  ASSERT_EQ(epochs.size(), 1U);
  EXPECT_EQ(epochs[0].loss, (2 * 3.0 + 6 * 1.0) / 8);
  EXPECT_EQ(epochs[0].samples, 8);
  EXPECT_EQ(epochs[0].end, 8);
  EXPECT_EQ(journal.SamplesSeen(), 8);
  EXPECT_NE(text.find("\"samples\":[2,6],\"losses\":[3.0,1.0]"), std::string::npos) << text;
}

TEST(TrainingJournal, AnEpochMayBeSeveralRounds) {
  TrainingPlan plan =
      PlanTraining(Lower(test::Make("1f1b", {.ranks = 2, .microbatches = 2})), 0, 0);
  plan.rounds = 5;
  plan.rounds_per_pause = 2;
  const LearningRate rate;
  TrainingJournal journal(plan, rate, {});
  std::vector<std::int64_t> ends;
  journal.on_epoch = [&](const EpochResult& epoch) { ends.push_back(epoch.end); };
  for (std::int64_t q = 0; q < 10; ++q) {
    journal.Take(Loss(q, 1));
  }
  EXPECT_EQ(ends, (std::vector<std::int64_t>{4, 8, 10}));
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

  // The losses of the training, then those of the evaluation, in the other order.
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

TrainingReport Updates(std::int32_t stage, std::int64_t made, std::int64_t not_finite = -1) {
  TrainingReport report{TrainingReport::Kind::kUpdates, 0, {}};
  report.updates = {stage, stage, made, not_finite};
  return report;
}

TEST(TrainingJournal, ALossThatIsNotFiniteIsNullAndToldOnce) {
  const TrainingPlan plan =
      PlanTraining(Lower(test::Make("1f1b", {.ranks = 2, .microbatches = 2, .batches = 2})), 0, 0);
  const LearningRate rate;
  TrainingJournal journal(plan, rate, {});
  std::string text;
  journal.on_update = [&](const UpdateResult& update) { text += ToJsonLine(update); };
  journal.on_divergence = [&](const Divergence& divergence) { text += ToText(divergence) + "\n"; };

  for (std::int64_t q = 0; q < 4; ++q) {
    journal.Take(Loss(q, q == 1 ? std::nan("") : 1));
  }
  journal.Take(Updates(0, 2));
  journal.Take(Updates(1, 2));
  journal.Finish();

  EXPECT_EQ(
      text,
      "{\"update\":0,\"microbatches\":[0,1],\"samples\":[1,1],\"losses\":[1.0,null],\"lr\":0.0,"
      "\"staleness\":[0,0]}\n"
      "{\"update\":1,\"microbatches\":[2,3],\"samples\":[1,1],\"losses\":[1.0,1.0],\"lr\":0.0,"
      "\"staleness\":[0,0]}\n"
      "the loss of micro-batch 1 (update 0) is not finite\n");
  EXPECT_EQ(journal.MicrobatchesSeen(), 4);
}

TEST(TrainingJournal, OneThatEndsTellsTheSameHoweverFarTheRanksAre) {
  const TrainingPlan plan =
      PlanTraining(Lower(test::Make("1f1b", {.ranks = 2, .microbatches = 2, .batches = 4})), 2, 0);
  const LearningRate rate;
  for (const bool last_stage_is_ahead : {false, true}) {
    TrainingJournal journal(plan, rate, {}, TrainingJournal::WhenDiverged::kEnds);
    std::string text;
    journal.on_update = [&](const UpdateResult& update) {
      text += "update " + std::to_string(update.update) + "\n";
    };
    journal.on_epoch = [&](const EpochResult&) { text += "epoch\n"; };
    journal.on_divergence = [&](const Divergence& divergence) {
      text += ToText(divergence) + "\n";
    };

    for (std::int64_t q = 0; q < (last_stage_is_ahead ? 8 : 6); ++q) {
      journal.Take(Loss(q, 1));
    }
    journal.Take(Updates(1, last_stage_is_ahead ? 4 : 2));
    journal.Take(Updates(0, 1));
    journal.Take(Updates(0, 2, 1));

    EXPECT_TRUE(journal.IsOver());
    journal.Take(Updates(0, 4, 1));  // What comes behind counts no more.
    journal.Finish();
    EXPECT_EQ(text,
              "update 0\nepoch\nupdate 1\n"
              "the gradient of stage 0 in update 1 (micro-batch 2 and on) is not finite\n");
    EXPECT_EQ(journal.MicrobatchesSeen(), 4);
  }
}

TEST(TrainingJournal, ATestLossThatIsNotFiniteEndsBehindItsEpoch) {
  const TrainingPlan plan =
      PlanTraining(Lower(test::Make("1f1b", {.ranks = 2, .microbatches = 2})), 0, 1);
  const LearningRate rate;
  TrainingJournal journal(plan, rate, {}, TrainingJournal::WhenDiverged::kEnds);
  std::string text;
  journal.on_epoch = [&](const EpochResult&) { text += "epoch\n"; };
  journal.on_divergence = [&](const Divergence& divergence) { text += ToText(divergence) + "\n"; };
  journal.Take(Loss(0, 1));
  journal.Take(Loss(1, 1));
  journal.Take(Updates(0, 1));
  journal.Take(Updates(1, 1));
  journal.Take({TrainingReport::Kind::kEvaluation, 0, {0, std::nan(""), 1, 0}});
  EXPECT_EQ(text, "epoch\nthe test loss after update 0 (micro-batch 1) is not finite\n");
}

}  // namespace
}  // namespace stagecraft
