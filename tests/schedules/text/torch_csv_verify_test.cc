#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "schedules/torch_csv.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

std::string FaultsOf(std::string_view text) {
  const Result<TorchSchedule> read = ParseTorchCsv(text, "x.csv");
  EXPECT_TRUE(read) << test::Texts(read.diagnostics);
  return read ? test::Texts(VerifyTorchCsv(*read.value, "x.csv")) : "";
}

TEST(VerifyTorchCsv, NamesCells) {
  EXPECT_EQ(FaultsOf("0F0,0B0\n1F0,1B0\n"), "");
  // Op 1 is the step that reading puts behind the B.
  EXPECT_EQ(
      FaultsOf("0B0,0F0\n"),
      "x.csv, rank 0, cell 1 (0B0): error: backward before its forward; 0F0@0 is op 2 on this "
      "rank [forward-first]\n");
}

// Torch 2.5 and torchtitan of 2024 wrote B for the backward of the input and W for that of the
// weights: every B has its W, and there is no I.
TEST(VerifyTorchCsv, AFileOfOldNamesGetsOneSentence) {
  EXPECT_EQ(FaultsOf("0F0,0F1,0B0,0W0,0B1,0W1\n1F0,1B0,1F1,1W0,1B1,1W1\n"),
            "x.csv, rank 0, cell 4 (0W0): error: '0W0' beside '0B0': " +
                std::string(kOldTorchNames) + " [backward-once]\n");
}

TEST(VerifyTorchCsv, ABackwardBesideHalvesOfTodayIsNoOldFile) {
  const std::string faults = FaultsOf("0F0,0F1,0B0,0W0,0I1,0W1\n");
  EXPECT_EQ(faults,
            "x.csv, rank 0, cell 4 (0W0): error: beside a full backward, 0B0@0 on rank 0 "
            "[backward-once]\n");
}

}  // namespace
}  // namespace stagecraft
