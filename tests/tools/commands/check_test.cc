#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/tools/program.h"
#include "tests/tools/schema_check.h"

namespace stagecraft {
namespace {

TEST(CheckCommand, GivesAVerdictPerSendMode) {
  const Outcome outcome = Stagecraft("check 1f1b -p 4 -m 8");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "eager       ok\nrendezvous  ok\nblocking    ok\n");
  EXPECT_EQ(outcome.err, "");
}

TEST(CheckCommand, OnlyTheChosenSendModeDecides) {
  const std::string arguments = "check 1f1b -p 4 -m 8 --receive just-in-time";
  const std::string verdicts = "eager       ok\nrendezvous  ok\nblocking    1 error: progress\n";
  const Outcome eager = Stagecraft(arguments);
  EXPECT_EQ(eager.code, 0);
  EXPECT_EQ(eager.out, verdicts);
  EXPECT_NE(eager.err.find("warning: deadlock with blocking sends"), std::string::npos)
      << eager.err;
  const Outcome blocking = Stagecraft(arguments + " --send blocking");
  EXPECT_EQ(blocking.code, 1);
  EXPECT_EQ(blocking.out, verdicts);
  EXPECT_NE(blocking.err.find("error: deadlock with blocking sends"), std::string::npos)
      << blocking.err;
}

TEST(CheckCommand, ReportsEveryFaultOfABadSchedule) {
  WriteTestFile("bad.sched",
                "stagecraft schedule 1\n"
                "shape ranks 1 stages 1 microbatches 2\n"
                "place 0: 0\n"
                "rank 0 0B0@0 0F0@0 0F1@0 0S@0\n");
  const Outcome outcome = Stagecraft("check bad.sched");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.out.find("ok"), std::string::npos) << outcome.out;
  // Backward before its forward, and micro-batch 1 has no backward.
  EXPECT_NE(outcome.err.find("0B0"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("(0F1@0): error: lacks its backward"), std::string::npos)
      << outcome.err;
}

TEST(CheckCommand, TextThatCannotBeParsedIsBadUsage) {
  WriteTestFile("broken.sched",
                "stagecraft schedule 1\n"
                "shape ranks 1 stages 1 microbatches 1\n"
                "place 0: 0\n"
                "rank 0 0F0@0 3X1\n");
  const Outcome outcome = Stagecraft("check broken.sched");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(outcome.err.rfind("broken.sched:4:14: error: expected an op, got '3X1'", 0), 0U)
      << outcome.err;
  EXPECT_EQ(Stagecraft("check /no/such/file").code, 2);
  WriteTestFile("empty.sched", "");
  EXPECT_EQ(Stagecraft("check empty.sched").code, 2);
}

TEST(CheckCommand, LimitsNameTheStageTheFigureAndTheFlag) {
  // PipeDream on 4 ranks: D - r weight copies and activation sets, staleness D - 1 - r.
  const std::string arguments = "check pipedream -p 4 -m 16 ";
  EXPECT_EQ(Stagecraft(arguments + "--max-slots 4 --max-staleness 3 --max-activations 4").code, 0);

  const Outcome slots = Stagecraft(arguments + "--max-slots 3");
  EXPECT_EQ(slots.code, 1);
  EXPECT_EQ(slots.err, "stage 0: error: 4 weight copies; expected at most 3 (--max-slots)\n");

  const Outcome staleness = Stagecraft(arguments + "--max-staleness 1");
  EXPECT_EQ(staleness.code, 1);
  EXPECT_EQ(staleness.err,
            "stage 0: error: 3 updates missed; expected at most 1 (--max-staleness)\n"
            "stage 1: error: 2 updates missed; expected at most 1 (--max-staleness)\n");

  const Outcome sets = Stagecraft(arguments + "--max-activations 3");
  EXPECT_EQ(sets.code, 1);
  EXPECT_EQ(sets.err,
            "stage 0: error: 4 activation sets; expected at most 3 (--max-activations)\n");
}

// The end of a log must not look green.
TEST(CheckCommand, TheLastLineAfterALimitSaysFailed) {
  const Outcome both = Stagecraft("check pipedream -p 4 -m 16 --max-slots 3 --max-staleness 1");
  EXPECT_EQ(both.code, 1);
  EXPECT_EQ(both.out,
            "eager       ok\nrendezvous  ok\nblocking    ok\n"
            "limits      failed: --max-staleness, --max-slots\n");
  const Outcome log = Shell("stagecraft check pipedream -p 4 -m 16 --max-slots 3 2>&1");
  EXPECT_TRUE(
      log.out.ends_with("stage 0: error: 4 weight copies; expected at most 3 (--max-slots)\n"
                        "limits      failed: --max-slots\n"))
      << log.out;
}

TEST(CheckCommand, MemoryIsThatOfARankInBytes) {
  // GPipe keeps 4 sets of 1 MB, 1F1B on rank 0 of 2 ranks 2; the weights of 10 MB are there once.
  const std::string sizes = " -p 2 -m 4 --activation 1MB --parameters 10MB --max-memory 13MB";
  EXPECT_EQ(Stagecraft("check 1f1b" + sizes).code, 0);
  const Outcome gpipe = Stagecraft("check gpipe" + sizes);
  EXPECT_EQ(gpipe.code, 1);
  EXPECT_EQ(gpipe.err,
            "rank 0: error: 14 MB at most at one time; expected at most 13 MB (--max-memory)\n"
            "rank 1: error: 14 MB at most at one time; expected at most 13 MB (--max-memory)\n");
  EXPECT_TRUE(gpipe.out.ends_with("limits      failed: --max-memory\n")) << gpipe.out;

  const Outcome unknown = Stagecraft("check gpipe --max-memory 13MB");
  EXPECT_EQ(unknown.code, 2);
  EXPECT_EQ(unknown.err,
            "--max-memory: error: needs --profile, or --activation, --boundary and --parameters\n");
  EXPECT_EQ(Stagecraft("check 1f1b --profile vgg16 --stages 4 --max-memory 1TB").code, 0);
}

// Two layers of 3 and 1 ms; B has twice that.
TEST(CheckCommand, ShowsTheCutThatALimitOfMemoryRestsOn) {
  WriteTestFile("two.profile.json",
                R"({"format": "stagecraft-profile", "version": 1, "microbatch_sizes": [1],
                    "layers": [{"name": "a", "forward_ns": 3000000, "backward_ns": 6000000},
                               {"name": "b", "forward_ns": 1000000, "backward_ns": 2000000}]})");
  const std::string arguments = "check 1f1b gpipe -p 2 -m 2 --profile two.profile.json ";
  const Outcome outcome = Stagecraft(arguments + "--max-memory 1GB");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(outcome.out.starts_with(
      "1f1b:\ncut by time (forward + backward, at equal speeds): the busiest rank takes 9 ms for a "
      "micro-batch, and no cut takes less\n"
      "stage  first layer  last layer"))
      << outcome.out;
  EXPECT_EQ(Stagecraft(arguments).out.find("cut by time"), std::string::npos);

