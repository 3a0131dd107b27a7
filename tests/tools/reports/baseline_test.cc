#include "tools/reports/baseline.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace stagecraft {
namespace {

using Json = nlohmann::ordered_json;

Json Example() {
  return {{"format", "stagecraft-comparison"},
          {"version", 1},
          {"unit", "microbatch"},
          {"settings", {{"ranks", 4}}},
          {"profile", nullptr},
          {"rows",
           {{{"approach", "gpipe"}, {"makespan_ns", 1000}, {"derived_costs", Json::array()}},
            {{"approach", "pipedream"},
             {"makespan_ns", 800},
             {"weight_slots", {4, 3, 2, 1}},
             {"derived_costs", Json::array()}}}}};
}

std::vector<std::string> Changes(const Json& before, const Json& now) {
  std::vector<std::string> texts;
  for (const Diagnostic& change : CompareWithBaseline(before, now, "old.json")) {
    texts.push_back(ToString(change));
  }
  return texts;
}

using Texts = std::vector<std::string>;

TEST(Baseline, EqualFiguresGiveNothing) {
  EXPECT_EQ(Changes(Example(), Example()), Texts{});
}

TEST(Baseline, NamesEveryFigureThatChanged) {
  Json now = Example();
  now["rows"][0]["makespan_ns"] = 1010;
  now["rows"][1]["weight_slots"] = {4, 3, 2, 2};
  EXPECT_EQ(Changes(Example(), now),
            (Texts{"old.json: error: gpipe: makespan_ns was 1000, is 1010 (+1 %)",
                   "old.json: error: pipedream: weight_slots was [4,3,2,1], is [4,3,2,2]"}));
}

TEST(Baseline, ComparesExactly) {
  Json now = Example();
  now["rows"][0]["makespan_ns"] = 1000.0000000001;
  EXPECT_EQ(Changes(Example(), now).size(), 1U);
}

TEST(Baseline, NoticesApproachesSettingsAndUnit) {
  Json now = Example();
  now["unit"] = "batch";
  now["settings"]["ranks"] = 8;
  now["rows"][1]["approach"] = "spectrain";
  EXPECT_EQ(Changes(Example(), now),
            (Texts{"old.json: error: unit was \"microbatch\", is \"batch\"",
                   "old.json: error: settings: ranks was 4, is 8 (+100 %)",
                   "old.json: error: spectrain: not in the baseline",
                   "old.json: error: pipedream: only in the baseline"}));
}

TEST(Baseline, ProseDoesNotCount) {
  Json now = Example();
  now["rows"][0]["derived_costs"] = {"a sentence"};
  EXPECT_EQ(Changes(Example(), now), Texts{});
}

std::string Complaint(const std::string& text) {
  const Result<Json> result = ParseBaseline(text, "old.json");
  return result ? "none" : ToString(result.diagnostics.front());
}

TEST(Baseline, SaysWhereTheJsonIsBroken) {
  EXPECT_EQ(Complaint("{\n  \"format\": oops}"),
            "old.json:2:13: error: syntax error while parsing value - invalid literal; last read: "
            "'\"format\": o'\n    \"format\": oops}\n              ^");
  EXPECT_EQ(Complaint("[1, 2]"),
            "old.json: error: at /format: expected \"stagecraft-comparison\", as `compare --format "
            "json` writes");
  Json later = Example();
  later["version"] = 2;
  EXPECT_EQ(Complaint(later.dump()), "old.json: error: at /version: expected 1, got 2");
  Json nameless = Example();
  nameless["rows"][1].erase("approach");
  EXPECT_EQ(Complaint(nameless.dump()),
            "old.json: error: at /rows/1/approach: expected the name of an approach");
}

TEST(Baseline, RefusesARowTwice) {
  Json doubled = Example();
  doubled["rows"].push_back(doubled["rows"][0]);
  doubled["rows"][2]["makespan_ns"] = 7;
  EXPECT_EQ(
      Complaint(doubled.dump()),
      "old.json: error: at /rows/2/approach: expected each approach once, got \"gpipe\" again, "
      "as in /rows/0");
}

TEST(Baseline, RefusesWhatStandsBehindIt) {
  EXPECT_NE(Complaint(Example().dump() + std::string(1, '\0') + "{}").find("got a NUL byte"),
            std::string::npos);
}

// As the schema has it, an integer may be written with a point.
TEST(Baseline, AnIntegerIsOneHoweverItIsWritten) {
  std::string text = Example().dump();
  text.replace(text.find("1000"), 4, "1000.0");
  const Result<Json> read = ParseBaseline(text, "old.json");
  ASSERT_TRUE(read);
  EXPECT_EQ(Changes(*read.value, Example()), Texts{});
}

TEST(Baseline, RefusesDeepNesting) {
  EXPECT_NE(Complaint(std::string(1'000'000, '[')).find("expected at most 16 objects and arrays"),
            std::string::npos);
}

}  // namespace
}  // namespace stagecraft
