#include "engine/model/model_file.h"

#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using enum LayerKind;

std::string FaultsOf(const std::string& stages) {
  const Result<Model> result = ReadModel(
      R"({"format": "stagecraft-model", "version": 1, "stages": )" + stages + "}", "a.json");
  return test::Texts(result.diagnostics);
}

nlohmann::json Source(const std::string& path) {
  return nlohmann::json::parse(std::ifstream(std::string(STAGECRAFT_SOURCE_DIR) + "/" + path));
}

// What the schema accepts and what the program accepts, by the same documents;
// tests/interop/schemas.py asks the schema.
TEST(ModelFile, DocumentsAreAcceptedAsTheTableSays) {
  const nlohmann::json documents = Source("tests/engine/model_documents.json");
  ASSERT_GT(documents.size(), 15U);
  for (const nlohmann::json& document : documents) {
    const Result<Model> model = ReadModel(document["text"].get<std::string>(), "a.json");
    EXPECT_EQ(model.value.has_value(), document["accepted"].get<bool>()) << document["why"];
  }
}

TEST(ModelFile, TheSchemaHasTheLayersOfTheTable) {
  const nlohmann::json defined = Source("engine/model.schema.json")["$defs"];
  const nlohmann::json& layers = defined["layer"]["properties"];
  EXPECT_EQ(layers.size(), AllLayerTraits().size());
  for (const LayerTraits& traits : AllLayerTraits()) {
    if (traits.kind == kResidual) {
      continue;
    }
    const nlohmann::json& layer = layers[std::string(traits.name)];
    EXPECT_EQ(layer["properties"].size(), traits.fields.size()) << traits.name;
    for (const LayerNumber& field : traits.fields) {
      nlohmann::json number = layer["properties"][std::string(field.name)];
      if (number.contains("$ref")) {
        number = defined[number["$ref"].get<std::string>().substr(8)];  // Behind #/$defs/.
      }
      EXPECT_EQ(number["type"], field.whole ? "integer" : "number") << field.name;
      EXPECT_EQ(number["minimum"], field.low) << field.name;
      EXPECT_EQ(number["maximum"], field.high) << field.name;
    }
  }
}

TEST(ModelFile, ReadsLayersWithTheirFieldsAndStandards) {
  const Model model = OrThrow(ReadModel(
      R"({"format": "stagecraft-model", "version": 1, "name": "small", "stages":
          [[{"linear": {"in": 16, "out": 32}}, "relu"],
           [{"residual": ["gelu", {"linear": {"in": 32, "out": 32, "bias": 0}}]},
            {"dropout": {"p": 0.1}}]]})",
      "a.json"));
  EXPECT_EQ(model.name, "small");
  const Model same{"small",
                   {{MakeLayer(kLinear, {16, 32, 1}), MakeLayer(kRelu)},
                    {MakeResidual({MakeLayer(kGelu), MakeLayer(kLinear, {32, 32, 0})}),
                     MakeLayer(kDropout, {0.1})}}};
  EXPECT_EQ(WriteModel(model), WriteModel(same));
}

TEST(ModelFile, WritingAndReadingGivesTheModelBack) {
  const Model model{"all",
                    {{MakeLayer(kEmbedding, {7, 4}), MakeLayer(kPosition, {5, 4})},
                     {MakeResidual({MakeLayer(kLayerNorm, {4}), MakeLayer(kAttention, {4, 2})}),
                      MakeLayer(kDropout, {0.25})},
                     {MakeLayer(kLstm, {4, 3}), MakeLayer(kLinear, {3, 7, 0})}}};
  const std::string text = WriteModel(model);
  EXPECT_EQ(WriteModel(OrThrow(ReadModel(text, "a.json"))), text);
  EXPECT_EQ(LayoutOf(OrThrow(ReadModel(text, "a.json")), 1).elements, LayoutOf(model, 1).elements);
}

TEST(ModelFile, EachFaultIsNamedWithItsPlace) {
  EXPECT_EQ(FaultsOf("[]"),
            "a.json: error: at /stages: expected an array of stages, at least one\n");
  EXPECT_EQ(FaultsOf("[[]]"),
            "a.json: error: at /stages/0: expected an array of layers, at least one\n");
  EXPECT_EQ(FaultsOf(R"([["rellu"]])"),
            "a.json: error: at /stages/0/0: unknown layer 'rellu'; did you mean 'relu'?\n");
  EXPECT_EQ(FaultsOf(R"([[{"linear": {"in": 16, "ouT": 3}}]])"),
            "a.json: error: at /stages/0/0/linear: expected a 'out'\n"
            "a.json: error: at /stages/0/0/linear/ouT: unknown key 'ouT'; did you mean 'out'?\n");
  EXPECT_EQ(FaultsOf(R"([[{"linear": {"in": 1.5, "out": 3}}]])"),
            "a.json: error: at /stages/0/0/linear/in: expected a whole number in [1, 16777216], "
            "got 1.5\n");
  EXPECT_EQ(FaultsOf(R"([[{"dropout": {"p": 1}}]])"),
            "a.json: error: at /stages/0/0/dropout/p: expected a number in [0, 0.999], got 1\n");
  EXPECT_EQ(FaultsOf(R"([[3]])"),
            "a.json: error: at /stages/0/0: expected a layer: its name, or an object {name: {its "
            "fields}}\n");
  EXPECT_EQ(FaultsOf(R"([["residual"]])"),
            "a.json: error: at /stages/0/0: expected {\"residual\": [layers]}, up to 8 of them "
            "inside each other\n");
}

TEST(ModelFile, OtherFormatsAndBrokenTextAreRefused) {
  EXPECT_EQ(test::Texts(ReadModel("{}", "a.json").diagnostics),
            "a.json: error: expected an object with \"format\": \"stagecraft-model\" and "
            "\"version\": 1\n");
  EXPECT_NE(test::Texts(ReadModel("{", "a.json").diagnostics).find("a.json:1:2: error:"),
            std::string::npos);
  std::string deep = "[[";
  for (int i = 0; i < 9; ++i) {
    deep += R"({"residual": [)";
  }
  deep += "\"relu\"";
  for (int i = 0; i < 9; ++i) {
    deep += "]}";
  }
  EXPECT_NE(FaultsOf(deep + "]]").find("up to 8 of them"), std::string::npos);
}

}  // namespace
}  // namespace stagecraft
