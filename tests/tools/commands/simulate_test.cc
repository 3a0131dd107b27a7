#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/tools/program.h"
#include "tests/tools/schema_check.h"

namespace stagecraft {
namespace {

using Json = nlohmann::ordered_json;

Json Simulate(const std::string& arguments) {
  const Outcome outcome = Stagecraft("simulate " + arguments + " --json");
  EXPECT_EQ(outcome.code, 0) << arguments << "\n" << outcome.err;
  return outcome.code == 0 ? Json::parse(outcome.out) : Json();
}

std::int64_t MakespanOf(const std::string& arguments) {
  return Simulate(arguments).at("makespan_ns").get<std::int64_t>();
}

std::vector<std::string> Keys(const Json& object) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : object.items()) {
    keys.push_back(key);
  }
  return keys;
}

using Strings = std::vector<std::string>;

TEST(SimulateCommand, JsonHasExactlyTheDocumentedKeys) {
  const Json json = Simulate("pipeoptim -p 4 -m 8 --forward 1ms --backward 2ms");
  EXPECT_EQ(Keys(json), (Strings{"format", "version", "makespan_ns", "bubble", "window_bubble",
                                 "samples_per_second", "cycle_ns", "ops", "ranks", "stages", "fits",
                                 "cut", "derived_costs", "topology", "schedule"}));
  EXPECT_EQ(json["format"], "stagecraft-simulation");
  EXPECT_EQ(json["version"], 1);

  ASSERT_EQ(json["ranks"].size(), 4U);
  EXPECT_EQ(Keys(json["ranks"][0]),
            (Strings{"rank", "busy_ns", "bubble", "idle_ns", "peak_bytes", "peak_op"}));
  EXPECT_EQ(Keys(json["ranks"][0]["idle_ns"]),
            (Strings{"warm_up", "transfer", "dependency", "cool_down"}));

  ASSERT_EQ(json["stages"].size(), 4U);
  EXPECT_EQ(Keys(json["stages"][0]),
            (Strings{"stage", "weight_slots", "staleness_steady", "staleness_max",
                     "staleness_histogram", "nominal_staleness_steady", "activation_sets_peak"}));
  EXPECT_EQ(Keys(json["schedule"]), (Strings{"name", "fingerprint", "lowered_fingerprint"}));
  EXPECT_TRUE(json["derived_costs"].is_array());
}

TEST(SimulateCommand, JsonIsWhatItsSchemaSays) {
  const Json schema =
      Json::parse(ReadTestFile(STAGECRAFT_SOURCE_DIR "/tools/schemas/simulate.schema.json"));

  for (const char* const arguments :
       {"pipeoptim -p 4 -m 8 --forward 1ms --backward 2ms --ops", "zb-v -p 2 -m 4 --ops",
        "dualpipe -p 2 -m 4 --forward 1ms --joined 2ms --ops", "sequential -p 1 -m 1 --ops",
        "1f1b -p 2 -m 4 --bandwidth 1GB/s --boundary 1MB --speed 1=0.5 --send blocking",
        "gpipe -p 2 -m 2 --checkpoint all --ops", "data-parallel -p 2 -m 2 --ops"}) {
    const Json json = Simulate(arguments);
    EXPECT_EQ(test::SchemaCheck(schema).Faults(json), Strings{}) << arguments;

    // The schema refuses what it does not know, too.
    Json broken = json;
    broken["makespan_ns"] = -1;
    broken["more"] = 1;
    EXPECT_EQ(test::SchemaCheck(schema).Faults(broken).size(), 2U) << arguments;
  }
}

