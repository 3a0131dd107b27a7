#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "schedules/progress.h"
#include "schedules/schedule.h"

namespace stagecraft {

/// A small schedule that breaks one rule, all that `Verify` says of it, and the corrected schedule.
struct VerifyCase {
  std::string_view rule;
  std::string name;
  Schedule bad;
  std::string diagnostics;  ///< One after the other, with excerpts.
  Schedule good;
  SendMode mode = SendMode::kEager;
};

// By the file that checks the rule: verify/programs.cc, verify/versions.cc and both
// verify/communication.cc and verify.cc.
std::vector<VerifyCase> ProgramCases();
std::vector<VerifyCase> VersionCases();
std::vector<VerifyCase> CommunicationCases();

/// Checks both halves of each case.
void ExpectCases(const std::vector<VerifyCase>& cases);

}  // namespace stagecraft
