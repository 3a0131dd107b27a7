#include "schedules/torch_csv.h"

#include <optional>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "schedules/verify.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::ProgramText;
using test::Texts;

TorchSchedule Read(std::string_view text) {
  Result<TorchSchedule> read = ParseTorchCsv(text, "x.csv");
  EXPECT_TRUE(read) << Texts(read.diagnostics);
  return read ? *std::move(read.value) : TorchSchedule{};
}

/// What a person is told about `text`, errors and warnings.
std::string Said(std::string_view text, const std::optional<Placement>& placement = std::nullopt) {
  return Texts(ParseTorchCsv(text, "x.csv", placement).diagnostics);
}

TEST(ParseTorchCsv, ReadsComputeOnly) {
  const Schedule schedule = Read("0F0,0F1,0B0, 0F2 ,0B1,,0B2\n1F0,1B0,1F1,1B1,1F2,1B2\n").schedule;
  EXPECT_EQ(ProgramText(schedule, 0), "0F0@0 0F1@0 0B0@0 0F2@0 0B1@0 0B2@0 0S@0");
  EXPECT_EQ(schedule, test::Make("1f1b", {.ranks = 2, .microbatches = 3}));
  EXPECT_EQ(Texts(Verify(schedule)), "");
}

TEST(ParseTorchCsv, ReadsComputeComms) {
  const Schedule schedule = Read(
                                "0F0,0SEND_F0,0F1,0SEND_F1,0RECV_B0,0B0,0RECV_B1,0B1\r\n"
                                "1RECV_F0,1F0,1B0,1SEND_B0,1RECV_F1,1F1,1B1,1SEND_B1")
                                .schedule;
  EXPECT_EQ(ProgramText(schedule, 1),
            "1RECV_F0 1F0@0 1B0@0 1SEND_B0 1RECV_F1 1F1@0 1B1@0 1SEND_B1 1S@0");
  EXPECT_EQ(Texts(Verify(schedule)), "");
}

TEST(ParseTorchCsv, ReadsHalvesCellsOfTwoAndAV) {
  const TorchSchedule read = Read(
      "0F0,0F1,3F0,(3F1;3B0)OVERLAP_F_B,0I0,0W0,3B1,0B1\n1F0,2F0,1F1,2F1,2B0,1I0,1W0,2B1,1B1\n");
  EXPECT_EQ(ProgramText(read.schedule, 0),
            "0F0@0 0F1@0 3F0@0 (3F1@0;3B0@0) 0I0@0 0W0@0 3B1@0 3S@0 0B1@0 0S@0");
  EXPECT_EQ(read.schedule.placement, (Placement{{0, 3}, {1, 2}}));
  EXPECT_EQ(Texts(Verify(read.schedule)), "");
  EXPECT_EQ(CellName(read, "x.csv", {0, 4}), "x.csv, rank 0, cell 4 (3B0)");
  EXPECT_EQ(CellName(read, "x.csv", {0, 5}), "x.csv, rank 0, cell 5 (0I0)");
  EXPECT_EQ(CellName(read, "x.csv", {0, 8}), "x.csv, rank 0 (3S@0)");
}

TEST(ParseTorchCsv, AStepStandsBehindWhatIsSentOfTheLastGradient) {
  const Schedule schedule =
      Read("0F0,0SEND_F0,0RECV_B0,0B0\n1RECV_F0,1F0,1I0,1SEND_B0,1W0\n").schedule;
  EXPECT_EQ(ProgramText(schedule, 1), "1RECV_F0 1F0@0 1I0@0 1SEND_B0 1W0@0 1S@0");
  EXPECT_EQ(ProgramText(schedule, 0), "0F0@0 0SEND_F0 0RECV_B0 0B0@0 0S@0");
}

TEST(ParseTorchCsv, WordsWithoutEffectAreCounted) {
  EXPECT_EQ(
      Said("0UNSHARD,0F0,0B0,0REDUCE_GRAD,0WAIT_REDUCE_GRAD,0RESHARD\n"),
      "x.csv: warning: 1 REDUCE_GRAD, 1 RESHARD, 1 UNSHARD, 1 WAIT_REDUCE_GRAD: read, without "
      "effect on a schedule\n");
  EXPECT_EQ(
      Said("0F0,0SEND_F0,0RECV_B0,0B0,0WAIT_SEND_F0\n1RECV_F0,1F0,1B0,1SEND_B0,1WAIT_SEND_B0"),
      "x.csv: warning: 1 WAIT_SEND_B, 1 WAIT_SEND_F: read, without effect on a schedule\n");
  EXPECT_EQ(
      Said("0F0,0B0,0UNSHARD1\n"),
      "x.csv, rank 0, cell 3: error: expected no micro-batch behind UNSHARD, got '0UNSHARD1'\n");
  EXPECT_EQ(Said("0F0,0B0,0WAIT_SEND_F\n"),
            "x.csv, rank 0, cell 3: error: expected a micro-batch behind WAIT_SEND_F, got "
            "'0WAIT_SEND_F'\n");
}

