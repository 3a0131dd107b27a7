#pragma once

#include <string>

#include <gtest/gtest.h>

#include "tests/tools/program.h"

namespace stagecraft {

/// Tests of what only a program built with LibTorch can do: skipped, with the reason, elsewhere.
class WithTorch : public testing::Test {
 protected:
  void SetUp() override {
    if (!STAGECRAFT_HAS_TORCH) {
      GTEST_SKIP() << "built without LibTorch";
    }
  }
};

/// What `stagecraft train ARGUMENTS` prints on standard output; the test fails if it fails.
inline std::string Train(const std::string& arguments) {
  const Outcome outcome = Stagecraft("train " + arguments);
  EXPECT_EQ(outcome.code, 0) << arguments << "\n" << outcome.err;
  return outcome.out;
}

}  // namespace stagecraft
