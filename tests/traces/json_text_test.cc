#include "traces/json_text.h"

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace stagecraft {
namespace {

std::string FaultOf(std::string_view text, const JsonLimits& limits = {1000, 4}) {
  const Result<nlohmann::json> result = ReadJson(text, "a.json", limits);
  EXPECT_FALSE(result);
  return result.diagnostics.empty() ? "" : ToString(result.diagnostics[0]);
}

TEST(ReadJson, GivesTheTree) {
  const Result<nlohmann::json> result = ReadJson(R"({"a": [1, "x]}\""]})", "a.json", {100, 2});
  ASSERT_TRUE(result);
  EXPECT_EQ((*result.value)["a"][1], "x]}\"");
}

TEST(ReadJson, ShowsLineColumnAndCaretOfASyntaxError) {
  EXPECT_EQ(FaultOf("{\n  \"a\": 1,\n  \"b\": }\n"),
            "a.json:3:8: error: syntax error while parsing value - unexpected '}'; expected '[', "
            "'{', or a literal\n"
            "    \"b\": }\n"
            "         ^");
  EXPECT_EQ(FaultOf("").substr(0, 18), "a.json:1:1: error:");
  EXPECT_EQ(FaultOf("{} x").substr(0, 18), "a.json:1:4: error:");
  EXPECT_EQ(FaultOf("[1, 2,]").substr(0, 18), "a.json:1:7: error:");
}

// The library reads nothing behind a NUL.
TEST(ReadJson, RefusesWhateverStandsBehindTheDocument) {
  using std::string_view_literals::operator""sv;
  EXPECT_EQ(FaultOf("{}\n \0 anything"sv),
            "a.json:2:2: error: expected JSON up to the end of the text, got a NUL byte\n"
            "   \\x00 anything\n"
            "   ^");
  for (const std::string_view text : {"{}\0"sv, "\0"sv, "[1,\0 2]"sv, "{\"a\0\": 1}"sv, "{}{}"sv,
                                      "{} ]"sv, "1 2"sv, "{}\x1a"sv, "{},"sv}) {
    EXPECT_NE(FaultOf(text).find("a.json:1:"), std::string::npos) << text;
  }
  EXPECT_TRUE(ReadJson(" {}\r\n\t ", "a.json", {100, 4}));
}

TEST(ReadJson, WholeNumbersMayBeWrittenAsOthers) {
  const auto whole = [](const char* text) { return WholeNumber(nlohmann::json::parse(text)); };
  EXPECT_EQ(whole("3200000.0"), 3'200'000);
  EXPECT_EQ(whole("1e6"), 1'000'000);
  EXPECT_EQ(whole("-2.0"), -2);
  EXPECT_EQ(whole("9223372036854775807"), std::numeric_limits<std::int64_t>::max());
  for (const char* const other : {"0.5", "1e300", "9223372036854775808", "9223372036854775808.0",
                                  "true", "null", "\"1\"", "[1]"}) {
    EXPECT_EQ(whole(other), std::nullopt) << other;
  }
}

TEST(ReadJson, ShowsOnlyTheNeighbourhoodOfAFaultInALongLine) {
  const std::string fault = FaultOf("[\"" + std::string(500, 'x') + "\" oops]");
  EXPECT_LT(fault.size(), 400U);
  EXPECT_NE(fault.find("oops]"), std::string::npos);
}

TEST(ReadJson, PrintsNothingThatATerminalWouldObey) {
  for (const std::string text : {"{\"\x1b[31m\": }", "\"\xff\"", "\x01"}) {
    for (const char c : FaultOf(text)) {
      EXPECT_TRUE(c == '\n' || (c >= ' ' && c <= '~'));
    }
  }
}

TEST(ReadJson, RefusesRepeatedKeysAtAnyDepth) {
  EXPECT_EQ(FaultOf(R"({"a": 1, "b": {"c": 1, "c": 2}})"),
            "a.json: error: expected each key once in an object, got \"c\" again");
  EXPECT_EQ(FaultOf(R"([{"a": {}, "b": 1, "a": 2}])"),
            "a.json: error: expected each key once in an object, got \"a\" again");
  EXPECT_TRUE(ReadJson(R"([{"a": {"a": 1}}, {"a": 2}])", "a.json", {100, 4}));
}

TEST(ReadJson, RefusesDeepNestingBeforeReading) {
  EXPECT_EQ(FaultOf("[[[[[1]]]]]"),
            "a.json:1:5: error: expected at most 4 objects and arrays inside each other\n"
            "  [[[[[1]]]]]\n"
            "      ^");
  EXPECT_TRUE(ReadJson(R"([[[["[[[[[[", "\"[[["]]]])", "a.json", {100, 4}));
  const std::string deep(8'000'000, '[');
  EXPECT_EQ(FaultOf(deep, {deep.size(), 16}).substr(0, 19), "a.json:1:17: error:");
}

TEST(ReadJson, RefusesMoreBytesThanTheLimit) {
  EXPECT_EQ(FaultOf("[1, 2]", {5, 4}), "a.json: error: expected at most 5 bytes, got 6");
}

TEST(ReadJson, RefusesNumbersThatNoDoubleHolds) {
  EXPECT_EQ(FaultOf("[1e999]"),
            "a.json:1:6: error: number overflow parsing '1e999'\n"
            "  [1e999]\n"
            "       ^");
}

}  // namespace
}  // namespace stagecraft
