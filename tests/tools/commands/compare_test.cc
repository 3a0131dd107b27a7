#include <cstdlib>
#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "schedules/registry.h"
#include "tests/tools/program.h"
#include "tests/tools/schema_check.h"

namespace stagecraft {
namespace {

using Json = nlohmann::ordered_json;

const char* const kInline =
    "compare gpipe pipedream pipedream-2bw spectrain pipeoptim --stages 4 -m 8 -n 4 --forward 1ms "
    "--backward 2ms --activation 10MB --parameters 100MB";

Json Compare(const std::string& arguments) {
  const Outcome outcome = Stagecraft(arguments + " --format json");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  return outcome.code == 0 ? Json::parse(outcome.out) : Json();
}

TEST(CompareCommand, PrintsOneRowPerApproach) {
  const Outcome outcome = Stagecraft(kInline);
  ASSERT_EQ(outcome.code, 0) << outcome.err;

  // All take F + B = 3 ms per micro-batch: GPipe (8 + 3) * 3 ms per batch of 8, the others
  // (32 + 3) * 3 ms for all 32. Rank 0 of PipeDream holds 4 copies of 100 MB and 4 sets of 10 MB.
  const char* const table =
      "| approach      | samples/s | relative | bubble | window | peak memory | weight copies | "
      "activation sets | staleness |   nominal |\n"
      "|:--------------|----------:|---------:|-------:|-------:|------------:|--------------:|"
      "----------------:|----------:|----------:|\n"
      "| gpipe         |     242.4 |    1.000 | 27.3 % | 27.3 % |      180 MB |       1,1,1,1 |"
      "         8,8,8,8 |   0,0,0,0 |   0,0,0,0 |\n"
      "| pipedream     |     304.8 |    1.257 |  8.6 % |  8.6 % |      440 MB |       4,3,2,1 |"
      "         4,3,2,1 |   3,2,1,0 |   3,2,1,0 |\n"
      "| pipedream-2bw |     304.8 |    1.257 |  8.6 % |  8.6 % |      240 MB |       2,2,2,2 |"
      "         4,3,2,1 |   1,1,1,1 |   1,1,1,1 |\n"
      "| spectrain     |     304.8 |    1.257 |  8.6 % |  8.6 % |      240 MB |       2,2,2,2 |"
      "         4,3,2,1 |   3,2,1,0 | 0,0,-1,-1 |\n"
      "| pipeoptim     |     304.8 |    1.257 |  8.6 % |  8.6 % |      240 MB |       2,2,2,1 |"
      "         4,3,2,1 |   3,2,1,0 |   0,0,0,0 |\n";

  EXPECT_NE(outcome.out.find(table), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("unit micro-batch: every approach pipelines the same 4 x 8"),
            std::string::npos)
      << outcome.out;
}

TEST(CompareCommand, JsonIsWhatItsSchemaSaysAndHasNoNumberForUnlimited) {
  const Json schema =
      Json::parse(ReadTestFile(STAGECRAFT_SOURCE_DIR "/tools/schemas/compare.schema.json"));
  const Json unlimited = Compare(kInline);
  EXPECT_EQ(test::SchemaCheck(schema).Faults(unlimited), std::vector<std::string>{});
  EXPECT_TRUE(unlimited["settings"]["bandwidth_bytes_per_second"].is_null());
  const Json limited = Compare(std::string(kInline) + " --bandwidth 2GB/s");
  EXPECT_EQ(test::SchemaCheck(schema).Faults(limited), std::vector<std::string>{});
  EXPECT_EQ(limited["settings"]["bandwidth_bytes_per_second"], 2e9);
}

TEST(CompareCommand, AllThatCanBeGeneratedStandsInOneTable) {
  const Json json = Compare("compare --all -p 4 -m 8");
  ASSERT_EQ(json["rows"].size(), Generators().size());
  for (const Json& row : json["rows"]) {
    // The same model in every row: 32 batches of 8, 3 ms for each of its 4 parts, on up to 4 ranks.
    EXPECT_GE(row["makespan_ns"], 32 * 8 * 3'000'000) << row["approach"];
    EXPECT_GT(row["peak_bytes"], 100'000'000) << row["approach"];
  }
  EXPECT_EQ(json["rows"][5]["approach"], "interleaved-1f1b");
  EXPECT_EQ(json["rows"][5]["makespan_ns"], 32 * 28'500'000);
  EXPECT_EQ(json["notes"][0].get<std::string>().rfind("assumed per rank", 0), 0U);
}

// Before any row is run, and with the row's name: flags are of as many ranks as that has.
TEST(CompareCommand, SaysWhichRowValuesPerRankDoNotFit) {
  ASSERT_EQ(Stagecraft("generate 1f1b -p 3 -m 4 -o three.sched").code, 0);
  const std::string compare =
      "compare 1f1b gpipe three.sched -p 2 -m 4 -n 1 --unequal --activation 1MB --forward ";

  const auto expect = [&](const std::string& flags, const std::string& err) {
    const Outcome outcome = Stagecraft(compare + flags);
    EXPECT_EQ(outcome.code, 2) << flags;
    EXPECT_EQ(outcome.out, "") << flags;
    EXPECT_EQ(outcome.err, err);
  };

  // Memory, speed and durations are each given per rank or stage.
  expect("1ms --memory 1GB,1GB",
         "three.sched: --memory: error: expected 1 value, or 3 for 3 ranks, got 2\n");
  expect("1ms --memory 1GB,1GB,1GB",
         "1f1b, gpipe: --memory: error: expected 1 value, or 2 for 2 ranks, got 3\n");
  expect("1ms --speed 2=0.5", "1f1b, gpipe: --speed: error: expected a rank from 0 to 1, got 2\n");
  EXPECT_EQ(Stagecraft("compare gpipe zb-auto -p 4 -m 4 --memory 1GB,1GB --activation 1MB").err,
            "zb-auto: --memory: error: expected 1 value, or 4 for 4 ranks, got 2\n");
  expect("1ms,1ms,1ms",
         "1f1b, gpipe: --forward: error: expected 1 value, or 2 for 2 stages, got 3\n");
}

TEST(CompareCommand, WhatCannotBeGeneratedForThatShapeIsLeftOut) {
  const Outcome outcome = Stagecraft("compare --all -p 3 -m 6 --forward 1ms --backward 2ms");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("chimera: warning: 3 ranks; expected an even -p, two directions over "
                             "the same ranks; left out\n"),
            std::string::npos)
      << outcome.err;
  EXPECT_EQ(outcome.out.find("| chimera"), std::string::npos);
  EXPECT_NE(outcome.out.find("| dualpipe-v"), std::string::npos);
  EXPECT_EQ(Stagecraft("compare").err,
            "NAME|FILE: error: expected what to compare, or --all; see `stagecraft schedules`\n");
  EXPECT_EQ(Stagecraft("compare --all gpipe").code, 2);
}

TEST(CompareCommand, CostsOfPartsAreSplitOrAddedUp) {
  const Json json = Compare(
      "compare data-parallel gpipe breadth-first -p 2 -m 2 -n 1 --forward 1ms,3ms --backward "
      "2ms,6ms");
  EXPECT_EQ(json["rows"][0]["makespan_ns"], 12'000'000);  // One stage of both.
  EXPECT_EQ(json["rows"][1]["makespan_ns"], (1 + 2 * 3 + 2 * 6 + 2) * 1'000'000);
  // Stages of 0.5, 0.5, 1.5 and 1.5 ms: ranks are busy for 2 x 2 ms and 2 x 4 ms of F and B.
  EXPECT_GE(json["rows"][2]["makespan_ns"], 12'000'000);
  EXPECT_LT(json["rows"][2]["makespan_ns"], json["rows"][1]["makespan_ns"]);
}

TEST(CompareCommand, ALimitThatIsTooLowLeavesOut) {
  const Outcome outcome = Stagecraft("compare --all -p 4 -m 8 --limit 1MB");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(
      outcome.err.find("zb-auto: warning: a --limit of 1000000 bytes, but one micro-batch keeps "
                       "100000000 on rank 0; expected at least that; left out"),
      std::string::npos)
      << outcome.err;
  EXPECT_EQ(Stagecraft("compare --all -p 4 -m 8 --chunks 70").code, 0);
}

TEST(CompareCommand, SearchesForTheCostsThatAreCompared) {
  const Outcome outcome = Stagecraft(
      "compare zb-auto -p 8 -m 24 -n 1 --limit 2p --forward 18.522ms --backward-input 18.086ms "
      "--backward-weight 9.337ms --latency 0.601ms --activation 201216 --released 127488 "
      "--format json");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  // Published for ZB-2p: 0.0433.
  EXPECT_LT(Json::parse(outcome.out)["rows"][0]["window_bubble"], 0.0438);
  EXPECT_NE(outcome.err.find("zb-auto: a batch takes 1.153 s within the window of the worst rank; "
                             "no order within the limit takes less than "),
            std::string::npos)
      << outcome.err;
  EXPECT_NE(outcome.err.find(" orders tried)\n"), std::string::npos) << outcome.err;
}

TEST(CompareCommand, SaysWhichOrderIsOptimal) {
  const Outcome outcome = Stagecraft("compare zb-auto -p 2 -m 2 -n 1 --forward 1ms --backward 2ms");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  // Rank 0 works for 6 ms and waits for 1 ms: I0 of rank 1 ends at 3 ms, and only F0 and F1 can run
  // before it.
  EXPECT_NE(outcome.err.find("zb-auto: optimal: a batch takes 7 ms within the window of the worst "
                             "rank, which equals the lower bound ("),
            std::string::npos)
      << outcome.err;
}

TEST(CompareCommand, UnitBatchLetsWholeBatchesThrough) {
  const Json json = Compare(std::string(kInline) + " --unit batch");
  EXPECT_EQ(json["unit"], "batch");

  // GPipe and 2BW split 4 batches into 8; PipeDream pipelines 4 wholes of 8 samples: (4 + 3)
  // steps of 24 ms. 2BW updates once per batch.
  EXPECT_EQ(json["rows"][0]["microbatches"], 32);
  EXPECT_EQ(json["rows"][0]["microbatch_size"], 1.0);
  EXPECT_EQ(json["rows"][1]["microbatches"], 4);
  EXPECT_EQ(json["rows"][1]["microbatch_size"], 8.0);
  EXPECT_EQ(json["rows"][1]["makespan_ns"], 168'000'000);

  // In four batches stage 0 never needs more than 2 versions; stage 1 holds 3, and 3 sets.
  EXPECT_EQ(json["rows"][1]["peak_bytes"], 3 * 80'000'000 + 3 * 100'000'000);
  EXPECT_EQ(json["rows"][2]["microbatches"], 32);
  EXPECT_EQ(json["rows"][2]["makespan_ns"], 105'000'000);

  // The same work: 32 samples.
  for (const Json& row : json["rows"]) {
    EXPECT_EQ(row["microbatches"].get<double>() * row["microbatch_size"].get<double>(), 32);
  }

  EXPECT_NE(Stagecraft(std::string(kInline) + " --unit batch")
                .out.find("unit batch: 4 batches of "
                          "8 samples"),
            std::string::npos);
}

TEST(CompareCommand, CsvNamesUnits) {
  const Outcome outcome = Stagecraft(std::string(kInline) + " --format csv");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(
      outcome.out.rfind("approach,unit,ranks,stages,microbatches,microbatch_size_samples,", 0), 0U)
      << outcome.out;
  EXPECT_NE(outcome.out.find("\npipedream,microbatch,4,4,32,1,105000000,"), std::string::npos)
      << outcome.out;
}

TEST(CompareCommand, AnOptionGoesToThoseThatTakeIt) {
  const Json json = Compare("compare gpipe pipedream -p 4 -m 8 --vertical-sync");
  EXPECT_EQ(json["rows"][1]["weight_slots"], (Json{4, 4, 4, 4}));
  const Outcome outcome = Stagecraft("compare gpipe 1f1b --vertical-sync");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_NE(outcome.err.find("does not take --vertical-sync"), std::string::npos) << outcome.err;
}

TEST(CompareCommand, TakesFilesToo) {
  ASSERT_EQ(Stagecraft("generate gpipe -p 2 -m 8 -n 32 -o mine.sched").code, 0);
  const Json json = Compare("compare gpipe mine.sched -p 2 --forward 1ms");
  EXPECT_EQ(json["rows"][0]["makespan_ns"], json["rows"][1]["makespan_ns"]);
  EXPECT_EQ(json["rows"][1]["approach"], "mine.sched");
}

// One op list, one row: by name, as our file and as torch's, with costs given and assumed.
TEST(CompareCommand, AListHasTheSameFiguresByNameAndAsAFile) {
  for (const char* const name : {"interleaved-1f1b", "zb-v", "data-parallel", "chimera",
                                 "sequential", "pipedream", "dualpipe", "greedy"}) {
    const std::string file = std::string(name) + ".sched";
    ASSERT_EQ(Stagecraft(std::string("generate ") + name + " -p 4 -m 8 -n 2 -o " + file).code, 0);

    for (const char* const costs :
         {"", " --forward 1ms --backward 2ms --activation 100MB --parameters 100MB",
          " --profile vgg16"}) {
      const Json rows =
          Compare(std::string("compare ") + name + " " + file + " -p 4 -m 8 -n 2" + costs)["rows"];
      Json by_name = rows[0];
      Json by_file = rows[1];
      by_name.erase("approach");
      by_file.erase("approach");
      EXPECT_EQ(by_name, by_file) << name << costs;
    }
  }

  // Of a file of torch's, only the time has to be the same.
  ASSERT_EQ(Stagecraft("convert zb-v -p 4 -m 8 v.csv").code, 0);
  const Json rows = Compare("compare zb-v v.csv -p 4 -m 8 -n 1 2>/dev/null")["rows"];
  EXPECT_EQ(rows[0]["makespan_ns"], rows[1]["makespan_ns"]);
}

TEST(CompareCommand, CostsPerStageAreThoseOfSimulate) {
  const std::string arguments = " interleaved-1f1b -p 4 -m 8 -n 2 --forward 1ms --backward 2ms";
  const Json run = Json::parse(Stagecraft("simulate" + arguments + " --json").out);
  EXPECT_EQ(Compare("compare --costs-per stage" + arguments)["rows"][0]["makespan_ns"],
            run["makespan_ns"]);
  const Json per_rank = Json::parse(Stagecraft("simulate --costs-per rank --json" + arguments).out);
  EXPECT_EQ(Compare("compare" + arguments)["rows"][0]["makespan_ns"], per_rank["makespan_ns"]);
}

TEST(CompareCommand, RefusesUnequalWorkAndSaysWhatToGive) {
  ASSERT_EQ(Stagecraft("generate 1f1b -p 3 -m 6 -o mine.sched").code, 0);
  const Outcome unequal = Stagecraft("compare mine.sched 1f1b -p 3 -m 6");
  EXPECT_EQ(unequal.code, 2);
  EXPECT_EQ(unequal.out, "");
  EXPECT_EQ(unequal.err,
            "mine.sched: error: 6 samples on 3 ranks, beside 192 samples on 3 ranks of 1f1b: not "
            "the same work; expected --repeat 32, or --unequal to see both\n");
  EXPECT_NE(Stagecraft("compare mine.sched 1f1b -m 6 -n 1").err.find("expected -p 3"),
            std::string::npos);

  const Json rows = Compare("compare mine.sched 1f1b -p 3 -m 6 --repeat 32")["rows"];
  EXPECT_EQ(rows[0]["makespan_ns"], rows[1]["makespan_ns"]);
  const Outcome shown = Stagecraft("compare mine.sched 1f1b -p 3 -m 6 --unequal");
  EXPECT_EQ(shown.code, 0);
  EXPECT_NE(shown.out.find("| approach   | micro-batches |"), std::string::npos) << shown.out;
}

TEST(CompareCommand, SaysOfFilesAloneWhatTheyAre) {
  WriteTestFile("two.csv", "0F0,0F1,0F2,0B0,0B1,0B2\n1F0,1B0,1F1,1B1,1F2,1B2\n");
  const Json settings = Compare("compare two.csv --forward 1ms")["settings"];
  EXPECT_EQ(settings["ranks"], 2);
  EXPECT_TRUE(settings["microbatches"].is_null());
  EXPECT_NE(Stagecraft("compare two.csv --forward 1ms")
                .out.find("every file pipelines 3 micro-batches of 1 sample"),
            std::string::npos);
}

TEST(CompareCommand, SaysWhichOptionsAndCostsDoNotApplyToWhom) {
  const Outcome outcome = Stagecraft(
      "compare gpipe 1f1b -p 4 -m 8 --forward 1ms --backward 2ms --recompute 1ms --checkpoint all");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_NE(outcome.out.find("note: --checkpoint does not apply to 1f1b\n"), std::string::npos);
  EXPECT_EQ(outcome.err,
            "--recompute: warning: has no effect on 1f1b: there is no recomputation (R)\n");
}

TEST(CompareCommand, MarksWhatDoesNotFitIntoMemory) {
  const Json rows = Compare(
      "compare gpipe 1f1b -p 4 -m 8 --activation 100MB --parameters 100MB --memory 500MB")["rows"];
  EXPECT_EQ(rows[0]["fits"], false);
  EXPECT_EQ(rows[1]["fits"], true);
  const Outcome outcome = Stagecraft("compare gpipe 1f1b -p 4 -m 8 --memory 500MB");
  EXPECT_NE(outcome.out.find("| fits |"), std::string::npos);
}

TEST(CompareCommand, ShowsEveryCutOnceWithThoseThatHaveIt) {
  const Outcome outcome = Stagecraft("compare gpipe 1f1b zb-v -p 4 -m 8 --profile vgg16");
  EXPECT_NE(outcome.out.find("\ngpipe, 1f1b: cut by time"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("\nzb-v: cut by time"), std::string::npos) << outcome.out;
}

// The baseline of an earlier version lacks keys of today: that is no change.
TEST(CompareCommand, ABaselineThatLacksKeysIsComparedByWhatItHas) {
  Json before = Compare(kInline);
  for (Json& row : before["rows"]) {
    row.erase("ranks");
    row.erase("fits");
    row.erase("cut");
  }
  before["settings"]["bandwidth_bytes_per_second"] = 0.0;
  WriteTestFile("before.json", before.dump());
  const Outcome outcome = Stagecraft(std::string(kInline) + " --baseline before.json");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.err,
            "before.json: warning: does not have fits, ranks, which were not compared; write it "
            "anew with --format json\n");
}

TEST(CompareCommand, RefusesUnknownApproaches) {
  const Outcome outcome = Stagecraft("compare gpipe pipedreem");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(outcome.err,
            "error: 'pipedreem' is neither a file nor the name of a schedule; did you mean "
            "'pipedream'?\n");
}

TEST(CompareCommand, ABaselineOfTheSameFiguresIsFine) {
  WriteTestFile("old.json", Stagecraft(std::string(kInline) + " --format json").out);
  const Outcome outcome = Stagecraft(std::string(kInline) + " --baseline old.json");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.err, "");
}

