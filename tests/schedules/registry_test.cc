#include "schedules/registry.h"

#include <set>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::Faults;

TEST(Generators, AreListedInOrderWithAllThatTheListingNeeds) {
  std::string names;
  for (const Generator& generator : Generators()) {
    names += std::string(generator.name) + ' ';
    EXPECT_FALSE(generator.summary.empty()) << generator.name;
    EXPECT_FALSE(generator.bounded.empty()) << generator.name;
    EXPECT_EQ(FindGenerator(generator.name), &generator);
    EXPECT_NE(generator.make, nullptr);
  }
  EXPECT_EQ(
      names,
      "sequential model-parallel data-parallel gpipe 1f1b interleaved-1f1b breadth-first zb-h1 "
      "zb-h2 zb-v dualpipe dualpipe-v chimera greedy zb-auto zb-auto-v async-1f1b pipedream "
      "pipedream-2bw spectrain xpipe pipeoptim pipemare pipelined-backprop ");
  EXPECT_EQ(FindGenerator("dual-pipe"), nullptr);
  EXPECT_EQ(FindGenerator(""), nullptr);
}

TEST(Generators, NameTheirSourceUnlessTheyHaveNone) {
  const std::set<std::string_view> without = {"sequential", "model-parallel", "data-parallel",
                                              "async-1f1b"};
  for (const Generator& generator : Generators()) {
    EXPECT_EQ(generator.source.empty(), without.count(generator.name) == 1) << generator.name;
  }
}

TEST(Generate, LabelsTheScheduleWithNameAndSource) {
  const Schedule schedule = test::Make("gpipe", {.ranks = 2, .microbatches = 2});
  EXPECT_EQ(schedule.name, "gpipe");
  EXPECT_EQ(schedule.source, "Huang et al., NeurIPS 2019");
}

TEST(Generate, KnowsWhatAMistypedNameMeans) {
  EXPECT_EQ(Faults("pipedraem", {}),
            "error: no schedule is called 'pipedraem'; did you mean 'pipedream'?\n");
  EXPECT_EQ(Faults("zero-bubble", {}), "error: no schedule is called 'zero-bubble'\n");
}

TEST(Generators, FlushAsTheySay) {
  // With a flush, batch b reads version b; without one, an update needs no empty pipeline.
  for (const Generator& generator : Generators()) {
    const std::string last =
        test::Reads(test::Make(generator.name, {.ranks = 2, .microbatches = 4, .batches = 2}), 0,
                    OpKind::kForward);
    EXPECT_EQ(last == "0 0 0 0 1 1 1 1", generator.flushes) << generator.name << ": " << last;
  }
}

}  // namespace
}  // namespace stagecraft