  const nlohmann::json json =
      nlohmann::json::parse(Stagecraft(arguments + "--max-memory 1GB --json").out);
  EXPECT_EQ(json["schedules"][1]["cut"][1]["first_name"], "b");
  EXPECT_EQ(json["schedules"][1]["cut"][1]["forward_ns"], 1'000'000);
  EXPECT_TRUE(
      nlohmann::json::parse(Stagecraft(arguments + "--json").out)["schedules"][0]["cut"].is_null());
  const nlohmann::ordered_json schema = nlohmann::ordered_json::parse(
      ReadTestFile(STAGECRAFT_SOURCE_DIR "/tools/schemas/check.schema.json"));
  EXPECT_EQ(test::SchemaCheck(schema).Faults(nlohmann::ordered_json::parse(
                Stagecraft(arguments + "--max-memory 1GB --json").out)),
            std::vector<std::string>{});
}

TEST(CheckCommand, SaysThatCostsPerHasNoCosts) {
  for (const char* command : {"check 1f1b", "show 1f1b", "generate 1f1b", "simulate 1f1b",
                              "validate 1f1b -p 2 -m 2 --rehearse --runs 1"}) {
    EXPECT_EQ(Stagecraft(std::string(command) + " --costs-per rank").err,
              "--costs-per: warning: has no effect on 1f1b: no flag gives any costs\n")
        << command;
  }
  EXPECT_EQ(Stagecraft("show 1f1b --costs-per rank --activation 1MB").err, "");
}

constexpr const char* kBad =
    "stagecraft schedule 1\nshape ranks 1 stages 1 microbatches 1\nplace 0: 0\n"
    "rank 0 0B0@0 0F0@0 0S@0\n";

TEST(CheckCommand, SendModesDoNotRepeatWhatHasNothingToDoWithThem) {
  WriteTestFile("bad.sched", kBad);
  EXPECT_EQ(Stagecraft("check bad.sched").out,
            "eager       1 error: forward-first\nrendezvous  the same\nblocking    the same\n");
  // Rank 0's sends wait for rank 1's receives, and the other way round: only with blocking sends.
  WriteTestFile("both.sched",
                "stagecraft schedule 1\nshape ranks 2 stages 3 microbatches 2\n"
                "place 0: 0 2\nplace 1: 1\n"
                "rank 0 0F0@0 0SEND_F0 2RECV_F0 2F0@0 2B0@0 2S@0 0S@0\nrank 1 1F0@0\n");
  const std::string out = Stagecraft("check both.sched").out;
  EXPECT_NE(out.find("\nrendezvous  the same"), std::string::npos) << out;
}

