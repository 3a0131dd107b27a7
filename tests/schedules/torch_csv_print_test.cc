#include <string>

#include <gtest/gtest.h>

#include "schedules/lower.h"
#include "schedules/torch_csv.h"
#include "schedules/verify.h"
#include "tests/support/generator_variants.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::Make;
using test::Texts;

std::string Written(const Schedule& schedule, TorchFormat format) {
  const Result<std::string> text = PrintTorchCsv(schedule, format);
  return (text ? *text.value : "") + Texts(text.diagnostics);
}

TEST(PrintTorchCsv, WritesComputeOnly) {
  EXPECT_EQ(Written(Make("1f1b", {.ranks = 2, .microbatches = 3}), TorchFormat::kComputeOnly),
            "0F0,0F1,0B0,0F2,0B1,0B2\n1F0,1B0,1F1,1B1,1F2,1B2\n");
}

TEST(PrintTorchCsv, WritesEveryTransferAndItsEnd) {
  EXPECT_EQ(Written(Make("1f1b", {.ranks = 2, .microbatches = 2}), TorchFormat::kComputeComms),
            "0F0,0SEND_F0,0F1,0SEND_F1,0RECV_B0,0B0,0WAIT_SEND_F0,0RECV_B1,0B1,0WAIT_SEND_F1\n"
            "1RECV_F0,1F0,1RECV_F1,1B0,1SEND_B0,1F1,1B1,1SEND_B1,1WAIT_SEND_B0,1WAIT_SEND_B1\n");
}

TEST(PrintTorchCsv, WritesCellsOfTwo) {
  const std::string text =
      Written(Make("dualpipe-v", {.ranks = 2, .microbatches = 4}), TorchFormat::kComputeComms);
  EXPECT_NE(text.find(",(1F3;2B1)OVERLAP_F_B,2WAIT_SEND_F1,"), std::string::npos) << text;
}

TEST(PrintTorchCsv, SaysWhatIsLeftOut) {
  EXPECT_EQ(
      Written(Make("pipeoptim", {.ranks = 2, .microbatches = 2}), TorchFormat::kComputeOnly),
      "0F0,0F1,0B0,0B1\n1F0,1B0,1F1,1B1\n"
      "torch csv: warning: weight versions and steps are left out: read back, this is one "
      "batch with a flush behind it\n"
      "torch csv: warning: predictions and recomputations are left out: torch's files have no "
      "word for them\n");
}

TEST(PrintTorchCsv, RefusesWhatTheFormatCannotHold) {
  EXPECT_EQ(Written(Make("chimera", {.ranks = 4, .microbatches = 4}), TorchFormat::kComputeOnly),
            "torch csv: error: stage 0 is on ranks 0, 3; torch's files have a stage on one rank\n");
  EXPECT_EQ(Written(test::ForwardPrograms(1, {"0: 0F0@0"}), TorchFormat::kComputeOnly),
            "torch csv: error: a schedule of forwards only; torch's files are for training\n");
  EXPECT_EQ(
      Written(test::Programs(2, {"0: 0F0@0 0F1@0 (0B0@0;0B1@0) 0S@0"}), TorchFormat::kComputeOnly),
      "torch csv: error: rank 0 has a cell that begins with 0B0@0; torch's files know cells "
      "of an F and a B\n");
}

TEST(PrintTorchCsv, IsReadBackAsTheSameSchedule) {
  int read = 0;
  test::ForEachVariant(4, [&](const test::Variant& variant) {
    const bool plain = variant.generator->flushes && variant.options.batches == 1 &&
                       variant.options.checkpoint == Checkpoint::kNone;
    if (!plain) {
      return;
    }
    const Schedule schedule = variant.Make();
    for (const TorchFormat format : {TorchFormat::kComputeOnly, TorchFormat::kComputeComms}) {
      const Result<std::string> text = PrintTorchCsv(schedule, format);
      if (!text) {
        continue;  // Replicated.
      }
      const Result<TorchSchedule> back = ParseTorchCsv(*text.value, "x.csv");
      ASSERT_TRUE(back) << variant.Text() << Texts(back.diagnostics);
      ASSERT_EQ(Texts(Verify(back.value->schedule)), "") << variant.Text();
      ASSERT_EQ(*PrintTorchCsv(back.value->schedule, format).value, *text.value);
      ++read;
    }
  });
  EXPECT_GT(read, 300);
}

}  // namespace
}  // namespace stagecraft
