#include "engine/ranks/frame.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>

#include <gtest/gtest.h>

#include "tests/support/mutate.h"

namespace stagecraft {
namespace {

TEST(Frame, ComesBackAsItWas) {
  const Frame frame{Frame::Type::kTensor, {OpKind::kSendBackward, 3, 123456}, 1 << 20};
  const auto decoded = Decode(Encode(frame));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->type, frame.type);
  EXPECT_EQ(decoded->tag, frame.tag);
  EXPECT_EQ(decoded->bytes, frame.bytes);
}

TEST(Frame, IsRefusedUnlessItsMarkKindAndSizeAreRight) {
  std::mt19937_64 random(test::SeedFromEnvironment(41));
  const Frame frame{Frame::Type::kTensor, {OpKind::kSendForward, 3, 4}, 5};
  for (int i = 0; i < 10'000; ++i) {
    FrameHeader header = Encode(frame);
    const std::size_t at = random() % header.size();
    header.at(at) ^= static_cast<std::byte>(1U << (random() % 8));
    const auto decoded = Decode(header);
    if (at < 4) {
      EXPECT_FALSE(decoded) << "byte " << at;
    } else if (decoded) {
      EXPECT_LE(decoded->bytes, kMaxFramePayload);
      EXPECT_LT(static_cast<int>(decoded->tag.kind), kOpKinds);
    }
  }
}

TEST(Frame, OfAMachineWithTheOtherByteOrderIsRefused) {
  FrameHeader header = Encode({Frame::Type::kTensor, {OpKind::kSendForward, 3, 4}, 5});
  std::reverse(header.begin(), header.begin() + 4);
  EXPECT_FALSE(Decode(header));
}

}  // namespace
}  // namespace stagecraft
