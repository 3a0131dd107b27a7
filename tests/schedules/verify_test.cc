#include "schedules/verify.h"

#include <algorithm>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/schedules/verify_cases.h"
#include "tests/support/generator_variants.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {

void ExpectCases(const std::vector<VerifyCase>& cases) {
  for (const VerifyCase& one : cases) {
    SCOPED_TRACE(std::string(one.rule) + ": " + one.name);
    EXPECT_EQ(test::Texts(Verify(one.bad, one.mode)), one.diagnostics);
    EXPECT_EQ(test::Texts(Verify(one.good, one.mode)), "");
    EXPECT_NE(one.diagnostics.find("[" + std::string(one.rule) + "]"), std::string::npos);
  }
}

namespace {

using test::Programs;
using test::Texts;

std::vector<VerifyCase> AllCases() {
  std::vector<VerifyCase> cases;
  for (const std::vector<VerifyCase>& some :
       {ProgramCases(), VersionCases(), CommunicationCases()}) {
    cases.insert(cases.end(), some.begin(), some.end());
  }
  return cases;
}

TEST(Verify, EveryRuleHasACounterexample) {
  std::map<std::string_view, int> counterexamples;
  for (const Rule& rule : Rules()) {
    counterexamples[rule.id] = 0;
    EXPECT_FALSE(rule.sentence.empty()) << rule.id;
  }
  ASSERT_EQ(counterexamples.size(), Rules().size()) << "two rules have one id";
  for (const VerifyCase& one : AllCases()) {
    ASSERT_EQ(counterexamples.count(one.rule), 1U) << one.rule << " is no rule";
    ++counterexamples[one.rule];
  }
  for (const auto& [id, count] : counterexamples) {
    std::cout << id << ": " << count << '\n';
    EXPECT_GT(count, 0) << "rule " << id << " needs a counterexample";
  }
}

TEST(Verify, RuleIdsAreStable) {
  std::string ids;
  for (const Rule& rule : Rules()) {
    ids += std::string(rule.id) + ' ';
  }
  EXPECT_EQ(ids,
            "shape placed in-range on-its-rank forward-once backward-once same-rank forward-first "
            "recompute-version version-exists prediction-exists horizon predict-newest "
            "step-versions step-gradient replica-step cell paired channel-order collective-order "
            "progress ");
}

TEST(Verify, NeverStopsAtTheFirst) {
  // A missing backward, a version that does not exist, a step too far: one line each.
  const std::vector<Diagnostic> found = Verify(Programs(2, {"0: 0F0@0 0F1@3 0B0@0 0S@1"}));
  std::vector<std::string> rules;
  for (const Diagnostic& diagnostic : found) {
    rules.push_back(diagnostic.rule);
    EXPECT_EQ(diagnostic.severity, Severity::kError);
  }
  EXPECT_EQ(rules, (std::vector<std::string>{"backward-once", "version-exists", "step-versions"}));
}

TEST(Verify, ListsTwentyOfARuleAndCountsTheRest) {
  // 25 forwards without a backward.
  std::string program = "0:";
  for (int q = 0; q < 25; ++q) {
    program += " 0F" + std::to_string(q) + "@0";
  }
  const std::vector<Diagnostic> found = Verify(Programs(25, {program}));
  ASSERT_EQ(found.size(), static_cast<std::size_t>(kMaxPerRule) + 1);
  EXPECT_EQ(ToString(found[0]),
            "rank 0, op 0 (0F0@0): error: lacks its backward; expected B, or I and W "
            "[backward-once]\n"
            "  rank 0 | 0F0@0 0F1@0 0F2@0 0F3@0 0F4@0 ...\n"
            "           ^");
  EXPECT_EQ(ToString(found.back()), "error: 5 more of this kind [backward-once]");
}

TEST(Verify, ExamineGivesWhatItWorkedOut) {
  const Schedule schedule = Programs(1, {"0: 0F0@0 0B0@0 0S@0", "1: 1F0@0 1B0@0 1S@0"});
  const Examination good = Examine(schedule);
  EXPECT_TRUE(good.diagnostics.empty());
  EXPECT_EQ(good.order.order.size(), 6U);
  EXPECT_EQ((good.dependencies.input[{1, 0}]), (OpRef{0, 0}));
  Schedule broken = schedule;
  broken.shape.ranks = 3;
  const Examination bad = Examine(broken);
  EXPECT_EQ(bad.diagnostics.size(), 1U);
  EXPECT_TRUE(bad.order.order.empty());
  EXPECT_TRUE(bad.dependencies.input.empty());
}

TEST(Verify, IsEmptyForEveryGenerator) {
  int count = 0;
  std::map<std::string_view, int> of_generator;
  test::ForEachVariant(5, [&](const test::Variant& variant) {
    ASSERT_EQ(Texts(Verify(variant.Make())), "") << variant.Text();
    ++of_generator[variant.generator->name];
    ++count;
  });
  for (const auto& [name, number] : of_generator) {
    std::cout << name << ": " << number << '\n';
  }
  EXPECT_EQ(of_generator.size(), Generators().size());
  EXPECT_GT(count, 5000);
}

/// Verify of `schedule` with one op changed; it must say something or the op's absence be harmless.
TEST(Verify, ObjectsToEveryDeletedOrDuplicatedOp) {
  // In a schedule without predictions every op is needed exactly once.
  for (const char* name : {"1f1b", "pipedream", "pipedream-2bw", "async-1f1b", "gpipe"}) {
    const Schedule schedule = test::Make(name, {.ranks = 3, .microbatches = 6});
    for (std::size_t rank = 0; rank < 3; ++rank) {
      for (std::ptrdiff_t i = 0; i < std::ssize(schedule.programs[rank]); ++i) {
        Schedule less = schedule;
        less.programs[rank].erase(less.programs[rank].begin() + i);
        EXPECT_NE(Texts(Verify(less)), "") << name << " without op " << i << " of rank " << rank;
        Schedule more = schedule;
        more.programs[rank].insert(more.programs[rank].begin() + i,
                                   schedule.programs[rank][static_cast<std::size_t>(i)]);
        EXPECT_NE(Texts(Verify(more)), "")
            << name << " with op " << i << " of rank " << rank << " twice";
      }
    }
  }
}

}  // namespace
}  // namespace stagecraft
