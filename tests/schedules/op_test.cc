#include "schedules/op.h"

#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace stagecraft {
namespace {

using enum OpKind;

// The table of what each kind is, written down a second time: letters and uses of the text form.
struct Expected {
  OpKind kind;
  std::string_view text;
  std::string_view uses;  ///< q micro-batch, v version, h horizon, r reads, a accumulates, i input
                          ///< gradient, s send, d receive.
};

const std::vector<Expected>& ExpectedKinds() {
  static const std::vector<Expected> kinds = {
      {kForward, "F", "qvhr"},         {kBackward, "B", "qvhrai"},
      {kBackwardInput, "I", "qvhri"},  {kBackwardWeight, "W", "qvhra"},
      {kRecompute, "R", "qvhr"},       {kStep, "S", "v"},
      {kPredict, "P", "vh"},           {kAllReduce, "A", "v"},
      {kSendForward, "SEND_F", "qs"},  {kRecvForward, "RECV_F", "qd"},
      {kSendBackward, "SEND_B", "qs"}, {kRecvBackward, "RECV_B", "qd"},
  };
  return kinds;
}

std::string UsesOf(const OpTraits& traits) {
  std::string uses;
  uses += traits.has_microbatch ? "q" : "";
  uses += traits.has_version ? "v" : "";
  uses += traits.has_horizon ? "h" : "";
  uses += traits.reads_weights ? "r" : "";
  uses += traits.accumulates ? "a" : "";
  uses += traits.gives_input_gradient ? "i" : "";
  uses += traits.is_send ? "s" : "";
  uses += traits.is_recv ? "d" : "";
  return uses;
}

TEST(Op, IsAtMostSixteenBytesAndTriviallyCopyable) {
  EXPECT_LE(sizeof(Op), 16U);
  EXPECT_TRUE(std::is_trivially_copyable_v<Op>);
}

TEST(Op, EveryKindHasTheTraitsOfTheDesign) {
  ASSERT_EQ(ExpectedKinds().size(), AllOpTraits().size());
  ASSERT_EQ(static_cast<std::size_t>(kOpKinds), AllOpTraits().size());
  for (const Expected& expected : ExpectedKinds()) {
    const OpTraits& traits = TraitsOf(expected.kind);
    EXPECT_EQ(traits.kind, expected.kind);
    EXPECT_EQ(traits.text, expected.text);
    EXPECT_EQ(UsesOf(traits), expected.uses) << traits.text;
    EXPECT_FALSE(traits.meaning.empty()) << traits.text;
    EXPECT_EQ(&traits, &AllOpTraits()[static_cast<std::size_t>(expected.kind)]);
  }
}

TEST(Op, ComputeAndCommunicationFollowFromTheTraits) {
  for (const OpTraits& traits : AllOpTraits()) {
    EXPECT_EQ(IsCompute(traits.kind), traits.reads_weights) << traits.text;
    EXPECT_EQ(IsCommunication(traits.kind), traits.is_send || traits.is_recv) << traits.text;
  }
}

TEST(Op, TextNamesTheFieldsThatTheKindUses) {
  EXPECT_EQ(ToString({.kind = kForward, .stage = 0, .microbatch = 3, .version = 2}), "0F3@2");
  EXPECT_EQ(ToString({.kind = kForward, .horizon = 3, .stage = 0, .microbatch = 3, .version = 2}),
            "0F3@2+3");
  EXPECT_EQ(ToString({.kind = kBackward, .horizon = -3, .stage = 1, .microbatch = 4, .version = 7}),
            "1B4@7-3");
  EXPECT_EQ(ToString({.kind = kBackwardInput, .stage = 2, .microbatch = 0, .version = 0}), "2I0@0");
  EXPECT_EQ(ToString({.kind = kBackwardWeight, .stage = 2, .microbatch = 9, .version = 1}),
            "2W9@1");
  EXPECT_EQ(ToString({.kind = kRecompute, .stage = 12, .microbatch = 345, .version = 6}),
            "12R345@6");
  EXPECT_EQ(ToString({.kind = kStep, .stage = 0, .version = 2}), "0S@2");
  EXPECT_EQ(ToString({.kind = kPredict, .horizon = 3, .stage = 0, .version = 2}), "0P@2+3");
  EXPECT_EQ(ToString({.kind = kAllReduce, .stage = 0, .version = 2}), "0A@2");
  EXPECT_EQ(ToString({.kind = kSendForward, .stage = 0, .microbatch = 3}), "0SEND_F3");
  EXPECT_EQ(ToString({.kind = kRecvForward, .stage = 1, .microbatch = 3}), "1RECV_F3");
  EXPECT_EQ(ToString({.kind = kSendBackward, .stage = 1, .microbatch = 3}), "1SEND_B3");
  EXPECT_EQ(ToString({.kind = kRecvBackward, .stage = 0, .microbatch = 3}), "0RECV_B3");
}

TEST(Op, TextHoldsTheLargestAndSmallestNumbers) {
  constexpr std::int32_t kMost = std::numeric_limits<std::int32_t>::max();
  constexpr std::int32_t kLeast = std::numeric_limits<std::int32_t>::min();
  constexpr std::int16_t kNearest = std::numeric_limits<std::int16_t>::min();
  EXPECT_EQ(ToString({.kind = kForward, .stage = kMost, .microbatch = kMost, .version = kMost}),
            "2147483647F2147483647@2147483647");
  EXPECT_EQ(ToString({.kind = kForward,
                      .horizon = kNearest,
                      .stage = kLeast,
                      .microbatch = kLeast,
                      .version = kLeast}),
            "-2147483648F-2147483648@-2147483648-32768");
}

TEST(Op, AppendToKeepsWhatIsThere) {
  std::string text = "rank 0 |";
  AppendTo(text, {.kind = kStep, .stage = 1, .version = 0});
  EXPECT_EQ(text, "rank 0 |1S@0");
}

TEST(Op, JoiningIsComparedButNotShown) {
  const Op alone{.kind = kForward, .stage = 1, .microbatch = 2, .version = 0};
  Op joined = alone;
  joined.joined = true;
  EXPECT_NE(alone, joined);
  EXPECT_EQ(ToString(alone), ToString(joined));
}

TEST(OpRef, IsTrueForAPlaceOnly) {
  EXPECT_FALSE(kNoOp);
  EXPECT_TRUE((OpRef{0, 0}));
  EXPECT_LT((OpRef{0, 7}), (OpRef{1, 0}));
}

}  // namespace
}  // namespace stagecraft
