#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "traces/profile.h"

namespace stagecraft {
namespace {

constexpr double kMillisecond = 1e6;
constexpr double kMegabyte = 1e6;

/// A profile that ships with us, and what is known of it from elsewhere: the sums of the columns
/// of the original file, without its `Input` nodes, in milliseconds and megabytes.
struct Recorded {
  std::string name;
  std::string model;
  std::string folder;  ///< In the repository that it comes from.
  std::int64_t batch = 0;
  std::string inferred;  ///< How the batch size was found: it is not in the original.
  std::size_t layers = 0;
  double forward_ms = 0;
  double backward_ms = 0;
  double parameter_mb = 0;
};

const std::vector<Recorded>& AllRecorded() {
  static const std::vector<Recorded> all{
      {"alexnet", "AlexNet", "image_classification/profiles/alexnet", 256, "the bytes of the input",
       22, 44.801, 40.520, 244.403},
      {"gnmt", "GNMT, 8 LSTM layers", "translation/profiles/gnmt", 32,
       "the bytes of hidden states and attention scores: 32 sentences of 48 tokens", 37, 33.533,
       55.883, 775.064},
      {"resnet50", "ResNet-50", "image_classification/profiles/resnet50", 128,
       "the bytes of the input", 176, 182.488, 260.931, 102.228},
      {"resnet101", "ResNet-101", "image_classification/profiles/resnet101", 64,
       "the bytes of the input", 346, 197.306, 213.786, 178.197},
      {"vgg16", "VGG-16", "image_classification/profiles/vgg16", 128, "the bytes of the input", 40,
       233.902, 438.633, 553.430},
  };
  return all;
}

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::filesystem::path PathOf(const Recorded& recorded) {
  return std::filesystem::path(STAGECRAFT_SOURCE_DIR) / "traces/recorded" /
         (recorded.name + ".profile.json");
}

Profile Load(const Recorded& recorded) {
  return OrThrow(ParseProfile(ReadFile(PathOf(recorded)), recorded.name));
}

/// What the importer makes of the original, with what we know of its source.
Profile Import(const Recorded& recorded, const std::string& graph) {
  Profile profile = OrThrow(ParsePipeDreamGraph(graph, "graph.txt", recorded.batch));
  profile.source.model = recorded.model;
  profile.source.framework = "PyTorch, profiler of PipeDream";
  profile.source.url = "https://github.com/msr-fiddle/pipedream/blob/master/profiler/" +
                       recorded.folder + "/graph.txt";
  profile.source.licence = "MIT, Copyright (c) 2015 - present Microsoft Corporation";
  profile.source.notes = "batch size inferred from " + recorded.inferred +
                         "; device and date are not recorded. " + profile.source.notes;
  return profile;
}

/// The originals lie in tests/traces/pipedream. STAGECRAFT_UPDATE_GOLDEN=1 writes the profiles
/// anew.
TEST(RecordedProfiles, EqualWhatTheImporterMakesOfTheOriginals) {
  const std::filesystem::path folder(STAGECRAFT_SOURCE_DIR "/tests/traces/pipedream");
  for (const Recorded& recorded : AllRecorded()) {
    const std::string graph = ReadFile(folder / (recorded.name + ".graph.txt"));
    const std::string made = PrintProfile(Import(recorded, graph));
    if (std::getenv("STAGECRAFT_UPDATE_GOLDEN") != nullptr) {
      std::ofstream(PathOf(recorded), std::ios::binary) << made;
    }
    EXPECT_EQ(ReadFile(PathOf(recorded)), made) << recorded.name;
  }
}

TEST(RecordedProfiles, HaveTheSumsOfTheOriginalColumns) {
  for (const Recorded& recorded : AllRecorded()) {
    const Profile profile = Load(recorded);
    double forward = 0;
    double backward = 0;
    double parameters = 0;
    for (const ProfileLayer& layer : profile.layers) {
      forward += static_cast<double>(layer.at[0].forward->count());
      backward += static_cast<double>(layer.at[0].backward->count());
      parameters += static_cast<double>(*layer.parameter_bytes);
    }

    std::cout << recorded.name << ": " << profile.layers.size() << " layers, forward "
              << forward / kMillisecond << " ms, backward " << backward / kMillisecond
              << " ms, parameters " << parameters / kMegabyte << " MB\n";

    EXPECT_EQ(profile.layers.size(), recorded.layers);
    EXPECT_NEAR(forward / kMillisecond, recorded.forward_ms, 0.0005);
    EXPECT_NEAR(backward / kMillisecond, recorded.backward_ms, 0.0005);
    EXPECT_NEAR(parameters / kMegabyte, recorded.parameter_mb, 0.0005);
    EXPECT_EQ(profile.microbatch_sizes, std::vector<std::int64_t>{recorded.batch});
  }
}

TEST(RecordedProfiles, AreCanonicalAndNameTheirSourceAndLicence) {
  for (const Recorded& recorded : AllRecorded()) {
    const std::string text = ReadFile(PathOf(recorded));
    const Profile profile = Load(recorded);
    EXPECT_EQ(PrintProfile(profile), text) << recorded.name;
    EXPECT_EQ(profile.source.model, recorded.model);
    EXPECT_NE(profile.source.url.find("github.com/msr-fiddle/pipedream"), std::string::npos);
    EXPECT_NE(profile.source.licence.find("MIT, Copyright"), std::string::npos);
    EXPECT_NE(profile.source.notes.find("batch size inferred"), std::string::npos);
  }
}

TEST(RecordedProfiles, EachHasItsEntryHere) {
  std::vector<std::string> found;
  for (const auto& entry :
       std::filesystem::directory_iterator(PathOf(AllRecorded()[0]).parent_path())) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".profile.json")) {
      found.push_back(name);
    }
  }
  EXPECT_EQ(found.size(), AllRecorded().size());
}