// 2 ranks, 1 micro-batch, F = 1 ms, B = 2 ms, a boundary of 1 MB at 1 GB/s: F0 on rank 0 ends at 1,
// the tensor arrives at 2, rank 1 is done at 5, its gradient arrives at 6, and the step ends at 8.
TEST(SimulateCommand, JsonHasTheTimesOfEveryOp) {
  const Json json = Simulate(
      "1f1b -p 2 -m 1 --forward 1ms --backward 2ms --boundary 1MB --bandwidth 1GB/s --ops");

  std::string text;
  for (const Json& op : json.at("op_times")) {
    text += op["op"].get<std::string>() + " " + op["rank"].dump() + " " + op["start_ns"].dump() +
            ".." + op["end_ns"].dump() + "\n";
  }
  EXPECT_EQ(text,
            "0F0@0 0 0..1000000\n"
            "0SEND_F0 0 1000000..1000000\n"
            "0RECV_B0 0 1000000..1000000\n"
            "0B0@0 0 6000000..8000000\n"
            "0S@0 0 8000000..8000000\n"
            "1RECV_F0 1 0..0\n"
            "1F0@0 1 2000000..3000000\n"
            "1B0@0 1 3000000..5000000\n"
            "1SEND_B0 1 5000000..5000000\n"
            "1S@0 1 5000000..5000000\n");

  // Every kind of op has its own fields.
  EXPECT_EQ(json["op_times"][0],
            Json::parse(R"({"op": "0F0@0", "kind": "F", "rank": 0, "stage": 0, "microbatch": 0,
                            "version": 0, "horizon": 0, "start_ns": 0, "end_ns": 1000000})"));
  EXPECT_EQ(Keys(json["op_times"][1]),
            (Strings{"op", "kind", "rank", "stage", "microbatch", "start_ns", "end_ns"}));
  EXPECT_EQ(Keys(json["op_times"][4]),
            (Strings{"op", "kind", "rank", "stage", "version", "start_ns", "end_ns"}));

  EXPECT_EQ(json["transfers"],
            Json::parse(R"([{"send": "0SEND_F0", "recv": "1RECV_F0", "from_rank": 0, "to_rank": 1,
                             "bytes": 1000000, "start_ns": 1000000, "arrival_ns": 2000000},
                            {"send": "1SEND_B0", "recv": "0RECV_B0", "from_rank": 1, "to_rank": 0,
                             "bytes": 1000000, "start_ns": 5000000, "arrival_ns": 6000000}])"));
  EXPECT_EQ(json["ops"], json["op_times"].size());
}

TEST(SimulateCommand, TimesOfOpsAreOfTheJson) {
  EXPECT_EQ(Stagecraft("simulate 1f1b --ops").code, 2);
  EXPECT_FALSE(Simulate("1f1b").contains("op_times"));
}

TEST(SimulateCommand, UnlimitedBandwidthIsNoNumber) {
  EXPECT_TRUE(Simulate("1f1b")["topology"]["bandwidth_bytes_per_second"].is_null());
  EXPECT_EQ(Simulate("1f1b --bandwidth 2GB/s")["topology"]["bandwidth_bytes_per_second"], 2e9);
}

// A schedule has one name, whether its sends and receives are there yet or not.
TEST(SimulateCommand, ShowSimulateAndTracesPrintTheSameFingerprint) {
  ASSERT_EQ(Stagecraft("generate pipedream -p 2 -m 4 -o a.sched").code, 0);
  ASSERT_EQ(Stagecraft("generate pipedream -p 2 -m 4 --receive early -o b.sched").code, 0);
  ASSERT_EQ(Stagecraft("simulate a.sched --trace t.json").code, 0);

  const Json json = Simulate("a.sched")["schedule"];
  const std::string fingerprint = json["fingerprint"];
  const std::string lowered = json["lowered_fingerprint"];
  EXPECT_NE(fingerprint, lowered);
  const auto prints = [](const std::string& arguments, const std::string& text) {
    const std::string out = Stagecraft(arguments).out;
    EXPECT_NE(out.find(text), std::string::npos) << arguments << "\n" << out;
  };

  const std::string both = fingerprint + " (with its sends and receives " + lowered + ")";
  prints("show a.sched", "micro-batches, fingerprint " + fingerprint + "\n");
  prints("show b.sched", "micro-batches, fingerprint " + both + "\n");
  prints("simulate a.sched", "fingerprint " + both + "\n");
  prints("simulate b.sched", "fingerprint " + both + "\n");
  EXPECT_EQ(Simulate("b.sched")["schedule"], json);

  prints("compare a.sched --format csv", fingerprint);
  prints("compare b.sched --format csv", fingerprint);
  const Json trace = Json::parse(ReadTestFile(TestPath("t.json")))["otherData"];
  EXPECT_EQ(trace["fingerprint"], fingerprint);
  EXPECT_EQ(trace["lowered_fingerprint"], lowered);
}

TEST(SimulateCommand, DurationsHaveUnits) {
  // Rank 0 is the bottleneck: a micro-batch of 1 sample every 3 ms.
  const Outcome outcome = Stagecraft("simulate pipedream -p 2 -m 64 --forward 1ms --backward 2ms");
  EXPECT_NE(outcome.out.find("steady: 333.3 samples/s, a micro-batch every 3 ms\n"),
            std::string::npos)
      << outcome.out;
}

