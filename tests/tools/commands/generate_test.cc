#include <string>

#include <gtest/gtest.h>

#include "schedules/text.h"
#include "tests/tools/program.h"

namespace stagecraft {
namespace {

TEST(GenerateCommand, WritesTheCanonicalText) {
  const Outcome outcome = Stagecraft("generate 1f1b -p 2 -m 2");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out,
            "stagecraft schedule 1\n"
            "name      1f1b\n"
            "source    Narayanan et al., ICML 2021\n"
            "shape     ranks 2 stages 2 microbatches 2\n"
            "place     0: 0\n"
            "place     1: 1\n"
            "rank 0    0F0@0 0F1@0 0B0@0 0B1@0 0S@0\n"
            "rank 1    1F0@0 1B0@0 1F1@0 1B1@0 1S@0\n");
}

TEST(GenerateCommand, WritesAFileThatItReadsBackUnchanged) {
  ASSERT_EQ(Stagecraft("generate xpipe -p 4 -m 8 -n 3 -o a.sched").code, 0);
  ASSERT_EQ(Stagecraft("generate a.sched -o b.sched").code, 0);
  const std::string first = ReadTestFile(TestPath("a.sched"));
  EXPECT_NE(first, "");
  EXPECT_EQ(first, ReadTestFile(TestPath("b.sched")));
}

TEST(GenerateCommand, AddsCommunicationWhenAskedFor) {
  const Outcome outcome = Stagecraft("generate 1f1b -p 2 -m 1 --receive just-in-time");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("rank 0    0F0@0 0SEND_F0 0RECV_B0 0B0@0 0S@0\n"), std::string::npos)
      << outcome.out;
  EXPECT_NE(outcome.out.find("rank 1    1RECV_F0 1F0@0 1B0@0 1SEND_B0 1S@0\n"), std::string::npos)
      << outcome.out;
}

TEST(GenerateCommand, EveryGeneratorOptionChangesTheSchedule) {
  const char* const pairs[][2] = {
      {"pipeoptim -m 8", "pipeoptim -m 8 --update-every 2"},
      {"pipeoptim -m 8", "pipeoptim -m 8 --drain-every 4"},
      {"pipeoptim -m 8", "pipeoptim -m 8 --horizon steady"},
      {"pipeoptim -m 8", "pipeoptim -m 8 --horizon code"},
      {"gpipe", "gpipe --checkpoint all"},
      {"gpipe", "gpipe --checkpoint except-last"},
      {"1f1b", "1f1b --warmup 1"},
      {"pipedream", "pipedream --vertical-sync"},
      {"pipedream -m 12 -p 4", "pipedream -m 12 --replicas 3,1"},
      {"xpipe --update-every 4", "xpipe --update-every 4 --rounding half-even"},
      {"1f1b", "1f1b -n 2"},
      {"1f1b", "1f1b -p 3"},
      {"1f1b", "1f1b -m 7"}};

  for (const auto& pair : pairs) {
    const Outcome without = Stagecraft(std::string("generate ") + pair[0]);
    const Outcome with = Stagecraft(std::string("generate ") + pair[1]);
    EXPECT_EQ(without.code, 0) << pair[0] << without.err;
    EXPECT_EQ(with.code, 0) << pair[1] << with.err;
    EXPECT_NE(without.out, with.out) << pair[1];
  }
}

TEST(GenerateCommand, RefusesArgumentsThatMakeNoSense) {
  const Outcome outcome = Stagecraft("generate gpipe --vertical-sync -o x.sched");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(outcome.err, "gpipe: error: does not take --vertical-sync; it takes --checkpoint\n");
  EXPECT_EQ(ReadTestFile(TestPath("x.sched")), "");
}

TEST(GenerateCommand, RefusesAnUnusablePath) {
  const Outcome outcome = Stagecraft("generate gpipe -o /no/such/folder/x.sched");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(outcome.err,
            "/no/such/folder/x.sched: error: cannot be written: No such file or directory\n");
}

