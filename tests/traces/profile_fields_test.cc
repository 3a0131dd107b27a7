#include "traces/profile_fields.h"

#include <fstream>
#include <set>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "traces/profile_json.h"

namespace stagecraft {
namespace {

nlohmann::json Schema() {
  std::ifstream file(std::string(STAGECRAFT_SOURCE_DIR) + "/traces/profile.schema.json");
  return nlohmann::json::parse(file);
}

std::set<std::string> KeysOf(const nlohmann::json& object) {
  std::set<std::string> keys;
  for (const auto& item : object.items()) {
    keys.insert(item.key());
  }
  return keys;
}

TEST(ProfileSchema, ListsTheKeysThatTheReaderKnows) {
  const nlohmann::json schema = Schema();
  std::set<std::string> layer_keys;
  for (const std::string_view key : ProfileLayerKeys()) {
    layer_keys.emplace(key);
  }
  EXPECT_EQ(KeysOf(schema["$defs"]["layer"]["properties"]), layer_keys);

  std::set<std::string> source_keys;
  for (const SourceField& field : SourceFields()) {
    source_keys.emplace(field.key);
  }
  EXPECT_EQ(KeysOf(schema["properties"]["source"]["properties"]), source_keys);

  EXPECT_EQ(KeysOf(schema["properties"]),
            (std::set<std::string>{"format", "version", "source", "microbatch_sizes", "layers",
                                   "stages", "cut"}));
}

TEST(ProfileSchema, HasTheLimitsOfTheReader) {
  const nlohmann::json schema = Schema();
  EXPECT_EQ(schema["$defs"]["nanoseconds"]["maximum"], Nanoseconds{kMaxDuration}.count());
  EXPECT_EQ(schema["$defs"]["bytes"]["maximum"], kMaxBytes);
  EXPECT_EQ(schema["properties"]["layers"]["maxItems"], kMaxLayers);
  EXPECT_EQ(schema["properties"]["microbatch_sizes"]["maxItems"], kMaxMeasuredSizes);
  EXPECT_EQ(schema["properties"]["microbatch_sizes"]["items"]["maximum"], kMaxMicrobatchSize);
}

TEST(ProfileSchema, AllowsListsExactlyForWhatDependsOnTheSize) {
  const nlohmann::json properties = Schema()["$defs"]["layer"]["properties"];
  for (const LayerField& field : LayerFields()) {
    EXPECT_EQ(properties[std::string(field.key)].contains("oneOf"), field.sized) << field.key;
  }
}

TEST(LayerFields, SetWhatTheyGet) {
  ProfileLayer layer;
  layer.at.resize(2);
  std::int64_t value = 100;
  for (const LayerField& field : LayerFields()) {
    EXPECT_EQ(field.get(layer, 1), std::nullopt) << field.key;
    field.set(layer, 1, ++value);
  }
  value = 100;
  for (const LayerField& field : LayerFields()) {
    EXPECT_EQ(field.get(layer, 1), ++value) << field.key;
    EXPECT_EQ(field.get(layer, 0).has_value(), !field.sized) << field.key;
  }
}

}  // namespace
}  // namespace stagecraft
