#include "engine/optimizer/weight_store.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

WeightStoreOptions Options(OptimizerKind kind = OptimizerKind::kSgd) {
  WeightStoreOptions options;
  options.type = ElementType::kFloat64;
  options.elements = 3;
  options.needs.slots = 3;
  options.optimizer.kind = kind;
  options.optimizer.momentum = TraitsOf(kind).has_momentum ? 0.5 : 0;
  options.learning_rate = LearningRate({0.5, 0.25});
  return options;
}

double* Doubles(std::byte* memory) {
  return reinterpret_cast<double*>(memory);
}

std::vector<double> Slot(WeightStore& store, std::int32_t slot) {
  return {Doubles(store.Slot(slot)), Doubles(store.Slot(slot)) + 3};
}

void AddGradient(WeightStore& store, double value) {
  for (int i = 0; i < 3; ++i) {
    Doubles(store.GradientData())[i] += value;
  }
}

TEST(WeightStore, StepsFromSlotToSlotWithTheRateOfTheUpdate) {
  WeightStore store(Options());
  AddGradient(store, 2);
  store.Step({.version = 0, .from = 0, .to = 1, .samples = 2});
  EXPECT_EQ(Slot(store, 0), std::vector<double>(3, 0));
  EXPECT_EQ(Slot(store, 1), std::vector<double>(3, -0.5));
  EXPECT_EQ(store.NewestSlot(), 1);
  AddGradient(store, 1);
  store.Step({.version = 1, .from = 1, .to = 1, .samples = 1});
  EXPECT_EQ(Slot(store, 1), std::vector<double>(3, -0.5 - 0.25 * 1.5));
  EXPECT_EQ(store.Updates(), 2);
}

TEST(WeightStore, PredictsWithTheRateOfTheNextUpdate) {
  WeightStore store(Options());
  AddGradient(store, 1);
  store.StepAndPredict({.version = 0, .from = 0, .to = 0, .samples = 1},
                       {.version = 1, .horizon = 2, .from = 0, .to = 2});
  EXPECT_EQ(Slot(store, 0), std::vector<double>(3, -0.5));
  EXPECT_EQ(Slot(store, 2), std::vector<double>(3, -0.5 - 2 * 0.25 * 1));
}

TEST(WeightStore, ItsStateContinuesBitForBit) {
  for (const OptimizerKind kind :
       {OptimizerKind::kSgd, OptimizerKind::kAdam, OptimizerKind::kAdamW}) {
    WeightStoreOptions options = Options(kind);
    options.needs.predicts = true;
    options.optimizer.displacement = Displacement::kNext;
    WeightStore whole(options);
    WeightStore first(options);
    for (int step = 0; step < 4; ++step) {
      for (WeightStore* store : {&whole, &first}) {
        AddGradient(*store, 1.0 / (step + 1));
        store->Step({step, 0, 0, 1});
      }
    }
    WeightStore second(options);
    std::memcpy(second.Slot(0), first.Slot(0), 3 * sizeof(double));
    const std::vector<StateBuffer> from = first.State();
    const std::vector<StateBuffer> to = second.State();
    ASSERT_EQ(from.size(), to.size());
    for (std::size_t i = 0; i < from.size(); ++i) {
      EXPECT_EQ(from[i].name, to[i].name);
      std::memcpy(to[i].data, from[i].data, 3 * sizeof(double));
    }
    second.SetUpdates(first.Updates());
    for (WeightStore* store : {&whole, &second}) {
      AddGradient(*store, 0.3);
      store->StepAndPredict({4, 0, 1, 1}, {5, 3, 1, 2});
    }
    EXPECT_EQ(Slot(whole, 1), Slot(second, 1));
    EXPECT_EQ(Slot(whole, 2), Slot(second, 2));
  }
}

TEST(WeightStore, KeepsOnlyTheBuffersThatAreNeeded) {
  const auto names = [](WeightStoreOptions options) {
    std::string text;
    for (const StateBuffer& buffer : WeightStore(options).State()) {
      text += buffer.name + " ";
    }
    return text;
  };
  WeightStoreOptions options = Options();
  EXPECT_EQ(names(options), "momentum ");
  options.needs.predicts = true;
  EXPECT_EQ(names(options), "momentum ");
  options.optimizer.momentum = 0;
  EXPECT_EQ(names(options), "last_gradient ");
  options.needs = {.slots = 1, .predicts = false, .negative_horizon = -2};
  EXPECT_EQ(names(options), "weight_difference ");
  EXPECT_EQ(names(Options(OptimizerKind::kAdamW)), "m v ");
}