TEST(GenerateCommand, CostsAreForSchedulesThatAreSearchedFor) {
  const Outcome found = Stagecraft(
      "generate zb-auto -p 2 -m 4 --limit 3 --forward 1ms --backward-input 2ms --backward-weight "
      "1ms");
  EXPECT_EQ(found.code, 0) << found.err;
  EXPECT_NE(found.err.find("zb-auto: optimal: a batch takes "), std::string::npos) << found.err;
  EXPECT_EQ(Stagecraft("generate gpipe -p 2 -m 4 --forward 1ms").err,
            "gpipe: error: does not depend on costs; expected none of their flags\n");
  EXPECT_NE(Stagecraft("generate zb-auto -p 2 -m 4")
                .err.find("(F, I and W 1 each, since no costs "
                          "are given)"),
            std::string::npos);
}

TEST(GenerateCommand, LimitsAreSetsTimesRanksOrBytes) {
  const auto program = [](const std::string& flags) {
    const Outcome outcome = Stagecraft("generate zb-auto -p 4 -m 12 " + flags);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.out;
  };

  EXPECT_EQ(program("--limit 8"), program("--limit 2p"));
  EXPECT_EQ(program("--limit 8 --activation 10MB"), program("--limit 80MB --activation 10MB"));
  EXPECT_NE(program("--limit 8"), program("--limit 4"));

  EXPECT_EQ(Stagecraft("generate zb-auto -p 2 -m 4 --limit 0p").code, 2);
  EXPECT_NE(
      Stagecraft("generate zb-auto -p 2 -m 4 --limit lots")
          .err.find("--limit: expected activation sets such as 12, sets per rank of the pipeline "
                    "such as 2p, or bytes such as 40GB, got 'lots'"),
      std::string::npos);
  EXPECT_EQ(
      Stagecraft("generate zb-auto -p 2 -m 4 --limit 0.3p").err,
      "zb-auto: error: a --limit of less than one activation set; expected at least 1, or 1p\n");
  EXPECT_EQ(Stagecraft("generate zb-auto -p 2 -m 4 --limit 10GB").err,
            "zb-auto: error: a --limit in bytes, but no activations are said to take any; expected "
            "--activation or a profile, or a limit in sets, such as 8 or 2p\n");

  // No limit is too large to be counted with.
  EXPECT_EQ(Stagecraft("generate zb-auto -p 2 -m 4 --limit 1000000000p --activation 900TB").code,
            0);
  EXPECT_EQ(Stagecraft("generate zb-auto-v -p 2 -m 4 --limit 1000000000p --activation 900TB").code,
            0);

  const Outcome slow = Stagecraft(
      "generate zb-auto -p 2 -m 2000 --speed 0=0.000000001 --forward 60min --backward 1min");
  EXPECT_EQ(slow.code, 2);
  EXPECT_NE(slow.err.find("all ops and transfers of a batch take "), std::string::npos) << slow.err;
  EXPECT_EQ(
      Stagecraft("generate zb-auto -p 2 -m 4 --limit 5MB --activation 10MB").err,
      "zb-auto: error: a --limit of 5000000 bytes, but one micro-batch keeps 10000000 on rank "
      "0; expected at least that\n");
}

TEST(GenerateCommand, ATemplateIsRightAndHasEveryKeyword) {
  const Outcome made = Stagecraft("generate --template -o my.sched");
  ASSERT_EQ(made.code, 0) << made.err;
  const Outcome check = Stagecraft("check my.sched");
  EXPECT_EQ(check.code, 0) << check.err;
  EXPECT_EQ(check.err, "");
  EXPECT_EQ(Stagecraft("simulate my.sched --forward 1ms").code, 0);

  const std::string text = ReadTestFile(TestPath("my.sched"));
  EXPECT_EQ(Stagecraft("generate --template").out, text);
  for (const std::string_view keyword : kTextKeywords) {
    EXPECT_NE(text.find("\n" + std::string(keyword) + " "), std::string::npos) << keyword;
  }
}

TEST(GenerateCommand, NeedsANameOrTheTemplate) {
  const Outcome none = Stagecraft("generate");
  EXPECT_EQ(none.code, 2);
  EXPECT_EQ(none.err,
            "error: NAME|FILE is required, or --template; see `stagecraft generate --help`\n");
  EXPECT_EQ(Stagecraft("generate 1f1b --template").code, 2);
}

}  // namespace
}  // namespace stagecraft
