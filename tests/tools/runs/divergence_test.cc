#include "tools/runs/divergence.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "schedules/lower.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using Kind = TrainingReport::Kind;

TrainingReport Loss(std::int64_t microbatch, double loss) {
  return {Kind::kTraining, 0, {microbatch, loss, 1, 0}};
}

TrainingReport Updates(std::int32_t stage, std::int64_t made, std::int64_t not_finite = -1) {
  TrainingReport report{Kind::kUpdates, 0, {}};
  report.updates = {stage, stage, made, not_finite};
  return report;
}

/// Two ranks, updates after micro-batches 0 and 1, 2 and 3, 4 and 5.
TrainingPlan Plan() {
  return PlanTraining(Lower(test::Make("1f1b", {.ranks = 2, .microbatches = 2, .batches = 3})), 2,
                      1);
}

std::string Texts(const std::optional<Divergence>& divergence) {
  return divergence ? ToText(*divergence) + " " + ToJson(*divergence).dump() : "none";
}

TEST(DivergenceWatch, IsTheSameInWhicheverOrderReportsCome) {
  const TrainingPlan plan = Plan();
  // Stage 0 finds something in update 1, later than stage 1 what it finds in update 2.
  std::vector<TrainingReport> reports = {Loss(4, std::nan("")), Updates(0, 2, 1), Updates(1, 3, 2),
                                         Updates(0, 3, 1)};

  std::vector<std::size_t> order = {0, 1, 2, 3};
  do {
    DivergenceWatch watch(plan, {.microbatch = 10, .update = 5});
    for (const std::size_t i : order) {
      TrainingReport report = reports[i];
      report.result.microbatch += 10;
      watch.Take(report);
    }
    watch.Finish();
    EXPECT_EQ(Texts(watch.First()),
              "the gradient of stage 0 in update 6 (micro-batch 12 and on) is not finite "
              "{\"update\":6,\"microbatch\":12,\"what\":\"gradient\",\"stage\":0}");
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(DivergenceWatch, TellsNothingBeforeItIsCertain) {
  const TrainingPlan plan = Plan();
  DivergenceWatch watch(plan, {});
  watch.Take(Loss(3, std::numeric_limits<double>::infinity()));
  watch.Take(Updates(1, 2));
  EXPECT_EQ(Texts(watch.First()), "none");  // Stage 0 may find something in update 0 or 1.
  watch.Take(Updates(0, 1));
  EXPECT_EQ(Texts(watch.First()), "none");
  watch.Take(Updates(0, 2));
  EXPECT_EQ(Texts(watch.First()),
            "the loss of micro-batch 3 (update 1) is not finite "
            "{\"update\":1,\"microbatch\":3,\"what\":\"loss\"}");
}

TEST(DivergenceWatch, ATestLossComesBehindTheUpdatesBeforeIt) {
  const TrainingPlan plan = Plan();
  DivergenceWatch watch(plan, {});
  watch.Take({Kind::kEvaluation, 1, {0, std::nan(""), 1, 0}});  // The second pause.
  watch.Finish();
  EXPECT_EQ(Texts(watch.First()),
            "the test loss after update 1 (micro-batch 3) is not finite "
            "{\"update\":1,\"microbatch\":3,\"what\":\"test_loss\"}");
  watch.Take(Updates(0, 2, 1));
  EXPECT_EQ(watch.First()->what, Divergence::What::kGradient);
}

TEST(DivergenceWatch, CountsOverTheRoundsOfAFile) {
  TrainingPlan plan = Plan();
  plan.rounds = 2;
  DivergenceWatch watch(plan, {});
  watch.Take(Updates(1, 5, 4));  // The second update of the second round.
  watch.Finish();
  EXPECT_EQ(watch.First()->microbatch, 8);
  EXPECT_EQ(watch.UpdatesBefore(4), 5);  // Behind the second batch of the second round.
  EXPECT_EQ(watch.UpdatesMade(), 0);     // Of stage 0.
}

TEST(DivergenceWatch, HearsOfNothingIfAllIsFinite) {
  const TrainingPlan plan = Plan();
  DivergenceWatch watch(plan, {});
  watch.Take(Loss(0, 1e300));
  watch.Take(Updates(0, 3));
  watch.Take(Updates(1, 3));
  watch.Finish();
  EXPECT_FALSE(watch.First());
}

}  // namespace
}  // namespace stagecraft
