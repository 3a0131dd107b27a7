#include "schedules/verify/findings.h"

#include <string>

#include <gtest/gtest.h>

#include "schedules/verify.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::Programs;

TEST(Findings, NameThePlaceAndShowTheFirstOfARule) {
  const Schedule schedule = Programs(1, {"0: 0F0@0 0B0@0 0S@0"});
  Findings findings(schedule);
  findings.Add("horizon", OpRef{0, 1}, "first");
  findings.Add("horizon", OpRef{0, 0}, "second");
  findings.Add("placed", "rank 7", "third");
  const std::vector<Diagnostic> found = findings.Take();
  EXPECT_EQ(test::Texts(found),
            "rank 0, op 1 (0B0@0): error: first [horizon]\n"
            "  rank 0 | 0F0@0 0B0@0 0S@0\n"
            "                 ^\n"
            "rank 0, op 0 (0F0@0): error: second [horizon]\n"
            "rank 7: error: third [placed]\n");
  EXPECT_EQ(found[0].op, (OpRef{0, 1}));
  EXPECT_FALSE(found[2].op.has_value());
}

TEST(Findings, KeepTwentyOfARuleAndCountTheRest) {
  const Schedule schedule = Programs(1, {"0: 0F0@0"});
  Findings findings(schedule);
  for (int i = 0; i < kMaxPerRule + 2; ++i) {
    findings.Add("placed", OpRef{0, 0}, std::to_string(i));
    findings.Add("shape", "", std::to_string(i));
  }
  findings.Add("cell", "", "only one");
  const std::vector<Diagnostic> found = findings.Take();
  constexpr std::size_t kKept = 2 * std::size_t{kMaxPerRule};
  ASSERT_EQ(found.size(), kKept + 1 + 2);
  EXPECT_EQ(found[kKept - 2].message, "19");
  EXPECT_EQ(found[kKept].message, "only one");
  EXPECT_EQ(ToString(found[kKept + 1]), "error: 2 more of this kind [placed]");
  EXPECT_EQ(ToString(found[kKept + 2]), "error: 2 more of this kind [shape]");
}

TEST(FindingsDeathTest, RefuseARuleThatIsNotInTheTable) {
  const Schedule schedule = Programs(1, {"0: 0F0@0"});
  Findings findings(schedule);
  EXPECT_DEATH(findings.Add("no-such-rule", "", ""), "a finding needs a rule of the table");
}

TEST(Findings, NameGivesOpAndRank) {
  EXPECT_EQ(Name(Programs(1, {"0: 0F0@0", "1: 1F0@0"}), {1, 0}), "1F0@0 on rank 1");
}

}  // namespace
}  // namespace stagecraft
