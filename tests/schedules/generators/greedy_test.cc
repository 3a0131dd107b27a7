#include <cstdint>

#include <gtest/gtest.h>

#include "schedules/activations.h"
#include "schedules/verify.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::List;
using test::Make;
using test::ProgramText;
using test::Texts;

TEST(Greedy, RunsTheOldestBackwardElseTheOldestForward) {
  EXPECT_EQ(ProgramText(Make("greedy", {.ranks = 2, .microbatches = 2}), 0),
            "0F0@0 0F1@0 3F0@0 3B0@0 3F1@0 3B1@0 0B0@0 0B1@0 0S@0 3S@0");
}

TEST(Greedy, RunsOnAnyPlacement) {
  for (const PlacementKind placement : {PlacementKind::kLoop, PlacementKind::kZigzag}) {
    for (std::int32_t p = 1; p <= 4; ++p) {
      for (std::int32_t chunks = 1; chunks <= 4; ++chunks) {
        EXPECT_EQ(Texts(Verify(Make("greedy", {.ranks = p,
                                               .microbatches = 5,
                                               .batches = 2,
                                               .chunks = chunks,
                                               .placement = placement}))),
                  "");
      }
    }
  }
  const Schedule both =
      Make("greedy", {.ranks = 4, .microbatches = 5, .placement = PlacementKind::kBidirectional});
  EXPECT_EQ(Texts(Verify(both)), "");
  EXPECT_EQ(both.placement, BidirectionalPlacement(4));
}

TEST(Greedy, ALimitBoundsWhatIsInThePipeline) {
  EXPECT_EQ(List(PeakActivationSets(Make("greedy", {.ranks = 3, .microbatches = 9, .chunks = 1}))),
            "7,4,1");
  for (const double limit : {1.0, 2.0, 4.0}) {
    const Schedule schedule =
        Make("greedy", {.ranks = 3,
                        .microbatches = 9,
                        .limit = ActivationLimit{limit, ActivationLimit::Unit::kSets}});
    EXPECT_EQ(Texts(Verify(schedule)), "");
    for (const std::int32_t sets : PeakActivationSets(schedule)) {
      EXPECT_LE(sets, limit);
    }
  }
}

TEST(Greedy, SaysWhatItNeeds) {
  GeneratorOptions options{.ranks = 3, .microbatches = 4};
  options.placement = PlacementKind::kBidirectional;
  EXPECT_EQ(Texts(Generate("greedy", options).diagnostics),
            "greedy: error: 3 ranks; expected an even `ranks` for a bidirectional placement\n");
  options.ranks = 4;
  options.chunks = 2;
  EXPECT_EQ(Texts(Generate("greedy", options).diagnostics),
            "greedy: error: `chunks` with a bidirectional placement, which has 2; expected one of "
            "the two\n");
  options = {.ranks = 4, .microbatches = 1};
  options.placement = PlacementKind::kBidirectional;
  EXPECT_EQ(
      Texts(Generate("greedy", options).diagnostics),
      "greedy: error: 1 micro-batch in two directions; expected `microbatches` of at least 2\n");
  options = {.ranks = 4, .microbatches = 4};
  options.limit = ActivationLimit{1e9, ActivationLimit::Unit::kBytes};
  EXPECT_EQ(Texts(Generate("greedy", options).diagnostics),
            "greedy: error: a `limit` in bytes, but no activations are said to take any; expected "
            "`activation` or a profile, or a limit in sets, such as 8 or 2p\n");
}

}  // namespace
}  // namespace stagecraft
