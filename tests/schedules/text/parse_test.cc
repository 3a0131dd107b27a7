#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "schedules/text.h"
#include "tests/support/schedule_builder.h"

// What a person sees who got the text form wrong: place, found, expected, source line, caret.

namespace stagecraft {
namespace {

using test::Texts;

std::string Faults(const std::string& text) {
  const Result<Schedule> result = Parse(text, "a.sched");
  EXPECT_FALSE(result) << text;
  return Texts(result.diagnostics);
}

constexpr std::string_view kHead = "stagecraft schedule 1\n";
constexpr std::string_view kShape = "shape ranks 1 stages 1 microbatches 1\n";
constexpr std::string_view kPlace = "place 0: 0\n";

/// Faults of a file whose second line is `line`; the rest is right.
std::string ShapeFaults(std::string_view line) {
  return Faults(std::string(kHead) + std::string(line) + "\n");
}

/// Faults of a file that is right but for its fourth line.
std::string LineFaults(std::string_view line) {
  return Faults(std::string(kHead) + std::string(kShape) + std::string(kPlace) + std::string(line) +
                "\nrank 0\n");
}

/// Faults of the program `ops` on line 4.
std::string OpFaults(std::string_view ops) {
  return LineFaults("rank 0 " + std::string(ops));
}

TEST(ParseErrors, Header) {
  EXPECT_EQ(Faults(""), "a.sched:1:1: error: expected 'stagecraft schedule 1' on the first line\n");
  EXPECT_EQ(Faults("stagecraft schedule 2\n"),
            "a.sched:1:1: error: expected 'stagecraft schedule 1' on the first line\n"
            "  stagecraft schedule 2\n"
            "  ^\n");
  EXPECT_EQ(Faults("# why\n0F0,0B0\n"),
            "a.sched:2:1: error: expected 'stagecraft schedule 1' on the first line\n"
            "  0F0,0B0\n"
            "  ^\n");
}

TEST(ParseErrors, ShapeIsMissing) {
  EXPECT_EQ(Faults(std::string(kHead)),
            "a.sched:1:1: error: expected a shape line, got the end of the file\n");
  EXPECT_EQ(Faults(std::string(kHead) + "place 0: 0\n"),
            "a.sched:2:7: error: expected the shape line before the first place or rank line\n"
            "  place 0: 0\n"
            "        ^\n");
}

TEST(ParseErrors, ShapeFields) {
  EXPECT_EQ(ShapeFaults("shape stages 1 ranks 1 microbatches 1"),
            "a.sched:2:7: error: expected 'ranks' and a number, got 'stages'\n"
            "  shape stages 1 ranks 1 microbatches 1\n"
            "        ^\n");
  EXPECT_EQ(ShapeFaults("shape ranks 1 stages 1"),
            "a.sched:2:23: error: expected 'microbatches' and a number, got ''\n"
            "  shape ranks 1 stages 1\n"
            "                        ^\n");
  EXPECT_EQ(ShapeFaults("shape ranks 0 stages 1 microbatches 1"),
            "a.sched:2:13: error: expected a number of ranks from 1 to 65536, got '0'\n"
            "  shape ranks 0 stages 1 microbatches 1\n"
            "              ^\n");
  EXPECT_EQ(ShapeFaults("shape ranks 1 stages 1 microbatches 1 more"),
            "a.sched:2:39: error: expected the end of the line, got 'more'\n"
            "  shape ranks 1 stages 1 microbatches 1 more\n"
            "                                        ^\n");
}

TEST(ParseErrors, ShapeNumbersOutOfRange) {
  const auto message = [](std::string_view number) {
    const std::string text =
        ShapeFaults("shape ranks 1 stages " + std::string(number) + " microbatches 1");
    return text.substr(0, text.find('\n'));
  };
  const std::string expected =
      "a.sched:2:22: error: expected a number of stages from 1 to 2147483647, got '";
  EXPECT_EQ(message("2147483648"), expected + "2147483648'");
  EXPECT_EQ(message("99999999999999999999999999"), expected + "99999999999999999999999999'");
  EXPECT_EQ(message("-1"), expected + "-1'");
  EXPECT_EQ(message("+1"), expected + "+1'");
  EXPECT_EQ(message("1x"), expected + "1x'");
  EXPECT_EQ(message("0x10"), expected + "0x10'");
  const std::string ranks = ShapeFaults("shape ranks 65537 stages 1 microbatches 1");
  EXPECT_EQ(ranks.substr(0, ranks.find('\n')),
            "a.sched:2:13: error: expected a number of ranks from 1 to 65536, got '65537'");
}

TEST(ParseErrors, Duplicates) {
  EXPECT_EQ(LineFaults("shape ranks 1 stages 1 microbatches 1"),
            "a.sched:4:1: error: a second shape line; expected one\n"
            "  shape ranks 1 stages 1 microbatches 1\n"
            "  ^\n");
  EXPECT_EQ(LineFaults("place 0: 0"),
            "a.sched:4:7: error: rank 0 is placed twice\n"
            "  place 0: 0\n"
            "        ^\n");
}

TEST(ParseErrors, Keywords) {
  EXPECT_EQ(LineFaults("rnak 0 0F0@0"),
            "a.sched:4:1: error: expected name, source, shape, mode, place or rank, got 'rnak'; "
            "did you mean 'rank'?\n"
            "  rnak 0 0F0@0\n"
            "  ^\n");
  EXPECT_EQ(LineFaults("  bananas 0"),
            "a.sched:4:3: error: expected name, source, shape, mode, place or rank, got "
            "'bananas'\n"
            "    bananas 0\n"
            "    ^\n");
  EXPECT_EQ(LineFaults("mode fast"),
            "a.sched:4:6: error: expected 'forward' or 'training', got 'fast'\n"
            "  mode fast\n"
            "       ^\n");
}

TEST(ParseErrors, PlacesAndRanks) {
  EXPECT_EQ(LineFaults("place 0 0"),
            "a.sched:4:7: error: expected a rank and ':', such as 'place 0: 0', got '0'\n"
            "  place 0 0\n"
            "        ^\n");
  EXPECT_EQ(LineFaults("place 1: 0"),
            "a.sched:4:7: error: expected a rank from 0 to 0, got '1'\n"
            "  place 1: 0\n"
            "        ^\n");
  EXPECT_EQ(LineFaults("rank 1 0F0@0"),
            "a.sched:4:6: error: expected a rank from 0 to 0, got '1'\n"
            "  rank 1 0F0@0\n"
            "       ^\n");
  EXPECT_EQ(LineFaults("rank"),
            "a.sched:4:5: error: expected a rank from 0 to 0, got ''\n"
            "  rank\n"
            "      ^\n");
  EXPECT_EQ(Faults("stagecraft schedule 1\nshape ranks 1 stages 2 microbatches 1\nplace 0: 0 2\n"
                   "rank 0\n"),
            "a.sched:3:12: error: expected a stage from 0 to 1, got '2'\n"
            "  place 0: 0 2\n"
            "             ^\n");
}

TEST(ParseErrors, WhatIsMissingAtTheEnd) {
  EXPECT_EQ(Faults("stagecraft schedule 1\nshape ranks 2 stages 1 microbatches 1\nplace 1: 0\n"),
            "a.sched:3:1: error: expected a line 'place 0:', got the end of the file\n"
            "a.sched:3:1: error: expected a line 'rank 0', got the end of the file; and 1 more "
            "rank\n");
}

TEST(ParseErrors, UnknownOps) {
  EXPECT_EQ(OpFaults("3F0@0 3X1 3B0@0"),
            "a.sched:4:14: error: expected an op, got '3X1'; did you mean '3F1'?\n"
            "  rank 0 3F0@0 3X1 3B0@0\n"
            "               ^\n");
  EXPECT_EQ(OpFaults("0f0@0"),
            "a.sched:4:8: error: expected an op, got '0f0@0'; did you mean '0F0@0'?\n"
            "  rank 0 0f0@0\n"
            "         ^\n");
  EXPECT_EQ(OpFaults("0SENDF_0"),
            "a.sched:4:8: error: expected an op, got '0SENDF_0'; did you mean '0SEND_F0'?\n"
            "  rank 0 0SENDF_0\n"
            "         ^\n");
  EXPECT_EQ(OpFaults("-1F0@0"),
            "a.sched:4:8: error: expected an op, got '-1F0@0'\n"
            "  rank 0 -1F0@0\n"
            "         ^\n");
  // A stage that does not fit 32 bits; the letter is right, so there is nothing to suggest.
  EXPECT_EQ(OpFaults("99999999999F0@0"),
            "a.sched:4:8: error: expected an op, got '99999999999F0@0'\n"
            "  rank 0 99999999999F0@0\n"
            "         ^\n");
}

TEST(ParseErrors, OpFields) {
  EXPECT_EQ(OpFaults("0F"),
            "a.sched:4:10: error: expected a micro-batch number after 'F', got ''\n"
            "  rank 0 0F\n"
            "           ^\n");
  EXPECT_EQ(OpFaults("0SEND_F99999999999"),
            "a.sched:4:15: error: expected a micro-batch number after 'SEND_F', got "
            "'99999999999'\n"
            "  rank 0 0SEND_F99999999999\n"
            "                ^\n");
  EXPECT_EQ(OpFaults("0F0"),
            "a.sched:4:11: error: expected '@' and the weight version that F reads, got ''\n"
            "  rank 0 0F0\n"
            "            ^\n");
  EXPECT_EQ(OpFaults("0F0@x"),
            "a.sched:4:12: error: expected '@' and the weight version that F reads, got 'x'\n"
            "  rank 0 0F0@x\n"
            "             ^\n");
  EXPECT_EQ(OpFaults("0F0@2147483648"),
            "a.sched:4:12: error: expected '@' and the weight version that F reads, got "
            "'2147483648'\n"
            "  rank 0 0F0@2147483648\n"
            "             ^\n");
}

TEST(ParseErrors, Horizons) {
  for (const std::string_view horizon : {"+0", "-0", "+", "-", "+32768", "-32768", "++1", "+-1"}) {
    EXPECT_EQ(OpFaults("0F0@0" + std::string(horizon)),
              "a.sched:4:13: error: expected a horizon of -32767 to 32767, not 0, got '" +
                  std::string(horizon) + "'\n  rank 0 0F0@0" + std::string(horizon) +
                  "\n              ^\n");
  }
}

TEST(ParseErrors, MoreThanAnOp) {
  // A prefix that is an op is not enough: what follows would be dropped silently.
  EXPECT_EQ(OpFaults("0F0@0junk"),
            "a.sched:4:13: error: expected a blank after the op, got 'junk'\n"
            "  rank 0 0F0@0junk\n"
            "              ^\n");
  EXPECT_EQ(OpFaults("0S@1+1"),
            "a.sched:4:12: error: expected a blank after the op, got '+1'\n"
            "  rank 0 0S@1+1\n"
            "             ^\n");
  EXPECT_EQ(OpFaults("0SEND_F0@1"),
            "a.sched:4:16: error: expected a blank after the op, got '@1'\n"
            "  rank 0 0SEND_F0@1\n"
            "                 ^\n");
}

TEST(ParseErrors, Cells) {
  EXPECT_EQ(OpFaults("(0F0@0"),
            "a.sched:4:14: error: expected ')' at the end of the cell\n"
            "  rank 0 (0F0@0\n"
            "               ^\n");
  EXPECT_EQ(OpFaults("(0F0@0; 0B0@0)"),
            "a.sched:4:15: error: expected ')' at the end of the cell\n"
            "  rank 0 (0F0@0; 0B0@0)\n"
            "                ^\n");
  EXPECT_EQ(OpFaults("(0F0@0)"),
            "a.sched:4:8: error: expected two or more ops in a cell, separated by ';'\n"
            "  rank 0 (0F0@0)\n"
            "         ^\n");
  EXPECT_EQ(OpFaults("()"),
            "a.sched:4:9: error: expected an op, got ''\n"
            "  rank 0 ()\n"
            "          ^\n");
  EXPECT_EQ(OpFaults("(0F0@0;;0B0@0)"),
            "a.sched:4:15: error: expected an op, got ''\n"
            "  rank 0 (0F0@0;;0B0@0)\n"
            "                ^\n");
  EXPECT_EQ(OpFaults("(0F0@0;0B0@0+)"),
            "a.sched:4:20: error: expected a horizon of -32767 to 32767, not 0, got '+'\n"
            "  rank 0 (0F0@0;0B0@0+)\n"
            "                     ^\n");
}

TEST(ParseErrors, ReportsEveryLineAndStopsAtTwentyKinds) {
  EXPECT_EQ(LineFaults("rank 0 0X0\nmode fast\nplace 0: 0"),
            "a.sched:4:8: error: expected an op, got '0X0'; did you mean '0F0'?\n"
            "  rank 0 0X0\n"
            "         ^\n"
            "a.sched:5:6: error: expected 'forward' or 'training', got 'fast'\n"
            "  mode fast\n"
            "       ^\n"
            "a.sched:6:7: error: rank 0 is placed twice\n"
            "  place 0: 0\n"
            "        ^\n");
  std::string many;
  for (int i = 0; i < 100; ++i) {
    many += "rank 0 0X" + std::string(static_cast<std::size_t>(i), 'X') + "\n";
  }
  const Result<Schedule> result = Parse(std::string(kHead) + std::string(kShape) + many, "a.sched");
  EXPECT_EQ(result.diagnostics.size(), 20U);
}

TEST(ParseErrors, AFaultOfManyLinesIsOneFault) {
  std::string many;
  for (int i = 0; i < 100; ++i) {
    many += "rank 0 0X" + std::to_string(i) + "\n";
  }
  EXPECT_EQ(
      Faults(std::string(kHead) + std::string(kShape) + many),
      "a.sched:3:8: error: expected an op, got '0X0'; did you mean '0F0'?; and 99 more lines\n"
      "  rank 0 0X0\n"
      "         ^\n");
}

TEST(ParseErrors, AnOpWithoutItsStage) {
  EXPECT_EQ(
      Faults(std::string(kHead) + "shape ranks 2 stages 2 microbatches 1\nplace 0: 0\nplace 1: 1\n"
                                  "rank 0 0F0@0\nrank 1 F0@0 B0@0\n"),
      "a.sched:6:8: error: expected an op, got 'F0@0'; did you mean '1F0@0'?\n"
      "  rank 1 F0@0 B0@0\n"
      "         ^\n");
}

TEST(ParseErrors, AShapeInSeveralLines) {
  const std::string expected =
      "expected ranks, stages and microbatches in one line, such as 'shape ranks 2 stages 2 "
      "microbatches 4', got ";
  EXPECT_EQ(
      Faults(std::string(kHead) + "ranks 3\nstages 3\nplace 0: 0\nrank 0: 0F0@0\nrank 1: 1F0@0"),
      "a.sched:2:1: error: " + expected +
          "'ranks'\n"
          "  ranks 3\n"
          "  ^\n"
          "a.sched:3:1: error: " +
          expected +
          "'stages'\n"
          "  stages 3\n"
          "  ^\n"
          "a.sched:5:6: error: expected a rank and a blank, such as 'rank 0' (a ':' is for "
          "place lines), got '0:'; and 1 more line\n"
          "  rank 0: 0F0@0\n"
          "       ^\n");
}

TEST(ParseErrors, ARankLineHasNoColon) {
  EXPECT_EQ(LineFaults("rank 0: 0F0@0"),
            "a.sched:4:6: error: expected a rank and a blank, such as 'rank 0' (a ':' is for place "
            "lines), got '0:'\n"
            "  rank 0: 0F0@0\n"
            "       ^\n");
}

// What follows a shape that can't be read is not at fault; what is wrong with ops still is.
TEST(ParseErrors, ABadShapeHasNoEchoes) {
  EXPECT_EQ(ShapeFaults("shape ranks 2 stages x microbatches 1\nplace 0: 0\nplace 1: 1\n"
                        "rank 0 0F0@0\nrank 1 0X0"),
            "a.sched:2:22: error: expected a number of stages from 1 to 2147483647, got 'x'\n"
            "  shape ranks 2 stages x microbatches 1\n"
            "                       ^\n"
            "a.sched:6:8: error: expected an op, got '0X0'; did you mean '0F0'?\n"
            "  rank 1 0X0\n"
            "         ^\n");
  EXPECT_EQ(ShapeFaults("place 0: 0\nplace 1: 1\nrank 0 0F0@0"),
            "a.sched:2:7: error: expected the shape line before the first place or rank line\n"
            "  place 0: 0\n"
            "        ^\n");
}

TEST(Parse, AByteOrderMarkAndLinesOfWindowsAreNoFault) {
  EXPECT_TRUE(
      Parse("\xef\xbb\xbf"
            "stagecraft schedule 1\r\nshape ranks 1 stages 1 microbatches 1\r\n"
            "place 0: 0\r\nrank 0 0F0@0 0B0@0 0S@0\r\n",
            "a.sched"));
}

TEST(ParseErrors, ShowsOnlyAPartOfLongAndStrangeText) {
  const std::string blanks(80, ' ');
  EXPECT_EQ(OpFaults(blanks + "0X0"),
            "a.sched:4:88: error: expected an op, got '0X0'; did you mean '0F0'?\n"
            "  ..." +
                std::string(50, ' ') + "0X0\n" + std::string(55, ' ') + "^\n");
  const std::string junk(1 << 20, 'z');
  const std::string text = OpFaults("0F0@0" + junk);
  EXPECT_LT(text.size(), 300U);
  EXPECT_NE(text.find("got '" + std::string(40, 'z') + "...'"), std::string::npos) << text;
  // A suggestion repeats the word, so there is none for a word that is too long or not printable.
  EXPECT_LT(OpFaults("0X" + std::string(1 << 20, '1')).size(), 300U);
  EXPECT_EQ(OpFaults("0\x01\x7f"
                     "F"),
            "a.sched:4:8: error: expected an op, got '0\\x01\\x7fF'\n"
            "  rank 0 0\\x01\\x7fF\n"
            "         ^\n");
}

}  // namespace
}  // namespace stagecraft
