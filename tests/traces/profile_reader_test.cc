#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "traces/profile_json.h"

namespace stagecraft {
namespace {

using Texts = std::vector<std::string>;

Texts FaultsOf(std::string_view json) {
  const Result<Profile> result = ParseProfile(json, "a.json");
  EXPECT_EQ(result.value.has_value(), result.diagnostics.empty());
  Texts texts;
  for (const Diagnostic& fault : result.diagnostics) {
    texts.push_back(ToString(fault));
  }
  return texts;
}

/// A profile whose only layer has `fields`, and sizes [8].
std::string OneLayer(std::string_view fields) {
  return R"({"format": "stagecraft-profile", "version": 1, "microbatch_sizes": [8], "layers": [{)" +
         std::string(fields) + "}]}";
}

TEST(ParseProfile, ReadsEveryField) {
  const Profile profile = OrThrow(ParseProfile(R"({
    "format": "stagecraft-profile", "version": 1,
    "source": {"model": "m", "device": "d", "framework": "f", "date": "t", "url": "u",
               "licence": "l", "excluded": "e", "notes": "n"},
    "microbatch_sizes": [2, 4],
    "layers": [
      {"name": "a", "forward_ns": [1, 2], "backward_ns": [3, 4], "backward_input_ns": [5, null],
       "backward_weight_ns": [null, 6], "recompute_ns": [7, 8], "output_bytes": [9, 10],
       "activation_bytes": [11, 12], "step_ns": 13, "predict_ns": 14, "parameter_bytes": 15,
       "optimizer_bytes": 16},
      {"forward_ns": [1, 1], "backward_ns": [1, 1]},
      {"inputs": [0], "forward_ns": [1, 1], "backward_ns": [1, 1]}]})",
                                               "a.json"));

  const ProfileSource source{"m", "d", "f", "t", "u", "l", "e", "n"};
  EXPECT_EQ(profile.source, source);
  EXPECT_FALSE(profile.is_stages);
  ASSERT_EQ(profile.layers.size(), 3U);

  const ProfileLayer& layer = profile.layers[0];
  EXPECT_EQ(layer.name, "a");
  EXPECT_EQ(layer.at[1].forward, Nanoseconds{2});
  EXPECT_EQ(layer.at[0].backward, Nanoseconds{3});
  EXPECT_EQ(layer.at[0].backward_input, Nanoseconds{5});
  EXPECT_EQ(layer.at[1].backward_input, std::nullopt);
  EXPECT_EQ(layer.at[0].backward_weight, std::nullopt);
  EXPECT_EQ(layer.at[1].backward_weight, Nanoseconds{6});

  EXPECT_EQ(layer.at[0].recompute, Nanoseconds{7});
  EXPECT_EQ(layer.at[1].output_bytes, 10);
  EXPECT_EQ(layer.at[0].activation_bytes, 11);
  EXPECT_EQ(layer.step, Nanoseconds{13});
  EXPECT_EQ(layer.predict, Nanoseconds{14});
  EXPECT_EQ(layer.parameter_bytes, 15);
  EXPECT_EQ(layer.optimizer_bytes, 16);
  EXPECT_TRUE(layer.inputs.empty());

  // What the file leaves out.
  EXPECT_EQ(profile.layers[1].inputs, std::vector<std::int32_t>{0});  // The layer before it.
  EXPECT_EQ(profile.layers[1].parameter_bytes, std::nullopt);
  EXPECT_EQ(profile.layers[2].inputs, std::vector<std::int32_t>{0});
}

TEST(ParseProfile, SaysWhatTheFormatIs) {
  EXPECT_EQ(FaultsOf("[]"), Texts{"a.json: error: expected an object, got an array"});
  EXPECT_EQ(FaultsOf("{}"),
            Texts{"a.json: error: expected \"format\": \"stagecraft-profile\", got none"});
  EXPECT_EQ(
      FaultsOf(R"({"format": "x"})"),
      Texts{"a.json: error: at /format: expected \"format\": \"stagecraft-profile\", got \"x\""});
  EXPECT_EQ(FaultsOf(R"({"format": "stagecraft-profile", "version": 2})"),
            Texts{"a.json: error: at /version: expected \"version\": 1, got 2"});
}

TEST(ParseProfile, GuessesWhatAnUnknownKeyMeant) {
  EXPECT_EQ(FaultsOf(OneLayer(R"("foward_ns": 1, "forward_ns": 1, "backward_ns": 1)")),
            Texts{"a.json: error: at /layers/0: unknown key \"foward_ns\"; did you mean "
                  "\"forward_ns\"?"});
  EXPECT_EQ(FaultsOf(R"({"format": "stagecraft-profile", "version": 1, "sources": {},
                         "microbatch_sizes": [1],
                         "stages": [{"forward_ns": 1, "backward_ns": 1}]})"),
            Texts{"a.json: error: unknown key \"sources\"; did you mean \"source\"?"});
  EXPECT_EQ(
      FaultsOf(R"({"format": "stagecraft-profile", "version": 1,
                         "source": {"zzzzzz": "x"}, "microbatch_sizes": [1],
                         "stages": [{"forward_ns": 1, "backward_ns": 1}]})"),
      Texts{"a.json: error: at /source: unknown key \"zzzzzz\"; expected one of model, device, "
            "framework, date, url, licence, excluded, notes"});
}

