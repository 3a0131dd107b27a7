#include "schedules/option_check.h"

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::Faults;

TEST(CheckOptions, SizesAreAtLeastOne) {
  EXPECT_EQ(Faults("gpipe", {.ranks = 0, .microbatches = -1, .batches = 0}),
            "gpipe: error: 0 ranks; expected `ranks` from 1 to 16384\n"
            "gpipe: error: -1 micro-batches; expected `microbatches` of at least 1\n"
            "gpipe: error: 0 batches; expected `batches` of at least 1\n");
  EXPECT_EQ(Faults("gpipe", {.ranks = 16385}),
            "gpipe: error: 16385 ranks; expected `ranks` from 1 to 16384\n");
}

TEST(CheckOptions, TheProductOfSizesIsBounded) {
  // 2^25 = 33554432 pairs of rank and micro-batch.
  EXPECT_EQ(Faults("gpipe", {.ranks = 2, .microbatches = 16777217}),
            "gpipe: error: 2 ranks and 16777217 micro-batches in all; expected a product of at "
            "most 33554432\n");
  EXPECT_EQ(
      Faults("pipedream", {.ranks = 16384, .microbatches = 2147483647, .batches = 2147483647}),
      "pipedream: error: 16384 ranks and 4611686014132420609 micro-batches in all; expected "
      "a product of at most 33554432\n");
  EXPECT_EQ(Faults("greedy", {.ranks = 1024, .microbatches = 1024, .chunks = 33}),
            "greedy: error: 1024 ranks and 1024 micro-batches in all; expected a product of at "
            "most 1016800\n");
  EXPECT_EQ(Faults("greedy", {.ranks = 4, .microbatches = 8, .chunks = 65}),
            "greedy: error: 65 stages per rank; expected `chunks` from 1 to 64\n");
  const Generator& gpipe = *FindGenerator("gpipe");
  EXPECT_TRUE(CheckOptions(gpipe, {.ranks = 2, .microbatches = 16777216}).empty());
  EXPECT_TRUE(CheckOptions(gpipe, {.ranks = 16384, .microbatches = 2048}).empty());
}

/// An option that not every generator takes, with a value that is not the default.
struct Option {
  Takes takes;
  std::string name;
  GeneratorOptions options;
};

std::vector<Option> Options() {
  const auto with = [](auto set) {
    GeneratorOptions options{.ranks = 4, .microbatches = 12};
    set(options);
    return options;
  };
  return {
      {kTakesUpdateEvery, "`update_every`", with([](auto& o) { o.update_every = 1; })},
      {kTakesDrainEvery, "`drain_every`", with([](auto& o) { o.drain_every = 4; })},
      {kTakesHorizon, "`horizon`", with([](auto& o) { o.horizon = HorizonRule::kSteady; })},
      {kTakesCheckpoint, "`checkpoint`", with([](auto& o) { o.checkpoint = Checkpoint::kAll; })},
      {kTakesWarmup, "`warmup`", with([](auto& o) { o.warmup = 1; })},
      {kTakesVerticalSync, "`vertical_sync`", with([](auto& o) { o.vertical_sync = true; })},
      {kTakesReplicas, "`replicas`", with([](auto& o) {
         o.replicas = {3, 1};
       })},
      {kTakesRounding, "`rounding`", with([](auto& o) { o.rounding = Rounding::kHalfEven; })},
      {kTakesChunks, "`chunks`", with([](auto& o) { o.chunks = 3; })},
      {kTakesGroup, "`group`", with([](auto& o) { o.group = 5; })},
      {kTakesCells, "`cells`", with([](auto& o) { o.cells = Cells::kSeparate; })},
      {kTakesPlacement, "`placement`", with([](auto& o) { o.placement = PlacementKind::kLoop; })},
      {kTakesLimit, "`limit`", with([](auto& o) {
         o.limit = ActivationLimit{3, ActivationLimit::Unit::kSets};
       })},
  };
}