// What torch's reader lets through: it matches the beginning of a cell.

TEST(ParseTorchCsv, EveryCharacterOfACellCounts) {
  const std::string form =
      "expected a cell such as 0F1 (stage, action, micro-batch) and nothing behind it, got ";
  EXPECT_EQ(Said("0F1junk\n"), "x.csv, rank 0, cell 1: error: " + form + "'0F1junk'\n");
  EXPECT_EQ(Said("0F0,0B0 0F1\n"), "x.csv, rank 0, cell 2: error: " + form + "'0B0 0F1'\n");
  EXPECT_EQ(Said("1\n"), "x.csv, rank 0, cell 1: error: " + form + "'1'\n");
  EXPECT_EQ(Said("F0\n"), "x.csv, rank 0, cell 1: error: " + form + "'F0'\n");
  EXPECT_EQ(Said("0F2147483647\n"), "x.csv, rank 0, cell 1: error: " + form + "'0F2147483647'\n");
  EXPECT_EQ(Said("0F99999999999\n"), "x.csv, rank 0, cell 1: error: " + form + "'0F99999999999'\n");
}

TEST(ParseTorchCsv, ATerminalIsToldNothingOdd) {
  EXPECT_EQ(
      Said("0F0,0\x1b[31mX\n"),
      "x.csv, rank 0, cell 2: error: expected a cell such as 0F1 (stage, action, micro-batch) "
      "and nothing behind it, got '0\\x1b[31mX'\n");
  const std::string longer(1000, 'F');
  EXPECT_LT(Said("0" + longer + "\n").size(), 300U);
}

TEST(ParseTorchCsv, AFileFromBeforeTheRenamingIsRecognised) {
  const std::string sentence = std::string(kOldTorchNames) + "\n";
  EXPECT_EQ(Said("0F0,0BW0\n"), "x.csv, rank 0, cell 2: error: '0BW0': " + sentence);
  // Once per file, and beside what else is wrong with it.
  EXPECT_EQ(Said("0F0,0BW0,0F1,0BW1\n1F0,1B0,1W0,1F1,1BW1,1X1\n"),
            "x.csv, rank 0, cell 2: error: '0BW0': " + sentence +
                "x.csv, rank 1, cell 6: error: no action is called 'X'; expected F, B, I, W, "
                "SEND_F, RECV_F, SEND_B, RECV_B or one of torch's others\n");
}

TEST(ParseTorchCsv, MayBeQuotedMarkedAndFromWindows) {
  const std::string_view plain = "0F0,0F1,,0B0\n1F0,1B0\n";
  const Schedule schedule = Read(plain).schedule;
  EXPECT_EQ(Read("\xef\xbb\xbf\"0F0\",\"0F1\",\"\",\"0B0\"\r\n\"1F0\",1B0\r\n").schedule, schedule);
  EXPECT_EQ(Said("\"0F0,0B0\n"), "x.csv:1:1: error: expected a closing '\"'\n  \"0F0,0B0\n  ^\n");
}

TEST(ParseTorchCsv, AFaultOfEveryRowIsOneFault) {
  EXPECT_EQ(Said("0F0,0X0\n1F0,1X0\n2F0,2X0\n"),
            "x.csv, rank 0, cell 2: error: no action is called 'X'; expected F, B, I, W, SEND_F, "
            "RECV_F, SEND_B, RECV_B or one of torch's others; and 2 more ranks\n");
}

TEST(ParseTorchCsv, UnknownActionsAndMissingNumbersAreNamed) {
  EXPECT_EQ(Said("0X0\n"),
            "x.csv, rank 0, cell 1: error: no action is called 'X'; expected F, B, I, W, SEND_F, "
            "RECV_F, SEND_B, RECV_B or one of torch's others\n");
  EXPECT_EQ(Said("0R0\n").substr(0, 56),
            "x.csv, rank 0, cell 1: error: no action is called 'R'; e");
  EXPECT_EQ(Said("0F0,0B\n"),
            "x.csv, rank 0, cell 2: error: expected a micro-batch behind B, got '0B'\n");
}

