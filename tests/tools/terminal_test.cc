#include "tools/terminal.h"

#include <ostream>
#include <string>
#include <string_view>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/tools/program.h"

// What reaches a terminal, and what happens where there is none.

namespace stagecraft {
namespace {

/// In every name: what a terminal obeys, a bar, and a line that looks like one of ours.
constexpr const char* kShellName = "$(printf 'a\\033[31m|b\\r\\007\\177\\302\\233\\nINJECTED')";
constexpr const char* kJsonName = R"(a\u001b[31m|b\r\u0007\u007f\u009b\u202e\nINJECTED)";

/// Writes files whose names within are of that kind; what they are named is plain.
void WriteOddFiles() {
  const std::string layer =
      std::string(R"({"name": ")") + kJsonName + R"(", "forward_ns": 1, "backward_ns": 2})";
  const std::string head =
      R"({"format": "stagecraft-profile", "version": 1, "source": {"model": ")" +
      std::string(kJsonName) + R"(", "device": ")" + kJsonName + R"("}, )";

  WriteTestFile("odd.profile.json",
                head + R"("microbatch_sizes": [1], "layers": [)" + layer + "," + layer + "]}");
  WriteTestFile("bad.profile.json",
                head + R"("microbatch_sizes": [1], "layers": [{")" + kJsonName + R"(": 1}]})");
  WriteTestFile("broken.profile.json", head + "\x1b]0;x\x07}");

  const std::string model =
      std::string(R"({"format": "stagecraft-model", "version": 1, "name": ")") + kJsonName +
      R"(", "stages": [["flatten", {"linear": {"in": 64, "out": 10}}]]})";
  WriteTestFile("odd.model.json", model);
  WriteTestFile("bad.model.json",
                std::string(R"({"format": "stagecraft-model", "version": 1, "stages": [[")") +
                    kJsonName + R"(", {"linear": {")" + kJsonName + R"(": 1}}]]})");

  // Our own text and torch's, which are no JSON.
  const std::string rest =
      "\nshape ranks 1 stages 1 microbatches 1\nplace 0: 0\nrank 0 0F0@0 0B0@0 0S@0\n";
  WriteTestFile("odd.sched", "stagecraft schedule 1\nname a\x1b[31m|b\rc\x07\xc2\x9b\xff" + rest);
  WriteTestFile("bad.sched", "stagecraft schedule 1\nq\x1b[31m\rx\nmode \x07\nrank \x1b" + rest);
  WriteTestFile("bad.csv", "0F0,\x1b[31m0B0,\"0\rF1\"\n0X\x07,1\x1b\n");
  WriteTestFile("bad.txt", "node1 -- a\x1b[31m -- forward_compute_time=1\n");

  const std::string header = std::string(R"({")") + kJsonName + R"(": {"dtype": "F32"}})";
  WriteTestFile("bad.safetensors",
                std::string(1, static_cast<char>(header.size())) + std::string(7, '\0') + header);
}

/// Neither control characters nor lines that are not ours.
void ExpectHarmless(const Outcome& outcome, std::string_view arguments) {
  for (const std::string& text : {outcome.out, outcome.err}) {
    for (const char c : text) {
      EXPECT_TRUE(c == '\n' || static_cast<unsigned char>(c) >= ' ') << arguments << "\n" << text;
    }
    EXPECT_EQ(text.find('\x7f'), std::string::npos) << arguments;
    EXPECT_EQ(text.find("\xc2\x9b"), std::string::npos) << arguments;
    EXPECT_EQ(text.find("\xe2\x80\xae"), std::string::npos) << arguments;
    EXPECT_EQ(text.find("\nINJECTED"), std::string::npos) << arguments << "\n" << text;
  }
}

struct OddInput {
  const char* arguments;
  int code;
};

void PrintTo(const OddInput& input, std::ostream* out) {
  *out << input.arguments;
}

class NamesFromFiles : public testing::TestWithParam<OddInput> {};

TEST_P(NamesFromFiles, AreShownAndNotObeyed) {
  WriteOddFiles();
  const Outcome outcome = Stagecraft(GetParam().arguments);
  EXPECT_EQ(outcome.code, GetParam().code) << outcome.err;
  ExpectHarmless(outcome, GetParam().arguments);
}

INSTANTIATE_TEST_SUITE_P(
    All, NamesFromFiles,
    testing::Values(OddInput{"simulate odd.sched", 0}, OddInput{"simulate odd.sched --json", 0},
                    OddInput{"show odd.sched", 0}, OddInput{"explain odd.sched", 0},
                    OddInput{"check odd.sched", 0}, OddInput{"validate odd.sched --rehearse", 0},
                    OddInput{"simulate 1f1b -p 2 --profile odd.profile.json", 0},
                    OddInput{"show 1f1b -p 2 --profile odd.profile.json", 0},
                    OddInput{"explain 1f1b -p 2 --profile odd.profile.json", 0},
                    OddInput{"compare 1f1b gpipe -p 2 --profile odd.profile.json", 0},
                    OddInput{"compare 1f1b -p 2 --profile odd.profile.json --format json", 0},
                    OddInput{"compare 1f1b -p 2 --profile odd.profile.json --format csv", 0},
                    OddInput{"simulate 1f1b --profile bad.profile.json", 2},
                    OddInput{"simulate 1f1b --profile broken.profile.json", 2},
                    OddInput{"simulate 1f1b --profile bad.txt", 2}, OddInput{"check bad.sched", 2},
                    OddInput{"check bad.csv", 2}, OddInput{"convert bad.csv out.sched", 2}));

class NamesOfModels : public testing::TestWithParam<OddInput> {};

