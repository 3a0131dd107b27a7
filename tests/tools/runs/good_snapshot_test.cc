#include "tools/runs/good_snapshot.h"

#include <cstring>
#include <limits>
#include <string>

#include <gtest/gtest.h>

namespace stagecraft {
namespace {

Snapshot MakeSnapshot(std::int32_t rank, float weight, double state = 0) {
  Snapshot snapshot;
  HostTensor tensor = MakeHostTensor(ElementType::kFloat32, {1});
  std::memcpy(tensor.memory.data, &weight, sizeof weight);
  snapshot.weights.tensors["stage" + std::to_string(rank) + ".0.weight"] = std::move(tensor);
  HostTensor momentum = MakeHostTensor(ElementType::kFloat64, {1});
  std::memcpy(momentum.memory.data, &state, sizeof state);
  snapshot.state.emplace();
  snapshot.state->tensors["stage" + std::to_string(rank) + ".momentum"] = std::move(momentum);
  return snapshot;
}

/// As a rank tells it.
std::string PartOf(Snapshot snapshot, std::int64_t position) {
  SetPosition(snapshot, position, true);
  const std::string weights = WriteSafetensors(snapshot.weights);
  const std::uint64_t size = weights.size();
  return std::string(reinterpret_cast<const char*>(&size), sizeof size) + weights +
         WriteSafetensors(*snapshot.state);
}

void Tell(GoodSnapshots& good, std::int32_t pause, std::int32_t rank, float weight) {
  TrainingReport report{TrainingReport::Kind::kSnapshot, pause, {}};
  report.updates.rank = rank;
  good.Take(report, PartOf(MakeSnapshot(rank, weight), pause + 1));
}

TEST(FindNotFinite, LooksAtWeightsAndState) {
  EXPECT_EQ(FindNotFinite(MakeSnapshot(0, 1)), std::nullopt);
  EXPECT_EQ(FindNotFinite(MakeSnapshot(0, std::numeric_limits<float>::infinity())),
            "stage0.0.weight");
  EXPECT_EQ(FindNotFinite(MakeSnapshot(0, 1, std::numeric_limits<double>::quiet_NaN())),
            "stage0.momentum");
}

TEST(GoodSnapshots, KeepTheLastThatAllRanksTold) {
  GoodSnapshots good(2);
  EXPECT_FALSE(good.LastOf(3));
  for (const std::int32_t pause : {0, 1, 2}) {
    Tell(good, pause, 0, 1);
    Tell(good, pause, 1, 1);
  }
  Tell(good, 3, 0, 1);  // Rank 1 has not come that far.
  EXPECT_EQ(PositionOf(*good.LastOf(4)), 3);
  EXPECT_EQ(PositionOf(*good.LastOf(2)), 2);  // Something was not finite behind the second pause.
}

TEST(GoodSnapshots, ThoseWithNumbersThatAreNotFiniteDoNotCount) {
  GoodSnapshots good(1);
  Tell(good, 0, 0, 1);
  Tell(good, 1, 0, std::numeric_limits<float>::infinity());
  EXPECT_EQ(PositionOf(*good.LastOf(2)), 1);
}

}  // namespace
}  // namespace stagecraft
