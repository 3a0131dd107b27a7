#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "schedules/lower.h"
#include "schedules/registry.h"
#include "schedules/text.h"
#include "schedules/torch_csv.h"
#include "schedules/verify.h"
#include "tests/fuzz/fuzz_loop.h"
#include "tests/support/schedule_builder.h"
#include "tools/reports/baseline.h"
#include "traces/profile.h"

namespace stagecraft {
namespace {

using test::Fuzz;
using test::FuzzReport;
using test::kMutations;
using test::Verdict;

constexpr int kCanaryMutations = 2000;
constexpr std::int64_t kMostKib = 1 << 20;  ///< 1 GiB.

/// Diagnostics must be there if and only if there is no value, and name the file.
template <typename T>
bool IsConsistent(const Result<T>& result) {
  const bool named =
      std::all_of(result.diagnostics.begin(), result.diagnostics.end(),
                  [](const Diagnostic& fault) { return fault.where.rfind("fuzz", 0) == 0; });
  return named && result.value.has_value() != HasErrors(result.diagnostics);
}

void ExpectClean(const FuzzReport& report) {
  EXPECT_EQ(report.inputs, kMutations);
  EXPECT_TRUE(report.failures.empty()) << "the first: " << report.failures.front();
  EXPECT_LT(report.peak_kib, kMostKib);
  // Damage that nobody survives, or that everybody does, would test nothing.
  EXPECT_GT(report.accepted, 100);
  EXPECT_LT(report.accepted, kMutations - 100);
}

std::vector<std::string> ScheduleSamples() {
  std::vector<std::string> samples;
  for (const Generator& generator : Generators()) {
    const Schedule schedule =
        test::MakeNear(generator, {.ranks = 3, .microbatches = 3, .batches = 2});
    samples.push_back(Print(schedule));
    samples.push_back(Print(Lower(schedule)));
  }
  samples.emplace_back(
      "stagecraft schedule 1\nshape ranks 1 stages 2 microbatches 2  # comment\nplace 0: 0 1\n"
      "rank 0 0F0@0 1F0@0 0F1@0\nrank 0 (1F1@0;1B0@0) 0I0@0 0W0@0 1B1@0 1S@0 0R1@0 0B1@0 0S@0\n");
  return samples;
}

TEST(Fuzz, ScheduleTextIsParsedAndVerifiedInEverySendMode) {
  const std::uint64_t seed = test::SeedFromEnvironment(1);
  ExpectClean(Fuzz(ScheduleSamples(), seed, kMutations, [](const std::string& text) {
    const Result<Schedule> parsed = Parse(text, "fuzz.sched");
    if (!IsConsistent(parsed)) {
      return Verdict::kFailed;
    }
    if (!parsed) {
      return Verdict::kRefused;
    }
    const std::string printed = Print(*parsed.value);
    const Result<Schedule> again = Parse(printed, "fuzz.sched");
    if (!again || *again.value != *parsed.value) {
      return Verdict::kFailed;
    }
    bool valid = true;
    for (const SendMode mode : {SendMode::kEager, SendMode::kRendezvous, SendMode::kBlocking}) {
      valid = !HasErrors(Verify(*parsed.value, mode)) && valid;
    }
    if (valid) {
      VersionWarnings(*parsed.value);
    }
    return Verdict::kAccepted;
  }));
}

std::vector<std::string> TorchSamples() {
  std::vector<std::string> samples;
  for (const Generator& generator : Generators()) {
    const Schedule schedule = test::MakeNear(generator, {.ranks = 2, .microbatches = 4});
    for (const TorchFormat format : {TorchFormat::kComputeOnly, TorchFormat::kComputeComms}) {
      Result<std::string> text = PrintTorchCsv(schedule, format);
      if (text) {
        samples.push_back(*std::move(text.value));
      }
    }
  }
  samples.emplace_back("0UNSHARD, 0F0,,0F1,0B0,,0B1,0REDUCE_GRAD\r\n1F0,1B0 ,1F1,1I1,1W1\n");
  return samples;
}

TEST(Fuzz, TorchsFilesAreReadVerifiedAndWrittenAgain) {
  const std::uint64_t seed = test::SeedFromEnvironment(4);
  ExpectClean(Fuzz(TorchSamples(), seed, kMutations, [](const std::string& text) {
    const Result<TorchSchedule> parsed = ParseTorchCsv(text, "fuzz.csv");
    if (!IsConsistent(parsed)) {
      return Verdict::kFailed;
    }
    if (!parsed) {
      return Verdict::kRefused;
    }
    const Schedule& schedule = parsed.value->schedule;
    if (!Verify(schedule).empty()) {
      return Verdict::kAccepted;
    }
    const TorchFormat format =
        HasCommunication(schedule) ? TorchFormat::kComputeComms : TorchFormat::kComputeOnly;
    const Result<std::string> printed = PrintTorchCsv(schedule, format);
    const Result<TorchSchedule> again =
        printed ? ParseTorchCsv(*printed.value, "fuzz.csv") : Result<TorchSchedule>{};
    const bool same = again && again.value->schedule == schedule;
    return same ? Verdict::kAccepted : Verdict::kFailed;
  }));
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(std::string(STAGECRAFT_SOURCE_DIR) + "/" + path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::vector<std::string> ProfileSamples() {
  return {ReadFile("traces/recorded/vgg16.profile.json"),
          ReadFile("traces/recorded/gnmt.profile.json"),
          R"({"format": "stagecraft-profile", "version": 1, "microbatch_sizes": [2, 4, 8],
 "source": {"model": "a \"b\" \u00e9", "notes": "c"},
 "stages": [
  {"name": "x", "forward_ns": [1, 2, 3], "backward_ns": [2, null, 6],
   "backward_input_ns": [1, 2, 3], "backward_weight_ns": [1, 2, 3],
   "output_bytes": [8, 16, 32], "parameter_bytes": 100},
  {"forward_ns": [5, 6, 7], "backward_ns": [10, 12, 14], "step_ns": 3, "optimizer_bytes": 7}]})"};
}

/// What a user does with a profile: stages for some sizes.
bool UseProfile(const Profile& profile) {
  if (!CheckProfile(profile).empty()) {
    return false;
  }
  for (const double size : {0.5, 3.0, 128.0, 1e9}) {
    for (const std::int32_t stages : {1, 2, 4, 1'000'000}) {
      const Result<Partition> partition = BalancedPartition(profile, stages, size);
      if (partition) {
        const Result<Costs> costs = StageCostsOf(profile, *partition.value, {size});
        if (costs && costs.value->stages.size() != static_cast<std::size_t>(stages)) {
          return false;
        }
      }
    }
  }
  return true;
}

TEST(Fuzz, ProfileJsonIsParsedAndCutIntoStages) {
  const std::uint64_t seed = test::SeedFromEnvironment(2);
  ExpectClean(Fuzz(ProfileSamples(), seed, kMutations, [](const std::string& text) {
    const Result<Profile> parsed = ParseProfile(text, "fuzz.json");
    if (!IsConsistent(parsed)) {
      return Verdict::kFailed;
    }
    if (!parsed) {
      return Verdict::kRefused;
    }
    const Result<Profile> again = ParseProfile(PrintProfile(*parsed.value), "fuzz.json");
    const bool kept = again && *again.value == *parsed.value;
    return kept && UseProfile(*parsed.value) ? Verdict::kAccepted : Verdict::kFailed;
  }));
}

/// A PipeDream graph with the layers of a profile, and with the pseudo nodes that the importer
/// removes.
std::string GraphOf(const Profile& profile) {
  std::string nodes =
      "in -- Input -- forward_compute_time=1.0, backward_compute_time=0.0, activation_size=8.0, "
      "parameter_size=0.0\n"
      "out -- __getitem__(1) -- forward_compute_time=0.0, backward_compute_time=0.0, "
      "activation_size=[8.0; 4.0], parameter_size=0.0\n";
  std::string edges = "\tin -- n0\n\tn0 -- out\n";
  for (std::size_t i = 0; i < profile.layers.size(); ++i) {
    const ProfileLayer& layer = profile.layers[i];
    const MeasuredCosts& costs = layer.at[0];
    const std::string id = "n" + std::to_string(i);
    nodes += id + " -- " + layer.name +
             " -- forward_compute_time=" + std::to_string(costs.forward->count() / 1000) +
             ".000, backward_compute_time=" + std::to_string(costs.backward->count() / 1000) +
             ".000, activation_size=" + std::to_string(costs.output_bytes.value_or(0)) +
             ".0, parameter_size=" + std::to_string(layer.parameter_bytes.value_or(0)) + ".000\n";
    for (const std::int32_t input : layer.inputs) {
      edges += "\tn" + std::to_string(input) + " -- " + id + "\n";
    }
  }
  return nodes + edges;
}

TEST(Fuzz, PipeDreamGraphsAreImported) {
  const std::uint64_t seed = test::SeedFromEnvironment(3);
  std::vector<std::string> samples;
  for (const char* name : {"vgg16", "gnmt", "alexnet"}) {
    samples.push_back(GraphOf(OrThrow(ParseProfile(
        ReadFile("traces/recorded/" + std::string(name) + ".profile.json"), "sample"))));
    ASSERT_TRUE(ParsePipeDreamGraph(samples.back(), "sample", 1)) << name;
  }
  ExpectClean(Fuzz(samples, seed, kMutations, [](const std::string& text) {
    const Result<Profile> parsed = ParsePipeDreamGraph(text, "fuzz.txt", 32);
    if (!IsConsistent(parsed)) {
      return Verdict::kFailed;
    }
    if (!parsed) {
      return Verdict::kRefused;
    }
    return UseProfile(*parsed.value) ? Verdict::kAccepted : Verdict::kFailed;
  }));
}

TEST(Fuzz, BaselinesAreReadAndCompared) {
  const std::uint64_t seed = test::SeedFromEnvironment(5);
  const std::string sample = ReadFile("tests/golden/compare-vgg16.json");
  const nlohmann::ordered_json now = *ParseBaseline(sample, "sample").value;
  ExpectClean(Fuzz({sample}, seed, kMutations, [&](const std::string& text) {
    const Result<nlohmann::ordered_json> parsed = ParseBaseline(text, "fuzz.json");
    if (!IsConsistent(parsed)) {
      return Verdict::kFailed;
    }
    if (parsed) {
      CompareWithBaseline(*parsed.value, now, "fuzz.json");
    }
    return parsed ? Verdict::kAccepted : Verdict::kRefused;
  }));
}

// A canary: claims that are false must be noticed, so that silence above means something.
TEST(Fuzz, NoticesAFalseClaim) {
  const std::uint64_t seed = test::SeedFromEnvironment(4);
  const FuzzReport refused =
      Fuzz(ScheduleSamples(), seed, kCanaryMutations, [](const std::string& text) {
        return Parse(text, "fuzz.sched") ? Verdict::kFailed : Verdict::kRefused;
      });
  EXPECT_GT(refused.failures.size(), 0U) << "no damaged schedule is ever parsed";
  const FuzzReport valid =
      Fuzz(ScheduleSamples(), seed, kCanaryMutations, [](const std::string& text) {
        const Result<Schedule> parsed = Parse(text, "fuzz.sched");
        return !parsed || Verify(*parsed.value).empty() ? Verdict::kRefused : Verdict::kFailed;
      });
  EXPECT_GT(valid.failures.size(), 0U) << "no damaged schedule ever breaks a rule";
  const FuzzReport profiles =
      Fuzz(ProfileSamples(), seed, kCanaryMutations, [](const std::string& text) {
        const Result<Profile> parsed = ParseProfile(text, "fuzz.json");
        return parsed ? Verdict::kFailed : Verdict::kRefused;
      });
  EXPECT_GT(profiles.failures.size(), 0U) << "no damaged profile is ever parsed";
}

TEST(Mutator, GivesTheSameDamageForTheSameSeed) {
  test::Mutator a(5);
  test::Mutator b(5);
  test::Mutator c(6);
  bool differs = false;
  for (int i = 0; i < 100; ++i) {
    const std::string damaged = a.Mutate("1F0@0 and some 123 more\nlines\n");
    EXPECT_EQ(damaged, b.Mutate("1F0@0 and some 123 more\nlines\n"));
    differs = differs || damaged != c.Mutate("1F0@0 and some 123 more\nlines\n");
  }
  EXPECT_TRUE(differs);
}

}  // namespace
}  // namespace stagecraft