/// Seconds of forward + backward of every stage.
std::vector<double> StageSeconds(const Recorded& recorded, std::int32_t stages) {
  const Profile profile = Load(recorded);
  const auto batch = static_cast<double>(recorded.batch);
  const Costs costs =
      OrThrow(StageCostsOf(profile, OrThrow(BalancedPartition(profile, stages, batch)), {batch}));
  std::vector<double> seconds;
  for (const StageCosts& stage : costs.stages) {
    seconds.push_back(std::chrono::duration<double>(stage.forward + stage.backward).count());
  }
  return seconds;
}

// The straight four-stage plans that PipeDream's own planner makes of the same files when it
// ignores transfers, run outside this project; its stage times are given with four decimals.
TEST(RecordedProfiles, FourStagesMatchThePlannerOfPipeDream) {
  const std::vector<std::pair<std::size_t, std::vector<double>>> plans{
      {2, {0.1113, 0.1107, 0.1115, 0.1100}}, {4, {0.2165, 0.1545, 0.1433, 0.1583}}};
  for (const auto& [index, expected] : plans) {
    const std::vector<double> seconds = StageSeconds(AllRecorded()[index], 4);
    ASSERT_EQ(seconds.size(), expected.size());
    for (std::size_t i = 0; i < seconds.size(); ++i) {
      std::cout << AllRecorded()[index].name << " stage " << i << ": " << seconds[i] << " s\n";
      EXPECT_NEAR(seconds[i], expected[i], 0.00005);
    }
  }
  // Of two other networks only the slowest stage is compared: other stages may be cut otherwise.
  EXPECT_NEAR(std::ranges::max(StageSeconds(AllRecorded()[1], 4)), 0.0259, 0.00005);
  EXPECT_NEAR(std::ranges::max(StageSeconds(AllRecorded()[3], 4)), 0.1039, 0.00005);
}

}  // namespace
}  // namespace stagecraft