TEST(WeightStore, ReplicasExchangeTheGradientInDouble) {
  WeightStoreOptions options = Options();
  options.type = ElementType::kFloat32;
  WeightStore store(options);
  auto* const gradient = reinterpret_cast<float*>(store.GradientData());
  gradient[1] = 0.1F;
  for (double& value : store.Gradient()) {
    value += 1;
  }
  store.GradientReplaced();
  EXPECT_EQ(gradient[0], 1.0F);
  EXPECT_EQ(gradient[1], static_cast<float>(static_cast<double>(0.1F) + 1));
  WeightStore in_double(Options());
  EXPECT_EQ(in_double.Gradient().data(), Doubles(in_double.GradientData()));
}

TEST(WeightStore, LongGradientsAreClipped) {
  WeightStoreOptions options = Options();
  options.optimizer.momentum = 0;
  options.optimizer.clip_norm = 1;
  options.learning_rate = LearningRate({1.0});
  WeightStore store(options);
  Doubles(store.GradientData())[0] = 3;
  Doubles(store.GradientData())[1] = 4;
  store.Step({0, 0, 0, 1});
  EXPECT_NEAR(Slot(store, 0)[0], -0.6, 1e-6);
  EXPECT_NEAR(Slot(store, 0)[1], -0.8, 1e-6);
}

TEST(WeightStore, RemembersTheFirstUpdateWhoseGradientWasNotFinite) {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const ElementType type : {ElementType::kFloat32, ElementType::kFloat64}) {
    for (const OptimizerKind kind :
         {OptimizerKind::kSgd, OptimizerKind::kAdam, OptimizerKind::kAdamW}) {
      for (const double bad : {infinity, -infinity, std::nan("")}) {
        WeightStoreOptions options = Options();
        options.type = type;
        options.elements = 1000;  // Of several blocks; the bad one is in the last.
        options.optimizer.kind = kind;
        options.optimizer.momentum = 0;
        options.optimizer.weight_decay = 0.5;
        WeightStore store(options);
        for (const bool is_bad : {false, true, true}) {
          store.Gradient();
          std::vector<double> gradient(1000, 1.0);
          gradient.back() = is_bad ? bad : 1.0;
          std::copy(gradient.begin(), gradient.end(), store.Gradient().begin());
          store.GradientReplaced();
          store.Step({0, 0, 0, 1});
          EXPECT_EQ(store.FirstNotFinite(),
                    store.Updates() < 2 ? std::nullopt : std::optional<std::int64_t>(1));
        }
      }
    }
  }
}

TEST(WeightStore, ANormThatIsTooLargeForANumberIsNotFinite) {
  WeightStoreOptions options = Options();
  options.optimizer.clip_norm = 1;
  WeightStore store(options);
  Doubles(store.GradientData())[0] = 1e200;  // Its square is above the largest number, 1.8e308.
  store.Step({0, 0, 0, 1});
  EXPECT_EQ(store.FirstNotFinite(), 0);
}

TEST(WeightStore, BuffersAreAligned) {
  WeightStore store(Options());
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(store.Slot(2)) % 64, 0U);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(store.GradientData()) % 64, 0U);
}

TEST(WeightStore, MovesTheNewestToRunAProgramOnceMore) {
  WeightStore store(Options());
  AddGradient(store, 1);
  store.Step({0, 0, 2, 1});
  store.MoveNewestTo(0);
  EXPECT_EQ(Slot(store, 0), Slot(store, 2));
  EXPECT_EQ(store.NewestSlot(), 0);
}

TEST(NeedsOf, FollowFromTheSchedule) {
  const auto needs = [](const char* name, std::int32_t stage) {
    const Schedule schedule = test::Make(name, {.ranks = 4, .microbatches = 12});
    return NeedsOf(schedule, AssignWeightSlots(schedule), stage, stage);
  };
  EXPECT_EQ(needs("pipedream", 0).slots, 4);
  EXPECT_FALSE(needs("pipedream", 0).predicts);
  EXPECT_EQ(needs("pipeoptim", 0).slots, 2);
  EXPECT_TRUE(needs("pipeoptim", 0).predicts);
  EXPECT_FALSE(needs("pipeoptim", 3).predicts);
  EXPECT_LT(needs("pipemare", 0).negative_horizon, 0);
}

TEST(WeightStore, AStepTakesTheMeanOverSamples) {
  // Micro-batches of 2 and 6 samples, in units of 2: the sum counts the second three times, and is
  // divided by 4. With mean gradients 1 and 5: (1 + 3 * 5) / 4 = 4.
  WeightStoreOptions options;
  options.type = ElementType::kFloat64;
  options.elements = 1;
  options.learning_rate = LearningRate({0.5});
  options.samples = 2;
  WeightStore store(options);
  reinterpret_cast<double*>(store.GradientData())[0] = 1 + 3 * 5;
  store.Step({.version = 0, .from = 0, .to = 0, .samples = 8});
  EXPECT_EQ(reinterpret_cast<const double*>(store.Slot(0))[0], -0.5 * 4);
}

}  // namespace
}  // namespace stagecraft
