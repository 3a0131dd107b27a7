#include <algorithm>
#include <iostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "schedules/schedule.h"
#include "tests/support/schedule_builder.h"

// D = 1: there is nothing to pipeline, so every approach must be plain training.

namespace stagecraft {
namespace {

using test::Make;
using test::Reads;

constexpr std::int32_t kMicrobatches = 12;

/// Plain training with an update every `every` micro-batches.
Schedule Plain(std::int32_t every) {
  return Make("sequential", {.ranks = 1, .microbatches = every, .batches = kMicrobatches / every});
}

/// The same of another approach.
GeneratorOptions SingleOptions(const Generator& generator, std::int32_t every) {
  if (generator.flushes) {
    return {.ranks = 1, .microbatches = every, .batches = kMicrobatches / every};
  }
  return {.ranks = 1, .microbatches = kMicrobatches, .update_every = every};
}

Schedule Single(const Generator& generator, std::int32_t every) {
  return Make(generator.name, SingleOptions(generator, every));
}

bool HasKind(const Schedule& schedule, OpKind kind) {
  const Program& program = schedule.programs.front();
  return std::any_of(program.begin(), program.end(), [&](const Op& op) { return op.kind == kind; });
}

TEST(SingleStage, EveryApproachReadsWhatPlainTrainingReads) {
  for (const Generator& generator : Generators()) {
    if (generator.name == "pipedream-2bw") {
      continue;  // One update late by definition.
    }
    std::cout << generator.name << ':';
    for (const std::int32_t every : {1, 2, 3, 4, 6, 12}) {
      if (every > 1 && generator.one_per_update) {
        continue;
      }
      if (!CheckOptions(generator, SingleOptions(generator, every)).empty()) {
        continue;  // Needs two ranks, or two micro-batches per batch.
      }
      const Schedule schedule = Single(generator, every);
      const bool split = HasKind(schedule, OpKind::kBackwardInput);
      const std::string plain = Reads(Plain(every), 0, OpKind::kForward);
      EXPECT_EQ(Reads(schedule, 0, OpKind::kForward), plain) << generator.name << ' ' << every;
      if (!split) {
        EXPECT_EQ(Reads(schedule, 0, OpKind::kBackward), plain) << generator.name << ' ' << every;
      }
      if (generator.name != "gpipe" && !split && schedule.shape.stages == 1) {
        EXPECT_EQ(schedule, Plain(every)) << generator.name << " T = " << every;
      }
      std::cout << " T = " << every << " " << Reads(schedule, 0, OpKind::kForward) << ';';
    }
    std::cout << '\n';
  }
}

TEST(SingleStage, DoubleBufferedWeightsAreOneUpdateLate) {
  EXPECT_EQ(Reads(Single(*FindGenerator("pipedream-2bw"), 2), 0, OpKind::kForward),
            "0 0 0 0 1 1 2 2 3 3 4 4");
}

TEST(SingleStage, TheReleasedPipeOptimPredictsOneStepAhead) {
  const Schedule schedule =
      Make("pipeoptim", {.ranks = 1, .microbatches = 3, .horizon = HorizonRule::kCode});
  EXPECT_EQ(test::ProgramText(schedule, 0),
            "0P@0+1 0F0@0+1 0B0@0 0S@0 0P@1+1 0F1@1+1 0B1@1 0S@1 0P@2+1 0F2@2+1 0B2@2 0S@2");
}

TEST(SingleStage, XPipeRoundedHalfToEvenPredictsFromThreePerUpdateOn) {
  // (T - 1) / T is 0, 1/2, 2/3, 3/4: to even 0, 0, 1, 1.
  for (const std::int32_t every : {1, 2, 3, 4}) {
    for (const HorizonRule rule : {HorizonRule::kExact, HorizonRule::kSteady}) {
      const Schedule schedule = Make("xpipe", {.ranks = 1,
                                               .microbatches = kMicrobatches,
                                               .update_every = every,
                                               .horizon = rule,
                                               .rounding = Rounding::kHalfEven});
      EXPECT_EQ(schedule == Plain(every), every < 3) << every;
      EXPECT_EQ(schedule.At(test::FindOp(schedule, OpKind::kForward, 0, 0)).horizon,
                every < 3 ? 0 : 1);
    }
  }
}

}  // namespace
}  // namespace stagecraft