TEST(CompareCommand, ABaselineNamesWhatChangedAndExitsWithOne) {
  WriteTestFile("old.json", Stagecraft(std::string(kInline) + " --format json").out);
  const Outcome outcome = Stagecraft(std::string(kInline) + " --step 1ns --baseline old.json");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.out, "");
  // GPipe: a step at the end of each of 4 batches.
  EXPECT_NE(outcome.err.find("old.json: error: gpipe: makespan_ns was 132000000, is 132000004 "
                             "(+3.03e-06 %)\n"),
            std::string::npos)
      << outcome.err;
}

TEST(CompareCommand, ABrokenBaselineIsBadUsage) {
  WriteTestFile("old.json", "{");
  const Outcome outcome = Stagecraft(std::string(kInline) + " --baseline old.json");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(Stagecraft(std::string(kInline) + " --baseline /no/such").code, 2);
}

/// Comparisons whose figures are committed: any change of a simulated figure must be deliberate.
struct Golden {
  const char* file;
  const char* arguments;
};

void PrintTo(const Golden& golden, std::ostream* out) {
  *out << golden.file;
}

class CompareGolden : public testing::TestWithParam<Golden> {};

TEST_P(CompareGolden, FiguresEqualTheCommittedBaseline) {
  const std::string file = std::string(STAGECRAFT_SOURCE_DIR "/tests/golden/") + GetParam().file;
  const std::string arguments = std::string("compare ") + GetParam().arguments;
  if (std::getenv("STAGECRAFT_UPDATE_GOLDEN") != nullptr) {
    ASSERT_EQ(Shell("stagecraft " + arguments + " --format json >'" + file + "'").code, 0);
  }
  const Outcome outcome = Stagecraft(arguments + " --baseline '" + file + "'");
  EXPECT_EQ(outcome.code, 0) << outcome.err
                             << "STAGECRAFT_UPDATE_GOLDEN=1 rewrites it; review the diff";
}

INSTANTIATE_TEST_SUITE_P(
    All, CompareGolden,
    testing::Values(
        Golden{"compare-vgg16.json",
               "gpipe 1f1b pipedream pipedream-2bw spectrain xpipe pipeoptim pipemare --profile "
               "vgg16 --stages 4 --microbatch-size 16 --bandwidth 100GB/s --latency 10us"},
        Golden{"compare-gnmt-batch.json",
               "gpipe pipedream pipedream-2bw spectrain pipeoptim --profile gnmt --stages 4 "
               "--microbatch-size 8 -n 64 --bandwidth 10GB/s --latency 10us --unit batch --send "
               "rendezvous"},
        Golden{"compare-resnet50.json",
               "model-parallel gpipe 1f1b async-1f1b pipelined-backprop --profile resnet50 "
               "--stages 3 -m 12 -n 5 --microbatch-size 32 --bandwidth 1GB/s --speed 1=0.5"}));

}  // namespace
}  // namespace stagecraft
