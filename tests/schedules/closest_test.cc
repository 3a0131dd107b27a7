#include "schedules/closest.h"

#include <array>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace stagecraft {
namespace {

constexpr std::array<std::string_view, 5> kNames = {"gpipe", "1f1b", "pipedream", "pipedream-2bw",
                                                    "pipeoptim"};

TEST(Closest, FindsAWordWithOneFault) {
  EXPECT_EQ(Closest("gpip", kNames), "gpipe");    // One letter missing.
  EXPECT_EQ(Closest("gpippe", kNames), "gpipe");  // One too many.
  EXPECT_EQ(Closest("gpope", kNames), "gpipe");   // One other letter.
  EXPECT_EQ(Closest("gippe", kNames), "gpipe");   // Two neighbours swapped.
  EXPECT_EQ(Closest("GPipe", kNames), "gpipe");   // Case does not count.
  EXPECT_EQ(Closest("pipedream", kNames), "pipedream");
}

TEST(Closest, PrefersTheLeastDistance) {
  // pipedream-2b is 1 away from pipedream-2bw and 3 away from pipedream.
  EXPECT_EQ(Closest("pipedream-2b", kNames), "pipedream-2bw");
  EXPECT_EQ(Closest("pipedreams", kNames), "pipedream");
}

TEST(Closest, TakesTheFirstOfEquals) {
  constexpr std::array<std::string_view, 2> kEquals = {"cat", "bat"};
  EXPECT_EQ(Closest("rat", kEquals), "cat");
}

TEST(Closest, GivesNothingForAWordThatIsTooFar) {
  EXPECT_EQ(Closest("dualpipe", kNames), "");
  // 'gpipe' and 'gxyze' differ in 3 of 5 letters; a third of 5 is 1.
  EXPECT_EQ(Closest("gxyze", kNames), "");
  EXPECT_EQ(Closest("", kNames), "");
}

TEST(Closest, AllowsAThirdOfTheLongerWord) {
  constexpr std::array<std::string_view, 1> kSix = {"abcdef"};
  EXPECT_EQ(Closest("abcdxy", kSix), "abcdef");  // 2 of 6.
  EXPECT_EQ(Closest("abcxyz", kSix), "");        // 3 of 6.
  constexpr std::array<std::string_view, 1> kOne = {"F"};
  EXPECT_EQ(Closest("X", kOne), "F");  // One change is always allowed.
}

TEST(Closest, RefusesAbsurdlyLongWords) {
  const std::string candidate(65, 'a');
  const std::array<std::string_view, 1> candidates = {candidate};
  EXPECT_EQ(Closest(std::string(64, 'a'), candidates), candidate);
  EXPECT_EQ(Closest(std::string(65, 'a'), candidates), "");
}

TEST(Closest, HasNothingToOfferWithoutCandidates) {
  EXPECT_EQ(Closest("gpipe", {}), "");
}

}  // namespace
}  // namespace stagecraft
