#include "schedules/diagnostic.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace stagecraft {
namespace {

Diagnostic At(std::string where, std::string message) {
  Diagnostic diagnostic;
  diagnostic.where = std::move(where);
  diagnostic.message = std::move(message);
  return diagnostic;
}

TEST(Diagnostic, SaysWhereWhatRuleAndExcerpt) {
  Diagnostic diagnostic = At("rank 2, op 7 (2B3@0)", "backward before its forward");
  diagnostic.rule = "forward-first";
  diagnostic.excerpt = "  rank 2 | 2B3@0\n           ^";
  EXPECT_EQ(ToString(diagnostic),
            "rank 2, op 7 (2B3@0): error: backward before its forward [forward-first]\n"
            "  rank 2 | 2B3@0\n"
            "           ^");
}

TEST(Diagnostic, LeavesOutWhatIsEmpty) {
  EXPECT_EQ(ToString(At("", "no such schedule")), "error: no such schedule");
  Diagnostic warning = At("stage 1", "looks odd");
  warning.severity = Severity::kWarning;
  EXPECT_EQ(ToString(warning), "stage 1: warning: looks odd");
}

TEST(Diagnostic, HasErrorsIgnoresWarnings) {
  EXPECT_FALSE(HasErrors({}));
  std::vector<Diagnostic> diagnostics(2, At("a", "b"));
  diagnostics[0].severity = Severity::kWarning;
  EXPECT_TRUE(HasErrors(diagnostics));
  diagnostics[1].severity = Severity::kWarning;
  EXPECT_FALSE(HasErrors(diagnostics));
}

TEST(InputError, HoldsEveryDiagnosticOnALineOfItsOwn) {
  const InputError error({At("a.sched:1:1", "one"), At("a.sched:2:1", "two")});
  EXPECT_STREQ(error.what(), "a.sched:1:1: error: one\na.sched:2:1: error: two");
  ASSERT_EQ(error.diagnostics().size(), 2U);
  EXPECT_EQ(error.diagnostics()[1].message, "two");
}

TEST(OrThrow, GivesTheValueOrThrowsAllDiagnostics) {
  EXPECT_EQ(OrThrow(Result<int>{7, {At("", "only a warning")}}), 7);
  EXPECT_FALSE((Result<int>{std::nullopt, {}}));
  try {
    OrThrow(Result<int>{std::nullopt, {At("x", "bad")}});
    FAIL() << "expected an InputError";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "x: error: bad");
  }
}

}  // namespace
}  // namespace stagecraft
