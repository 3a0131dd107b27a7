#include <regex>
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

TEST(PrintTorchCsv, TransfersAreWhereTorchsLoweringHasThem) {
  // What `_add_send_recv` of torch 2.15 makes of ZB-V, 2 ranks and 4 micro-batches; the ends of
  // transfers are left out.
  const std::string text =
      Written(Make("zb-v", {.ranks = 2, .microbatches = 4}), TorchFormat::kComputeComms);
  const std::string transfers =
      std::regex_replace(text, std::regex(",[0-9]+WAIT_SEND_[FB][0-9]+"), "");
  EXPECT_EQ(transfers,
            "0F0,0SEND_F0,0F1,0SEND_F1,3RECV_F0,0F2,0SEND_F2,3F0,3RECV_F1,3I0,3SEND_B0,3W0,"
            "3F1,3I1,3SEND_B1,0RECV_B0,3W1,0F3,0SEND_F3,3RECV_F2,0I0,0W0,3F2,3I2,3SEND_B2,"
            "0RECV_B1,3W2,0I1,3RECV_F3,0W1,3F3,3I3,3SEND_B3,0RECV_B2,3W3,0I2,0RECV_B3,0W2,"
            "0I3,0W3\n"
            "1RECV_F0,1F0,1RECV_F1,2F0,2SEND_F0,1RECV_F2,1F1,2F1,2SEND_F1,2RECV_B0,2I0,2W0,"
            "1F2,2RECV_B1,1I0,1SEND_B0,1W0,1RECV_F3,2F2,2SEND_F2,2I1,2W1,1F3,2RECV_B2,1I1,"
            "1SEND_B1,1W1,2F3,2SEND_F3,2I2,2W2,2RECV_B3,1I2,1SEND_B2,2I3,1I3,1SEND_B3,1W2,"
            "2W3,1W3\n");
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