TEST(CheckCommand, TakesSeveralAndEndsAsTheWorst) {
  WriteTestFile("bad.sched", kBad);
  ASSERT_EQ(Stagecraft("generate gpipe -p 2 -m 2 -o good.sched").code, 0);
  const Outcome outcome = Stagecraft("check good.sched bad.sched 1f1b -p 4");
  EXPECT_EQ(outcome.code, 1);
  const std::string good = "eager       ok\nrendezvous  ok\nblocking    ok\n";
  EXPECT_EQ(outcome.out,
            "good.sched:\n" + good +
                "bad.sched:\neager       1 error: forward-first\nrendezvous  the same\n"
                "blocking    the same\n1f1b:\n" +
                good);
  EXPECT_EQ(Stagecraft("check good.sched 1f1b").code, 0);

  // What can't be read keeps the others from nothing.
  const Outcome missing = Stagecraft("check /no/such.sched bad.sched good.sched");
  EXPECT_EQ(missing.code, 2);
  EXPECT_TRUE(missing.out.starts_with("/no/such.sched:\ncannot be read\nbad.sched:\n"))
      << missing.out;
  EXPECT_TRUE(missing.out.ends_with("good.sched:\n" + good)) << missing.out;
  EXPECT_EQ(Stagecraft("check - -").code, 2);
}

TEST(CheckCommand, PrintsJson) {
  WriteTestFile("bad.sched", kBad);
  WriteTestFile("broken.sched", "stagecraft schedule 1\nranks 3\n");
  const Outcome outcome =
      Stagecraft("check pipedream bad.sched broken.sched -p 4 -m 16 --max-slots 3 --json");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(outcome.err, "");
  const nlohmann::json json = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(json["format"], "stagecraft-check");
  EXPECT_EQ(json["ok"], false);
  EXPECT_EQ(json["send"], "eager");

  const nlohmann::json& limited = json["schedules"][0];
  EXPECT_EQ(limited["schedule"], "pipedream");
  EXPECT_EQ(limited["exit_code"], 1);
  EXPECT_EQ(limited["send_modes"],
            (nlohmann::json{{"eager", true}, {"rendezvous", true}, {"blocking", true}}));
  EXPECT_EQ(limited["fingerprint"].get<std::string>().size(), 16U);
  EXPECT_EQ(limited["diagnostics"],
            (nlohmann::json{{{"severity", "error"},
                             {"rule", "max-slots"},
                             {"where", "stage 0"},
                             {"message", "4 weight copies; expected at most 3 (--max-slots)"}}}));

  EXPECT_EQ(json["schedules"][1]["exit_code"], 1);
  EXPECT_EQ(json["schedules"][1]["send_modes"]["blocking"], false);
  EXPECT_EQ(json["schedules"][1]["diagnostics"][0]["rule"], "forward-first");
  EXPECT_EQ(json["schedules"][2]["exit_code"], 2);
  EXPECT_EQ(json["schedules"][2]["send_modes"], nullptr);
  EXPECT_EQ(json["schedules"][2]["fingerprint"], nullptr);
  EXPECT_EQ(json["schedules"][2]["diagnostics"][0]["where"], "broken.sched:2:1");
}

TEST(CheckCommand, RecognisesOldTorchFiles) {
  WriteTestFile("old.csv", "0F0,0F1,0B0,0W0,0B1,0W1\n1F0,1B0,1F1,1W0,1B1,1W1\n");
  const Outcome outcome = Stagecraft("check old.csv");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(
      outcome.err.rfind("old.csv, rank 0, cell 4 (0W0): error: '0W0' beside '0B0': files from "
                        "before torch renamed its actions",
                        0),
      0U)
      << outcome.err;

  // What it says how to convert it with makes a file of today.
  const Outcome converted = Shell(
      "sed -E 's/([0-9])B([0-9])/\\1I\\2/g; s/BW/B/g' old.csv >new.csv && stagecraft check "
      "new.csv");
  EXPECT_EQ(converted.code, 0) << converted.err;

  WriteTestFile("older.csv", "0F0,0BW0,0F1,0B1,0W1\n");
  EXPECT_EQ(Stagecraft("check older.csv").code, 2);
  EXPECT_EQ(Shell("sed -E 's/([0-9])B([0-9])/\\1I\\2/g; s/BW/B/g' older.csv >newer.csv && "
                  "stagecraft check newer.csv")
                .code,
            0);
}

TEST(CheckCommand, WarnsWhereABackwardReadsOtherWeights) {
  const Outcome outcome = Stagecraft("check async-1f1b -p 4 -m 16");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_NE(outcome.err.find("warning:"), std::string::npos) << outcome.err;
  EXPECT_EQ(Stagecraft("check 1f1b").err, "");
}

TEST(CheckCommand, ReadsStandardInput) {
  const Outcome outcome = Shell("stagecraft generate gpipe | stagecraft check -");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
}

TEST(CheckCommand, SizesAreForGeneratedSchedules) {
  ASSERT_EQ(Stagecraft("generate gpipe -o a.sched").code, 0);
  const Outcome outcome = Stagecraft("check a.sched -p 4");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(outcome.err, "-p: error: is for schedules that are generated, but a.sched is a file\n");
}

}  // namespace
}  // namespace stagecraft
