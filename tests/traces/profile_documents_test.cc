#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "traces/profile_json.h"

// What the schema of a profile accepts and what the program accepts, by the same documents;
// tests/interop/schemas.py asks the schema.

namespace stagecraft {
namespace {

TEST(ProfileDocuments, AreAcceptedAsTheTableSays) {
  std::ifstream file(std::string(STAGECRAFT_SOURCE_DIR) + "/tests/traces/profile_documents.json");
  const nlohmann::json documents = nlohmann::json::parse(file);
  ASSERT_GT(documents.size(), 20U);
  for (const nlohmann::json& document : documents) {
    const Result<Profile> profile = ParseProfile(document["text"].get<std::string>(), "a.json");
    EXPECT_EQ(profile.value.has_value(), document["accepted"].get<bool>()) << document["why"];
  }
}

}  // namespace
}  // namespace stagecraft
