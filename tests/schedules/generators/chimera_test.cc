#include <cstdint>

#include <gtest/gtest.h>

#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::Make;
using test::MostSets;
using test::ProgramText;
using test::Texts;

TEST(Chimera, FillsTheBubblesOfOneDirectionWithTheOther) {
  const Schedule schedule = Make("chimera", {.ranks = 4, .microbatches = 4});
  EXPECT_EQ(ProgramText(schedule, 0),
            "0F0@0 0F1@0 3F2@0 3B2@0 3F3@0 3B3@0 0B0@0 0B1@0 0A@0 0S@0 3A@0 3S@0");
  EXPECT_EQ(ProgramText(schedule, 1),
            "1F0@0 2F2@0 1F1@0 2F3@0 2B2@0 1B0@0 2B3@0 1B1@0 1A@0 1S@0 2A@0 2S@0");
}

TEST(Chimera, UnitsOverlap) {
  // The second unit's first forward runs before the first unit's last backward.
  EXPECT_EQ(ProgramText(Make("chimera", {.ranks = 2, .microbatches = 4}), 0),
            "0F0@0 1F1@0 1B1@0 0B0@0 0F2@0 1F3@0 1B3@0 0B2@0 0A@0 0S@0 1A@0 1S@0");
  EXPECT_EQ(ProgramText(Make("chimera", {.ranks = 4, .microbatches = 8}), 0),
            "0F0@0 0F1@0 3F2@0 3B2@0 3F3@0 3B3@0 0B0@0 0F4@0 0B1@0 0F5@0 3F6@0 3B6@0 3F7@0 3B7@0 "
            "0B4@0 0B5@0 0A@0 0S@0 3A@0 3S@0");
}

TEST(Chimera, HoldsAtMostTheRanks) {
  for (std::int32_t p = 2; p <= 8; p += 2) {
    const Schedule schedule = Make("chimera", {.ranks = p, .microbatches = 3 * p});
    for (std::int32_t rank = 0; rank < p; ++rank) {
      EXPECT_LE(MostSets(schedule, rank), p) << rank;
      EXPECT_GE(MostSets(schedule, rank), p / 2 + 1) << rank;
    }
  }
}

TEST(Chimera, SaysWhatItNeeds) {
  EXPECT_EQ(
      Texts(Generate("chimera", {.ranks = 3, .microbatches = 6}).diagnostics),
      "chimera: error: 3 ranks; expected an even `ranks`, two directions over the same ranks\n");
  EXPECT_EQ(Texts(Generate("chimera", {.ranks = 4, .microbatches = 6}).diagnostics),
            "chimera: error: 6 micro-batches on 4 ranks; expected `microbatches` to be a multiple "
            "of `ranks`\n");
}

}  // namespace
}  // namespace stagecraft