TEST(SimulateCommand, OneFOneBTakesWhatTheDesignDerives) {
  // 4 ranks, 8 micro-batches, F = 1 ms, B = 2 ms, hop latency 0.1 ms.
  const std::string arguments = "1f1b -p 4 -m 8 --forward 1ms --backward 2ms";
  EXPECT_EQ(MakespanOf(arguments), 33'000'000);  // (m + p - 1)(F + B) = 11 * 3
  EXPECT_EQ(MakespanOf(arguments + " --latency 0.1ms"), 34'600'000);
  EXPECT_EQ(MakespanOf(arguments + " --latency 0.1ms --send rendezvous --receive just-in-time"),
            34'900'000);
  EXPECT_EQ(MakespanOf("gpipe -p 4 -m 8 --forward 1ms --backward 2ms --latency 3ms"), 51'000'000);
}

TEST(SimulateCommand, BlockingSendsWithLateReceivesAreReportedAsADeadlock) {
  const Outcome outcome = Stagecraft(
      "simulate 1f1b -p 4 -m 8 --forward 1ms --backward 2ms --send blocking --receive "
      "just-in-time");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.out, "");
  EXPECT_NE(outcome.err.find("deadlock with blocking sends: waits for"), std::string::npos)
      << outcome.err;
}

TEST(SimulateCommand, FiguresOfOneRunFitTogether) {
  const Json json = Simulate(
      "1f1b -p 4 -m 8 --forward 1ms --backward 2ms --latency 0.1ms --activation 10MB "
      "--parameters 1GB --microbatch-size 16");

  // 16 samples * 8 in 34.6 ms.
  EXPECT_DOUBLE_EQ(json["samples_per_second"], 128 / 0.0346);
  EXPECT_DOUBLE_EQ(json["bubble"], 1 - 24 / 34.6);

  // Every nanosecond of a rank is busy, or idle for one cause.
  for (const Json& rank : json["ranks"]) {
    std::int64_t sum = rank["busy_ns"];
    for (const auto& [cause, idle] : rank["idle_ns"].items()) {
      sum += idle.get<std::int64_t>();
    }
    EXPECT_EQ(sum, json["makespan_ns"]);
  }

  // Rank 0: one weight copy and 4 activation sets; rank 3 holds one set.
  EXPECT_EQ(json["ranks"][0]["peak_bytes"], 1'040'000'000);
  EXPECT_EQ(json["ranks"][3]["peak_bytes"], 1'010'000'000);
  EXPECT_EQ(json["stages"][0]["activation_sets_peak"], 4);
  EXPECT_EQ(json["schedule"]["name"], "1f1b");
}

TEST(SimulateCommand, AnAsynchronousPipelineHasACycle) {
  const Json json = Simulate("pipedream -p 4 -m 64 --forward 1ms --backward 2ms");
  EXPECT_EQ(json["cycle_ns"], 3e6);
  EXPECT_EQ(json["stages"][0]["weight_slots"], 4);
  EXPECT_EQ(json["stages"][0]["staleness_steady"], 3);
  EXPECT_EQ(json["stages"][0]["staleness_histogram"],
            (Json{{"0", 1}, {"1", 1}, {"2", 1}, {"3", 61}}));
  EXPECT_EQ(Simulate("pipeoptim -p 4 -m 64 --forward 1ms")["stages"][0]["nominal_staleness_steady"],
            0);
}

TEST(SimulateCommand, EveryCostFlagChangesTheResult) {
  const std::string base = "-m 8 -p 4 --forward 1ms --backward 2ms ";
  const char* const cases[][2] = {
      {"pipeoptim", "--forward 2ms"},       {"pipeoptim", "--backward 3ms"},
      {"pipeoptim", "--step 1ms"},          {"pipeoptim", "--predict 1ms"},
      {"pipeoptim", "--latency 1ms"},       {"pipeoptim", "--bandwidth 1GB/s --boundary 1MB"},
      {"pipeoptim", "--speed 2=0.5"},       {"pipeoptim", "--forward 1ms,1ms,3ms,1ms"},
      {"data-parallel", "--allreduce 1ms"}, {"gpipe --checkpoint all", "--recompute 3ms"}};

  // A flag that replaces a duration of the base must not stand beside it.
  for (const auto& [name, flags] : cases) {
    const std::string name_text = name;
    const std::string flag_text = flags;
    const bool replaces = flag_text.find("ward ") != std::string::npos;
    const std::string rest = !replaces                            ? base
                             : flag_text.starts_with("--forward") ? "-m 8 -p 4 --backward 2ms "
                                                                  : "-m 8 -p 4 --forward 1ms ";

    EXPECT_GT(MakespanOf(name_text + " " + rest + flag_text), MakespanOf(name_text + " " + base))
        << name << " " << flags;
  }
}

TEST(SimulateCommand, SaysWhatItDerived) {
  const Json none = Simulate("1f1b --forward 1ms --backward 2ms --step 0");
  EXPECT_EQ(none["derived_costs"], Json::array());
  EXPECT_EQ(Simulate("1f1b --forward 1ms")["derived_costs"],
            Json::array({"backward: twice --forward, since it is not given",
                         "step: 0, since it is not given"}));
  EXPECT_EQ(Simulate("1f1b")["derived_costs"],
            Json::array({"all durations: 0, since no duration and no --profile is given"}));
  const Json recompute = Simulate("gpipe --checkpoint all --forward 1ms --backward 2ms --step 0");
  EXPECT_EQ(recompute["derived_costs"],
            Json::array({"recompute: as long as --forward, since it is not given"}));
}

// (8 + 4 - 1) times forward and backward of one stage, a backward like two forwards: 33 ms.
TEST(SimulateCommand, ABackwardThatIsNotGivenTakesTwoForwards) {
  EXPECT_EQ(MakespanOf("1f1b -p 4 -m 8 --forward 1ms"), 33'000'000);
  EXPECT_EQ(MakespanOf("1f1b -p 4 -m 8 --backward 2ms"), 33'000'000);
  EXPECT_EQ(MakespanOf("1f1b -p 4 -m 8 --forward 1ms --backward-weight 1ms"), 33'000'000);
}

TEST(SimulateCommand, WarnsOfCostsThatNoOpDependsOn) {
  const Outcome outcome = Stagecraft(
      "simulate 1f1b --forward 1ms --backward 2ms --allreduce 1ms --predict 1ms --bandwidth 1GB/s");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.err,
            "--predict: warning: has no effect on 1f1b: there is no prediction (P)\n"
            "--allreduce: warning: has no effect on 1f1b: there is no all-reduce (A), since no "
            "stage has replicas\n"
            "--bandwidth: warning: has no effect on 1f1b: boundaries have 0 bytes; give "
            "--boundary\n");
}

TEST(SimulateCommand, SaysWhatCostsAreForInItsFirstLine) {
  const auto first_line = [](const std::string& arguments) {
    const std::string out = Stagecraft("simulate " + arguments).out;
    return out.substr(0, out.find('\n'));
  };
  EXPECT_EQ(first_line("interleaved-1f1b -p 2 -m 2 --forward 1ms"),
            "interleaved-1f1b: 2 ranks, 4 stages, 2 micro-batches of 1 sample, 44 ops, eager "
            "sends; costs of flags per stage");
  EXPECT_EQ(first_line("interleaved-1f1b -p 2 -m 2 --forward 1ms --costs-per rank"),
            "interleaved-1f1b: 2 ranks, 4 stages, 2 micro-batches of 1 sample, 44 ops, eager "
            "sends; costs of flags per rank (1/2 of the model, shared out over its stages)");
}

// The same op list, four times over: as long as four batches of its generator.
TEST(SimulateCommand, RepeatsAFile) {
  ASSERT_EQ(Stagecraft("generate 1f1b -p 4 -m 8 -o once.sched").code, 0);
  const std::string costs = " --forward 1ms --backward 2ms --step 1ms";
  EXPECT_EQ(MakespanOf("once.sched --repeat 4" + costs), MakespanOf("1f1b -p 4 -m 8 -n 4" + costs));
  EXPECT_EQ(Stagecraft("simulate 1f1b --repeat 4").err,
            "--repeat: error: is for files, but 1f1b is generated; expected -n for more batches\n");
  EXPECT_EQ(Stagecraft("simulate once.sched -n 4").err,
            "-n: error: is for schedules that are generated, but once.sched is a file; --repeat N "
            "executes it N times over\n");
  EXPECT_EQ(Stagecraft("simulate once.sched --repeat 2000000000").code, 2);
}

TEST(SimulateCommand, CostsThatAreNotGivenAreZero) {
  EXPECT_EQ(MakespanOf("pipeoptim -p 4 -m 8"), 0);
  EXPECT_EQ(Simulate("pipeoptim")["samples_per_second"], 0.0);
}

TEST(SimulateCommand, BothEnginesGiveTheSameBytes) {
  const std::string arguments =
      "simulate xpipe -p 4 -m 8 -n 3 --forward 1ms,2ms,1ms,3ms --backward 2ms --latency 0.1ms "
      "--boundary 5MB --bandwidth 1GB/s --step 10us --predict 20us --json --send rendezvous "
      "--engine ";
  const Outcome replay = Stagecraft(arguments + "replay");
  EXPECT_EQ(replay.code, 0) << replay.err;
  EXPECT_EQ(replay.out, Stagecraft(arguments + "events").out);
}

TEST(SimulateCommand, TwoRunsGiveTheSameBytes) {
  const std::string arguments =
      "simulate spectrain -p 4 -m 8 --forward 1ms --backward 2ms --latency 0.1ms --trace ";
  const Outcome first = Stagecraft(arguments + "a.json.gz --diagram");
  const Outcome second = Stagecraft(arguments + "b.json.gz --diagram");
  EXPECT_EQ(first.code, 0) << first.err;
  EXPECT_EQ(first.out, second.out);
  const std::string trace = ReadTestFile(TestPath("a.json.gz"));
  EXPECT_EQ(trace.substr(0, 2), "\x1f\x8b");
  EXPECT_EQ(trace, ReadTestFile(TestPath("b.json.gz")));
}

TEST(SimulateCommand, WritesAPlainTraceToo) {
  ASSERT_EQ(Stagecraft("simulate 1f1b -p 2 -m 2 --forward 1ms --trace t.json").code, 0);
  EXPECT_TRUE(Json::accept(ReadTestFile(TestPath("t.json"))));
}

TEST(SimulateCommand, DrawsTheTimeline) {
  const Outcome outcome =
      Stagecraft("simulate gpipe -p 2 -m 2 --forward 1ms --backward 2ms --diagram");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("one column = 1 ms\n"
                             "rank 0 | F0 F1 .  .  .  B0--- B1---\n"
                             "rank 1 | .  F0 F1 B0--- B1---"),
            std::string::npos)
      << outcome.out;
}