TEST_P(NamesOfModels, AreShownAndNotObeyed) {
  if (!STAGECRAFT_HAS_TORCH) {
    GTEST_SKIP() << "built without LibTorch";
  }
  WriteOddFiles();
  const Outcome outcome = Stagecraft(GetParam().arguments);
  EXPECT_EQ(outcome.code, GetParam().code) << outcome.err;
  ExpectHarmless(outcome, GetParam().arguments);
}

INSTANTIATE_TEST_SUITE_P(
    All, NamesOfModels,
    testing::Values(OddInput{"train 1f1b -p 1 -m 2 -n 1 --model odd.model.json", 0},
                    OddInput{"train 1f1b -p 1 -m 2 -n 1 --model odd.model.json --json", 0},
                    OddInput{"profile --model odd.model.json --microbatches 8", 0},
                    OddInput{"train 1f1b -p 1 --model bad.model.json", 2},
                    OddInput{"train 1f1b -p 1 --model odd.model.json --data bad.safetensors", 2},
                    OddInput{"train 1f1b -p 1 -m 1 -n 1 --load bad.safetensors", 2}));

TEST(NamesOfFiles, AreShownAndNotObeyed) {
  const std::string name = std::string("f=\"") + kShellName + "\"; ";
  const std::string made = name + "stagecraft generate gpipe -p 2 -m 2 -o \"$f.sched\" && ";
  for (const char* const line :
       {"stagecraft compare \"$f.sched\" --forward 1ms -p 2 -m 2 -n 1",
        "stagecraft check \"$f.sched\" \"$f.sched\"", "stagecraft check \"$f.sched\" --json",
        "stagecraft simulate \"$f.sched\" -p 2", "stagecraft show \"$f\"",
        "stagecraft show \"/no/$f.sched\"", "stagecraft simulate 1f1b --profile \"$f\"",
        "stagecraft simulate 1f1b --forward \"$f\"", "stagecraft \"$f\"",
        "stagecraft show --\"$f\"", "stagecraft show 1f1b -p \"$f\"",
        "stagecraft convert \"$f.sched\" \"/no/$f.csv\"",
        "stagecraft compare 1f1b --baseline \"$f.sched\""}) {
    ExpectHarmless(Shell(made + line), line);
  }

  // A bar in a name is no column of the table.
  const Outcome table = Shell("cp /dev/null x; " + made +
                              "cp \"$f.sched\" 'a|b.sched' && "
                              "stagecraft compare 'a|b.sched' --forward 1ms -p 2 -m 2 -n 1");
  EXPECT_NE(table.out.find("| a\\|b.sched |"), std::string::npos) << table.out << table.err;
}

TEST(NamesOfFiles, ThatAreNoUtf8DoNotBreakJson) {
  const std::string made =
      "f=\"$(printf 'a\\377b.sched')\"; stagecraft generate gpipe -p 2 -m 2 -o \"$f\" && ";
  for (const char* const line :
       {"stagecraft compare \"$f\" --forward 1ms -p 2 -m 2 -n 1 --format json",
        "stagecraft check \"$f\" --json"}) {
    const Outcome outcome = Shell(made + line);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_TRUE(nlohmann::json::accept(outcome.out)) << outcome.out;
  }
}

TEST(StandardError, ThatIsClosedOrFullChangesNoExitCode) {
  const std::string saved = " -p 2 -m 2 -n 1";
  for (const char* const to : {" 2>&-", " 2>/dev/full", " 2>&- <&-"}) {
    EXPECT_EQ(Stagecraft(std::string("show nope") + to).code, 2) << to;
    EXPECT_EQ(Stagecraft(to).code, 2) << to;
    EXPECT_EQ(Stagecraft(std::string("frobnicate") + to).code, 2) << to;
    EXPECT_EQ(Stagecraft(std::string("check pipedream --max-slots 1") + to).code, 1) << to;
    const Outcome searched = Stagecraft("compare zb-auto -p 4 -m 8 -n 1" + std::string(to));
    EXPECT_EQ(searched.code, 0) << to;
    EXPECT_NE(searched.out.find("| zb-auto"), std::string::npos);
    EXPECT_EQ(Stagecraft("generate zb-auto -p 2 -m 2 -o /dev/full" + std::string(to)).code, 3)
        << to;
  }
}

TEST(StandardError, ThatIsClosedIsNoFileThatIsWritten) {
  ASSERT_EQ(Stagecraft("generate zb-auto -p 2 -m 4 -o open.sched").code, 0);
  ASSERT_EQ(Stagecraft("generate zb-auto -p 2 -m 4 -o closed.sched 0<&- 1>&- 2>&-").code, 0);
  EXPECT_EQ(ReadTestFile(TestPath("closed.sched")), ReadTestFile(TestPath("open.sched")));
}

TEST(StandardError, ThatNobodyReadsChangesNoExitCode) {
  EXPECT_EQ(Shell("{ stagecraft show nope; echo $? >code; } 2>&1 | true; cat code").out, "2\n");
}

TEST(StandardOutput, ThatIsClosedIsAFailure) {
  for (const char* const arguments : {"schedules", "--version", "simulate 1f1b --json",
                                      "generate gpipe", "compare gpipe --format csv"}) {
    const Outcome outcome = Stagecraft(std::string(arguments) + " >&-");
    EXPECT_EQ(outcome.code, 3) << arguments;
    EXPECT_EQ(outcome.err, "standard output: error: writing failed: Bad file descriptor\n");
  }
  EXPECT_EQ(Stagecraft("schedules >&- 2>&-").code, 3);
}

TEST(StandardInput, ThatIsClosedCannotBeRead) {
  const Outcome outcome = Stagecraft("check - <&-");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(outcome.err, "standard input: error: cannot be read: Bad file descriptor\n");
}

}  // namespace
}  // namespace stagecraft