TEST(ParseProfile, PointsAtValuesOfTheWrongTypeOrRange) {
  EXPECT_EQ(FaultsOf(OneLayer(R"("forward_ns": "fast", "backward_ns": 1)")),
            Texts{"a.json: error: at /layers/0/forward_ns: expected an integer from 0 to "
                  "3600000000000, got \"fast\""});

  for (const char* value : {"-1", "1.5", "1e13", "3600000000001", "18446744073709551616", "null",
                            "true", "{}", "[1, 2]"}) {
    const Texts faults =
        FaultsOf(OneLayer(std::string(R"("backward_ns": 1, "forward_ns": )") + value));
    ASSERT_EQ(faults.size(), 1U) << value;
    EXPECT_NE(faults[0].find("at /layers/0/forward_ns: expected an"), std::string::npos)
        << faults[0];
  }

  EXPECT_EQ(
      FaultsOf(OneLayer(R"("name": 1, "inputs": 0, "forward_ns": 1, "backward_ns": 1)")),
      (Texts{"a.json: error: at /layers/0/name: expected a string, got 1",
             "a.json: error: at /layers/0/inputs: expected an array of layer indices, got 0"}));
}

TEST(ParseProfile, ReportsAllFaultsAtOnce) {
  EXPECT_EQ(FaultsOf(R"({"format": "stagecraft-profile", "version": 1, "source": 5,
                         "microbatch_sizes": [4, 2],
                         "layers": [{"forward_ns": 1, "backward_ns": [1, 2]}, 7,
                                    {"inputs": [2], "forward_ns": [1, 2],
                                     "backward_ns": [1, 2]}]})"),
            (Texts{"a.json: error: at /source: expected an object, got 5",
                   "a.json: error: at /layers/0/forward_ns: expected an array of one number per "
                   "micro-batch size, 2, got 1",
                   "a.json: error: at /layers/1: expected an object, got 7",
                   "a.json: error: at /microbatch_sizes/1: expected ascending sizes from 1 to "
                   "1000000000 samples, got 2",
                   "a.json: error: at /layers/2/inputs/0: expected ascending indices of layers "
                   "before layer 2, got 2"}));
}

TEST(ParseProfile, WantsLayersOrStagesAndSizes) {
  EXPECT_EQ(FaultsOf(R"({"format": "stagecraft-profile", "version": 1, "microbatch_sizes": [1]})"),
            Texts{"a.json: error: expected either \"layers\" or \"stages\", got neither"});
  EXPECT_EQ(
      FaultsOf(R"({"format": "stagecraft-profile", "version": 1, "layers": [], "stages": []})"),
      (Texts{
          "a.json: error: at /microbatch_sizes: expected an array of 1 to 1000 sizes in samples, "
          "got none",
          "a.json: error: expected either \"layers\" or \"stages\", got both"}));
  EXPECT_EQ(FaultsOf(R"({"format": "stagecraft-profile", "version": 1, "microbatch_sizes": [1],
                         "layers": []})"),
            Texts{"a.json: error: at /layers: expected an array of 1 to 100000 objects, got 0"});
}

TEST(ParseProfile, AFaultOfEveryLayerIsOneFault) {
  std::string layers;
  for (int i = 0; i < 12; ++i) {
    layers += fmt::format(R"({}{{"forward_ns": {}.5, "backward_ns": 1, "fwd": 1}})",
                          i == 0 ? "" : ", ", i);
  }
  EXPECT_EQ(
      FaultsOf(
          R"({"format": "stagecraft-profile", "version": 1, "microbatch_sizes": [1], "layers": [)" +
          layers + "]}")
          .back(),
      "a.json: error: at /layers/0/forward_ns: expected an integer from 0 to 3600000000000, got "
      "0.5; "
      "and 11 more layers");
}

TEST(ParseProfile, ListsFiftyKindsOfFaultsAndCountsTheRest) {
  std::string keys;
  for (int i = 0; i < 60; ++i) {
    keys += fmt::format(R"("{}": 1, )", std::string{static_cast<char>('a' + i / 8),
                                                    static_cast<char>('a' + i % 8)});
  }
  const Texts faults = FaultsOf("{" + keys + R"("format": "stagecraft-profile", "version": 1,
      "microbatch_sizes": [1], "layers": [{"forward_ns": 1, "backward_ns": 1}]})");
  ASSERT_EQ(faults.size(), 51U);
  EXPECT_EQ(faults.back(), "a.json: error: and 10 more faults");
}

// A thousand sizes with a layer per three bytes of file would ask for gigabytes.
TEST(ParseProfile, RefusesMoreMeasurementsThanItWouldHold) {
  std::string sizes = "1";
  std::string layers = "{}";
  for (int i = 2; i <= 1000; ++i) {
    sizes += "," + std::to_string(i);
    layers += ",{},{}";
  }
  const Texts faults =
      FaultsOf(R"({"format": "stagecraft-profile", "version": 1, "microbatch_sizes": [)" + sizes +
               R"(], "layers": [)" + layers + "]}");
  EXPECT_EQ(faults,
            Texts{"a.json: error: at /layers: expected an array of 1 to 1000 objects, got 1999"});
}

}  // namespace
}  // namespace stagecraft