TEST(SimulateCommand, AFileGivesWhatItsGeneratorGives) {
  ASSERT_EQ(Stagecraft("generate pipedream -p 4 -m 8 -o a.sched").code, 0);
  const std::string costs = " --forward 1ms --backward 2ms --latency 0.1ms --json";
  EXPECT_EQ(Stagecraft("simulate a.sched" + costs).out,
            Stagecraft("simulate pipedream -p 4 -m 8" + costs).out);
  ASSERT_EQ(Stagecraft("generate pipedream -p 4 -m 8 --receive early -o b.sched").code, 0);
  EXPECT_EQ(MakespanOf("b.sched --forward 1ms --backward 2ms --latency 0.1ms"),
            MakespanOf("a.sched --forward 1ms --backward 2ms --latency 0.1ms"));
}

TEST(SimulateCommand, UsesAShippedProfile) {
  const std::string arguments = "1f1b --profile vgg16 --stages 4 -m 8 --microbatch-size 16";
  const Json json = Simulate(arguments);
  EXPECT_GT(json["makespan_ns"], 0);
  EXPECT_GT(json["ranks"][3]["peak_bytes"], 0);
  EXPECT_FALSE(json["derived_costs"].empty());
  // A flag replaces the profile's figure.
  EXPECT_GT(MakespanOf(arguments + " --step 1s"), json["makespan_ns"].get<std::int64_t>());
}