TEST(ParseTorchCsv, CellsOfTwoAreAForwardAndABackward) {
  EXPECT_EQ(Said("(0B0;0F1)OVERLAP_F_B\n"),
            "x.csv, rank 0, cell 1: error: expected an F and then a B in '(0B0;0F1)OVERLAP_F_B'\n");
  const std::string form =
      "x.csv, rank 0, cell 1: error: expected a cell of two such as "
      "(0F1;3B0)OVERLAP_F_B, got '";
  EXPECT_EQ(Said("(0F1;0B0)\n"), form + "(0F1;0B0)'\n");
  EXPECT_EQ(Said("(0F1;0B0)OVERLAP_F_Bx\n"), form + "(0F1;0B0)OVERLAP_F_Bx'\n");
  EXPECT_FALSE(ParseTorchCsv("(0F1;0B0;0W0)OVERLAP_F_B\n", "x.csv"));
  EXPECT_FALSE(ParseTorchCsv("(0F1)OVERLAP_F_B\n", "x.csv"));
}

TEST(ParseTorchCsv, WhatHasNoEffectIsOfTheRowToo) {
  EXPECT_EQ(Said("0F0,0B0,0WAIT_SEND_F7\n"),
            "x.csv, rank 0, cell 3: error: of stage 0 and micro-batch 7, which have no action in "
            "this row\n");
  EXPECT_EQ(Said("0F0,0B0\n1F0,1B0,0RESHARD\n"),
            "x.csv, rank 1, cell 3: error: of stage 0 and micro-batch 0, which have no action in "
            "this row\n");
  const std::string form = "expected an F and then a B in ";
  EXPECT_EQ(Said("0F0,(0F1;0UNSHARD)OVERLAP_F_B\n"),
            "x.csv, rank 0, cell 2: error: " + form + "'(0F1;0UNSHARD)OVERLAP_F_B'\n");
  EXPECT_EQ(Said("(0UNSHARD;0B0)OVERLAP_F_B\n"),
            "x.csv, rank 0, cell 1: error: " + form + "'(0UNSHARD;0B0)OVERLAP_F_B'\n");
}

TEST(ParseTorchCsv, IdleStepsAreForComputeOnly) {
  EXPECT_EQ(Said("0F0,0SEND_F0,,0RECV_B0,0B0\n1RECV_F0,1F0,1B0,1SEND_B0\n"),
            "x.csv, rank 0, cell 3: error: an empty cell in a file with SENDs and RECVs; expected "
            "one action after the other\n");
}

TEST(ParseTorchCsv, RowsAreRanksAndHoldTheirStages) {
  EXPECT_EQ(Said(""), "x.csv: error: expected a row per rank, found nothing\n");
  EXPECT_EQ(Said("0F0,0B0\n\n1F0,1B0\n"),
            "x.csv: error: row 2 is empty; expected the cells of rank 1\n");
  EXPECT_EQ(Said("0F0,0B0\n,,\n"),
            "x.csv: error: row 2 has no actions; expected those of the stages of rank 1\n");
  EXPECT_EQ(Said("0F0,0B0\n1F0,0B1\n"),
            "x.csv, rank 1, cell 2: error: stage 0 stands on rank 0 already; expected all of a "
            "stage's actions in one row\n");
  EXPECT_EQ(Said("0F0,0B0\n2F0,2B0\n"),
            "x.csv: error: stages up to 2, but only 2 of them have actions; expected all from 0\n");
}

TEST(ParseTorchCsv, APlacementMayBeGiven) {
  const std::string_view text = "0F0,1F0,1B0,0B0\n";
  EXPECT_EQ(ParseTorchCsv(text, "x.csv", Placement{{1, 0}}).value->schedule.placement,
            (Placement{{1, 0}}));
  EXPECT_EQ(Said(text, Placement{{0}, {1}}),
            "x.csv: error: the rows have stages on other ranks than the placement that was given "
            "says\n");
}

TEST(ParseTorchCsv, AWrongListIsForVerifyToRefuse) {
  // What torch 2.15 publishes for 1F1B on its last rank starts like this.
  const TorchSchedule read = Read("0F0,0F1,0B0,0B1\n1F1,1B0,1F2,1B1\n");
  const std::string faults = Texts(Verify(read.schedule));
  EXPECT_NE(faults.find("rank 1, op 1 (1B0@0): error: lacks its forward"), std::string::npos)
      << faults;
}

}  // namespace
}  // namespace stagecraft