TEST(CheckOptions, ForeignOptionsAreRefusedByName) {
  for (const Generator& generator : Generators()) {
    for (const Option& option : Options()) {
      const bool taken = (generator.takes & option.takes) != 0;
      const std::string refused =
          std::string(generator.name) + ": error: does not take " + option.name + "; it takes ";
      const std::string faults = Faults(generator.name, option.options);
      EXPECT_EQ(faults.substr(0, refused.size()), taken ? "" : refused);
    }
  }
}

TEST(CheckOptions, EachGeneratorTakesWhatItsPaperHas) {
  const auto taking = [](Takes takes) {
    std::string names;
    for (const Generator& generator : Generators()) {
      names += (generator.takes & takes) != 0 ? std::string(generator.name) + ' ' : "";
    }
    return names;
  };
  const std::string streams =
      "async-1f1b pipedream pipedream-2bw spectrain xpipe pipeoptim pipemare pipelined-backprop ";
  EXPECT_EQ(taking(kTakesUpdateEvery), streams);
  EXPECT_EQ(taking(kTakesDrainEvery), streams);
  EXPECT_EQ(taking(kTakesHorizon), "spectrain xpipe pipeoptim pipelined-backprop ");
  EXPECT_EQ(taking(kTakesCheckpoint), "gpipe ");
  EXPECT_EQ(taking(kTakesWarmup), "1f1b ");
  EXPECT_EQ(taking(kTakesVerticalSync), "pipedream ");
  EXPECT_EQ(taking(kTakesReplicas), "pipedream ");
  EXPECT_EQ(taking(kTakesRounding), "xpipe ");
  EXPECT_EQ(taking(kTakesChunks), "interleaved-1f1b breadth-first greedy ");
  EXPECT_EQ(taking(kTakesGroup), "interleaved-1f1b ");
  EXPECT_EQ(taking(kTakesCells), "dualpipe dualpipe-v ");
  EXPECT_EQ(taking(kTakesPlacement), "greedy ");
  EXPECT_EQ(taking(kTakesLimit), "greedy zb-auto zb-auto-v ");
}

TEST(CheckOptions, EveryFaultIsReportedAtOnce) {
  EXPECT_EQ(Faults("1f1b", {.ranks = 2, .update_every = 2, .vertical_sync = true}),
            "1f1b: error: does not take `update_every`; it takes `warmup`\n"
            "1f1b: error: does not take `vertical_sync`; it takes `warmup`\n");
}

TEST(CheckOptions, ReplicasAddUpToTheRanks) {
  EXPECT_EQ(Faults("pipedream", {.ranks = 3, .microbatches = 6, .replicas = {3, 1}}),
            "pipedream: error: `replicas` 3,1 need 4 ranks, but `ranks` is 3\n");
  EXPECT_EQ(Faults("pipedream", {.ranks = 3, .microbatches = 6, .replicas = {3, 0}}),
            "pipedream: error: 0 replicas of a stage; expected from 1 to 16384\n");
  EXPECT_EQ(
      Faults("pipedream", {.ranks = 3, .microbatches = 6, .replicas = {2147483647, 2147483647}}),
      "pipedream: error: 2147483647 replicas of a stage; expected from 1 to 16384\n");
  EXPECT_EQ(
      Faults("pipedream",
             {.ranks = 4, .microbatches = 6, .vertical_sync = true, .replicas = {3, 1}}),
      "pipedream: error: `vertical_sync` with `replicas`; stages that update at different rates "
      "have no version in common, so expected one of the two\n");
}

TEST(CheckOptions, UpdatesAreWhole) {
  EXPECT_EQ(Faults("pipeoptim", {.ranks = 2, .microbatches = 6, .update_every = 0}),
            "pipeoptim: error: an update every 0 micro-batches; expected at least 1\n");
  EXPECT_EQ(Faults("pipeoptim", {.ranks = 2, .microbatches = 5, .batches = 2, .update_every = 4}),
            "pipeoptim: error: 10 micro-batches in all (`microbatches` times `batches`) and an "
            "update every 4; "
            "expected a multiple, since a last update with fewer is not made up\n");
  EXPECT_EQ(Faults("pipeoptim", {.ranks = 2, .microbatches = 2, .batches = 6, .update_every = 4}),
            "");
  // Without --update-every, 2BW updates every -p micro-batches.
  EXPECT_EQ(Faults("pipedream-2bw", {.ranks = 4, .microbatches = 6}),
            "pipedream-2bw: error: 6 micro-batches in all (`microbatches` times `batches`) and an "
            "update every 4; "
            "expected a multiple, since a last update with fewer is not made up\n");
}