TEST(SimulateCommand, RefusesWhatDoesNotFit) {
  const char* const cases[][2] = {
      {"1f1b -p 4 --forward 1ms,2ms",
       "--forward: error: expected 1 value, or 4 for 4 stages, got "
       "2\n"},
      {"1f1b -p 4 --speed 4=0.5", "--speed: error: expected a rank from 0 to 3, got 4\n"},
      {"1f1b -p 4 --stages 3",
       "--stages: error: the schedule has 4 stages, got 3; expected the "
       "same\n"},
      {"1f1b --trace -",
       "--trace: error: expected the name of a file, since standard output has "
       "the report\n"},
      {"1f1b --profile no-such",
       "--profile: error: 'no-such' is neither a file nor a shipped profile; expected one of "
       "alexnet, gnmt, resnet101, resnet50, vgg16\n"},
      {"1f1b --profile-batch 3",
       "--profile-batch: error: is for a --profile that is a graph.txt, "
       "but none is given\n"}};

  for (const auto& [arguments, message] : cases) {
    const Outcome outcome = Stagecraft(std::string("simulate ") + arguments);
    EXPECT_EQ(outcome.code, 2) << arguments;
    EXPECT_EQ(outcome.out, "") << arguments;
    EXPECT_EQ(outcome.err, message) << arguments;
  }
}

}  // namespace
}  // namespace stagecraft
