#include "tools/arguments/inline_costs.h"

#include <chrono>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "schedules/registry.h"
#include "schedules/text.h"
#include "tools/command.h"

namespace stagecraft {
namespace {

using namespace std::chrono_literals;
using enum InlineCosts::Duration;
using enum InlineCosts::Size;
using Sentences = std::vector<std::string>;

OpKinds Kinds(std::initializer_list<OpKind> kinds) {
  OpKinds set;
  for (const OpKind kind : kinds) {
    set.Add(kind);
  }
  return set;
}

const OpKinds kWhole = Kinds({OpKind::kForward, OpKind::kBackward});
const OpKinds kSplit = Kinds({OpKind::kForward, OpKind::kBackwardInput, OpKind::kBackwardWeight});

StageCosts OneStage(const InlineCosts& given, bool has_profile = false,
                    const StageCosts& before = {}) {
  Table<StageCosts> costs{before};
  ApplyInline(given, 1, has_profile, costs);
  return costs.front();
}

TEST(InlineCosts, HalveABackwardThatHasNoSplit) {
  InlineCosts given;
  given.durations[kF] = {3ns};
  given.durations[kB] = {5ns};
  EXPECT_EQ(OneStage(given).backward_input, 2ns);
  EXPECT_EQ(OneStage(given).backward_weight, 3ns);
  EXPECT_EQ(DerivedFromInline(given, kSplit, false),
            (Sentences{"backward_input and backward_weight: half of --backward each, since neither "
                       "is given"}));
  EXPECT_EQ(DerivedFromInline(given, kWhole, false), Sentences{});
}

TEST(InlineCosts, TakeWhatTheOtherHalfLeaves) {
  InlineCosts given;
  given.durations[kF] = {3ns};
  given.durations[kB] = {5ns};
  given.durations[kI] = {1ns};
  EXPECT_EQ(OneStage(given).backward_weight, 4ns);
  EXPECT_EQ(DerivedFromInline(given, kSplit, false),
            (Sentences{"backward_weight: --backward without --backward-input"}));
}

TEST(InlineCosts, AddUpAWholeBackward) {
  InlineCosts given;
  given.durations[kF] = {1ns};
  given.durations[kI] = {1ns};
  given.durations[kW] = {2ns};
  EXPECT_EQ(OneStage(given).backward, 3ns);
  EXPECT_EQ(DerivedFromInline(given, kWhole, false).size(), 1U);
  EXPECT_EQ(DerivedFromInline(given, kSplit, false), Sentences{});
}

// A backward costs about two forwards: what the input's gradient takes, and that of the weights.
TEST(InlineCosts, TakeABackwardForTwiceTheForwardAndSaySo) {
  InlineCosts given;
  given.durations[kF] = {3ns};
  const StageCosts costs = OneStage(given);
  EXPECT_EQ(costs.backward, 6ns);
  EXPECT_EQ(costs.backward_input, 3ns);
  EXPECT_EQ(costs.backward_weight, 3ns);
  EXPECT_EQ(DerivedFromInline(given, kWhole, false),
            (Sentences{"backward: twice --forward, since it is not given"}));
  EXPECT_EQ(DerivedFromInline(given, kSplit, false),
            (Sentences{"backward: twice --forward, and half of that for each of its halves, since "
                       "it is not given"}));
}

TEST(InlineCosts, LeaveNoHalfOfABackwardAtZero) {
  for (const InlineCosts::Duration half : {kI, kW}) {
    InlineCosts given;
    given.durations[half] = {4ns};
    const StageCosts costs = OneStage(given);
    EXPECT_EQ(costs.backward_input, 4ns);
    EXPECT_EQ(costs.backward_weight, 4ns);
    EXPECT_EQ(costs.backward, 8ns);
    EXPECT_EQ(costs.forward, 4ns);
    EXPECT_EQ(DerivedFromInline(given, kSplit, false).size(), 2U);
  }
}

TEST(InlineCosts, TakeAForwardForHalfTheBackwardAndSaySo) {
  InlineCosts given;
  given.durations[kB] = {8ns};
  EXPECT_EQ(OneStage(given).forward, 4ns);
  EXPECT_EQ(OneStage(given).recompute, 4ns);
  EXPECT_EQ(DerivedFromInline(given, kWhole, false),
            (Sentences{"forward: half of the backward, since it is not given"}));
}

TEST(InlineCosts, SayWhatTakesNoTimeSinceNobodySaidHowLong) {
  InlineCosts given;
  given.durations[kF] = {1ns};
  given.durations[kB] = {1ns};
  const OpKinds kinds =
      Kinds({OpKind::kForward, OpKind::kBackward, OpKind::kStep, OpKind::kAllReduce});
  EXPECT_EQ(DerivedFromInline(given, kinds, false),
            (Sentences{"step: 0, since it is not given", "all-reduce: 0, since it is not given"}));
  given.durations[kA] = {1ns};
  EXPECT_EQ(DerivedFromInline(given, kinds, false), (Sentences{"step: 0, since it is not given"}));
  EXPECT_EQ(DerivedFromInline({}, kinds, false),
            (Sentences{"all durations: 0, since no duration and no --profile is given"}));
}

TEST(InlineCosts, ReplaceWhatAProfileSaysAndNothingElse) {
  StageCosts measured;
  measured.forward = 10ns;
  measured.backward = 20ns;
  measured.backward_input = 12ns;
  measured.backward_weight = 8ns;
  measured.recompute = 9ns;
  InlineCosts given;
  given.durations[kF] = {1ns};
  StageCosts costs = OneStage(given, true, measured);
  EXPECT_EQ(costs.backward, 20ns);
  EXPECT_EQ(costs.backward_input, 12ns);
  EXPECT_EQ(costs.recompute, 1ns);
  EXPECT_EQ(DerivedFromInline(given, kWhole, true), Sentences{});

  given = {};
  given.durations[kI] = {2ns};
  costs = OneStage(given, true, measured);
  EXPECT_EQ(costs.forward, 10ns);
  EXPECT_EQ(costs.backward, 10ns);
  EXPECT_EQ(costs.backward_weight, 8ns);
}

TEST(ShareOut, GivesEveryStageOfARankItsPart) {
  InlineCosts given;
  given.durations[kF] = {9ns};
  given.durations[kB] = {2ns, 5ns};
  given.sizes[kBoundary] = {100};
  given.sizes[kActivation] = {100};

  // Stages 0 and 2 are on rank 0, 1 and 3 on rank 1; a nanosecond that is left over is not lost.
  const Schedule schedule = OrThrow(Generate("interleaved-1f1b", {.ranks = 2, .microbatches = 4}));
  const SharedOut shared = ShareOut(given, schedule, 2);
  EXPECT_EQ(shared.costs.durations[kF], (std::vector<Nanoseconds>{4ns, 4ns, 5ns, 5ns}));
  EXPECT_EQ(shared.costs.durations[kB], (std::vector<Nanoseconds>{1ns, 2ns, 1ns, 3ns}));
  EXPECT_EQ(shared.costs.sizes[kBoundary], (std::vector<std::int64_t>{100}));
  EXPECT_EQ(shared.costs.sizes[kActivation], (std::vector<std::int64_t>{50, 50, 50, 50}));
  EXPECT_TRUE(shared.any);
  EXPECT_FALSE(shared.per_stage);
}

TEST(ShareOut, AddsUpWhatOneStageHasOfTheModel) {
  InlineCosts given;
  given.durations[kF] = {8ns};
  given.durations[kB] = {2ns, 5ns};
  const Schedule schedule = OrThrow(Generate("data-parallel", {.ranks = 2, .microbatches = 4}));
  const SharedOut shared = ShareOut(given, schedule, 2);
  EXPECT_EQ(shared.costs.durations[kF], (std::vector<Nanoseconds>{16ns}));
  EXPECT_EQ(shared.costs.durations[kB], (std::vector<Nanoseconds>{7ns}));
}

TEST(ShareOut, LeavesListsWithAValuePerStage) {
  InlineCosts given;
  given.durations[kF] = {1ns, 2ns, 3ns, 4ns};
  const Schedule schedule = OrThrow(Generate("interleaved-1f1b", {.ranks = 2, .microbatches = 4}));
  const SharedOut shared = ShareOut(given, schedule, 2);
  EXPECT_EQ(shared.costs.durations[kF], given.durations[kF]);
  EXPECT_TRUE(shared.per_stage);
  EXPECT_FALSE(shared.any);
}

TEST(InlineCosts, RefuseAHalfThatIsLongerThanTheBackward) {
  InlineCosts given;
  given.durations[kF] = {1ns};
  given.durations[kB] = {1ns};
  given.durations[kI] = {2ns};
  EXPECT_THROW(static_cast<void>(OneStage(given)), CommandFailure);
}

std::vector<std::string> Idle(const InlineCosts& given, const char* name,
                              GeneratorOptions options = {.ranks = 4, .microbatches = 8}) {
  std::vector<std::string> flags;
  for (const IdleFlag& idle : IdleFlags(given, OrThrow(Generate(name, options)))) {
    flags.push_back(idle.flag);
  }
  return flags;
}

TEST(IdleFlags, AreThoseThatNoOpDependsOn) {
  InlineCosts all;
  for (std::vector<Nanoseconds>& duration : all.durations) {
    duration = {1ns};
  }
  all.joined = {1ns};
  all.sizes[kReleased] = {1};
  EXPECT_EQ(Idle(all, "1f1b"), (Sentences{"--backward-input", "--backward-weight", "--recompute",
                                          "--predict", "--allreduce", "--joined", "--released"}));
  EXPECT_EQ(Idle(all, "zb-h1"),
            (Sentences{"--backward", "--recompute", "--predict", "--allreduce", "--joined"}));
  EXPECT_EQ(Idle(all, "pipeoptim"),
            (Sentences{"--backward-input", "--backward-weight", "--recompute", "--allreduce",
                       "--joined", "--released"}));
  EXPECT_EQ(Idle(all, "gpipe", {.ranks = 4, .microbatches = 8, .checkpoint = Checkpoint::kAll}),
            (Sentences{"--backward-input", "--backward-weight", "--predict", "--allreduce",
                       "--joined", "--released"}));
  EXPECT_EQ(Idle(all, "dualpipe"), (Sentences{"--recompute", "--predict"}));
}

// Where one of B, I and W is not given it follows from the others, which then matter.
TEST(IdleFlags, AreNotThoseThatAnotherCostFollowsFrom) {
  InlineCosts given;
  given.durations[kF] = {1ns};
  given.durations[kB] = {2ns};
  EXPECT_EQ(Idle(given, "zb-h1"), Sentences{});
  given = {};
  given.durations[kI] = {1ns};
  EXPECT_EQ(Idle(given, "1f1b"), Sentences{});
}

}  // namespace
}  // namespace stagecraft