TEST(CheckOptions, DrainsAreWholeUpdates) {
  EXPECT_EQ(Faults("pipeoptim", {.ranks = 2, .microbatches = 8, .drain_every = -1}),
            "pipeoptim: error: a drain every -1 micro-batches; expected at least 1, or 0 for "
            "none\n");
  EXPECT_EQ(
      Faults("pipeoptim", {.ranks = 2, .microbatches = 8, .update_every = 4, .drain_every = 6}),
      "pipeoptim: error: a drain every 6 micro-batches and an update every 4; expected a "
      "multiple\n");
  EXPECT_EQ(
      Faults("pipeoptim", {.ranks = 2, .microbatches = 8, .update_every = 2, .drain_every = 6}),
      "");
}

TEST(CheckOptions, ReplicatedStagesUpdateInWholeRounds) {
  EXPECT_EQ(
      Faults("pipedream", {.ranks = 4, .microbatches = 12, .update_every = 4, .replicas = {3, 1}}),
      "pipedream: error: an update every 4 micro-batches on 3 replicas; expected 1 or a "
      "multiple of 3\n");
  EXPECT_EQ(Faults("pipedream", {.ranks = 4, .microbatches = 8, .replicas = {3, 1}}),
            "pipedream: error: 8 micro-batches in all (`microbatches` times `batches`) and an "
            "update every 3; "
            "expected a multiple, since a last update with fewer is not made up\n");
  EXPECT_EQ(
      Faults("pipedream", {.ranks = 4, .microbatches = 12, .drain_every = 4, .replicas = {3, 1}}),
      "pipedream: error: a drain every 4 micro-batches and an update every 3; expected a "
      "multiple\n");
  EXPECT_EQ(
      Faults("pipedream", {.ranks = 4, .microbatches = 12, .update_every = 6, .replicas = {3, 1}}),
      "");
}

TEST(CheckOptions, SpecTrainUpdatesAfterEveryMicrobatch) {
  EXPECT_EQ(Faults("spectrain", {.ranks = 2, .microbatches = 8, .update_every = 2}),
            "spectrain: error: an update every 2 micro-batches; it is defined for 1 only\n");
  EXPECT_EQ(Faults("spectrain", {.ranks = 2, .microbatches = 8, .update_every = 1}), "");
}

TEST(CheckOptions, DataParallelDealsOutWholeBatches) {
  EXPECT_EQ(Faults("data-parallel", {.ranks = 3, .microbatches = 4, .batches = 3}),
            "data-parallel: error: 4 micro-batches on 3 ranks; expected `microbatches` to be a "
            "multiple of "
            "`ranks`\n");
  EXPECT_EQ(Faults("data-parallel", {.ranks = 3, .microbatches = 6}), "");
}

TEST(CheckOptions, WarmupIsWithinTheRoundTrip) {
  EXPECT_EQ(Faults("1f1b", {.ranks = 4, .microbatches = 8, .warmup = 7}),
            "1f1b: error: a warm-up of 7 forwards; expected `warmup` from 0 to 2(p - 1) = 6\n");
  EXPECT_EQ(Faults("1f1b", {.ranks = 4, .microbatches = 8, .warmup = -1}),
            "1f1b: error: a warm-up of -1 forwards; expected `warmup` from 0 to 2(p - 1) = 6\n");
  EXPECT_EQ(Faults("1f1b", {.ranks = 4, .microbatches = 8, .warmup = 6}), "");
}

}  // namespace
}  // namespace stagecraft
