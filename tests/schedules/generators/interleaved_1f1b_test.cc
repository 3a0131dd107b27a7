#include <cstdint>

#include <gtest/gtest.h>

#include "schedules/verify.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::Make;
using test::ProgramText;
using test::Texts;

TEST(InterleavedOneFOneB, GoesThroughGroupsChunkByChunk) {
  const Schedule schedule = Make("interleaved-1f1b", {.ranks = 2, .microbatches = 4});
  EXPECT_EQ(ProgramText(schedule, 0),
            "0F0@0 0F1@0 2F0@0 2F1@0 0F2@0 2B0@0 0F3@0 2B1@0 2F2@0 0B0@0 2F3@0 0B1@0 2B2@0 2B3@0 "
            "0B2@0 0B3@0 0S@0 2S@0");
  EXPECT_EQ(ProgramText(schedule, 1),
            "1F0@0 1F1@0 3F0@0 3B0@0 3F1@0 3B1@0 1F2@0 1B0@0 1F3@0 1B1@0 3F2@0 3B2@0 3F3@0 3B3@0 "
            "1B2@0 1B3@0 1S@0 3S@0");
}

TEST(InterleavedOneFOneB, EveryGroupSizeRunsToTheEnd) {
  for (std::int32_t p = 1; p <= 4; ++p) {
    for (std::int32_t chunks = 2; chunks <= 4; ++chunks) {
      for (std::int32_t m = 1; m <= 9; ++m) {
        for (std::int32_t group = 1; group <= m + 1; ++group) {
          EXPECT_EQ(Texts(Verify(Make("interleaved-1f1b", {.ranks = p,
                                                           .microbatches = m,
                                                           .batches = 2,
                                                           .chunks = chunks,
                                                           .group = group}))),
                    "")
              << p << " ranks, " << chunks << " chunks, " << m << " by " << group;
        }
      }
    }
  }
}

TEST(InterleavedOneFOneB, HoldsTheWarmUpAndOneMore) {
  for (std::int32_t p = 1; p <= 4; ++p) {
    for (std::int32_t chunks = 2; chunks <= 3; ++chunks) {
      const Schedule schedule =
          Make("interleaved-1f1b", {.ranks = p, .microbatches = 4 * p, .chunks = chunks});
      for (std::int32_t rank = 0; rank < p; ++rank) {
        EXPECT_EQ(test::MostSets(schedule, rank), (chunks - 1) * p + 2 * (p - 1 - rank) + 1)
            << p << " " << chunks;
      }
    }
  }
}

TEST(InterleavedOneFOneB, SaysWhatItNeeds) {
  EXPECT_EQ(
      Texts(Generate("interleaved-1f1b", {.ranks = 2, .microbatches = 4, .chunks = 1}).diagnostics),
      "interleaved-1f1b: error: 1 stage per rank is 1f1b; expected `chunks` of at least 2\n");
  EXPECT_EQ(
      Texts(Generate("interleaved-1f1b", {.ranks = 2, .microbatches = 4, .group = 0}).diagnostics),
      "interleaved-1f1b: error: groups of 0 micro-batches; expected `group` of at least 1\n");
}

}  // namespace
}  // namespace stagecraft
