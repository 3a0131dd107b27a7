#include "engine/snapshot.h"

#include <cstring>

#include <gtest/gtest.h>

#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

/// A stage with a linear layer and a batch norm, and its store.
struct Held {
  Model model{"m",
              {{MakeLayer(LayerKind::kLinear, {2, 3}), MakeLayer(LayerKind::kBatchNorm2d, {2})}}};
  StageLayout layout = LayoutOf(model, 0);
  WeightStore store;
  std::vector<std::byte> statistics;

  explicit Held(double momentum = 0.5)
      : store(Options(momentum)), statistics(static_cast<std::size_t>(layout.buffer_elements) * 4) {
    for (std::int64_t i = 0; i < layout.elements; ++i) {
      reinterpret_cast<float*>(store.Slot(0))[i] = static_cast<float>(i);
    }
  }
  WeightStoreOptions Options(double momentum) const {
    WeightStoreOptions options;
    options.elements = layout.elements;
    options.optimizer.momentum = momentum;
    return options;
  }
  StageMemory Memory() { return {0, &layout, ElementType::kFloat32, &store, statistics.data()}; }
};

Snapshot Saved(Held& held, std::int64_t position = 7, bool drained = true) {
  Snapshot snapshot;
  SaveStage(held.Memory(), snapshot);
  SetPosition(snapshot, position, drained);
  return snapshot;
}

TEST(Snapshot, NamesWeightsByStageAndLayer) {
  Held held;
  std::string names;
  for (const auto& [name, tensor] : Saved(held).weights.tensors) {
    names += name + " ";
  }
  EXPECT_EQ(names,
            "stage0.0.bias stage0.0.weight stage0.1.bias stage0.1.running_mean "
            "stage0.1.running_var stage0.1.weight ");
}

TEST(Snapshot, LoadingGivesBackWhatWasSaved) {
  Held held;
  held.store.SetUpdates(5);
  reinterpret_cast<float*>(held.store.State()[0].data)[1] = 0.25F;
  reinterpret_cast<float*>(held.statistics.data())[0] = 3;
  const Snapshot snapshot = OrThrow(FromFiles(ToFiles(Saved(held)), "a.safetensors"));
  Held other;
  std::memset(other.store.Slot(0), 0, static_cast<std::size_t>(other.layout.elements) * 4);
  LoadStage(snapshot, other.Memory());
  EXPECT_EQ(other.store.Updates(), 5);
  EXPECT_EQ(reinterpret_cast<float*>(other.store.State()[0].data)[1], 0.25F);
  EXPECT_EQ(reinterpret_cast<float*>(other.statistics.data())[0], 3);
  EXPECT_EQ(reinterpret_cast<float*>(other.store.Slot(0))[5], 5);
  EXPECT_EQ(PositionOf(snapshot), 7);
}

std::string LoadFault(const Snapshot& snapshot, Held& into) {
  try {
    LoadStage(snapshot, into.Memory());
  } catch (const Error& error) {
    return error.what();
  }
  return "none";
}

TEST(Snapshot, ThatOfAnotherModelIsRefused) {
  Held held;
  Snapshot snapshot = Saved(held);
  snapshot.weights.tensors.at("stage0.0.bias").shape = {1, 3};
  EXPECT_EQ(LoadFault(snapshot, held),
            "'stage0.0.bias' in the checkpoint has the shape [1, 3]; expected [3]");
  snapshot.weights.tensors.erase("stage0.0.bias");
  EXPECT_EQ(LoadFault(snapshot, held),
            "the checkpoint has no 'stage0.0.bias'; expected one of the same model and optimizer");
  Held without(0);
  snapshot = Saved(without);
  EXPECT_EQ(LoadFault(snapshot, held),
            "the checkpoint has no 'stage0.momentum'; expected one of the same model and "
            "optimizer");
}

TEST(Snapshot, WeightsAndStateOfDifferentSavesAreRefused) {
  Held held;
  SnapshotFiles files = ToFiles(Saved(held));
  reinterpret_cast<float*>(held.store.Slot(0))[0] = 99;
  files.weights = ToFiles(Saved(held)).weights;
  EXPECT_EQ(test::Texts(FromFiles(files, "a.safetensors").diagnostics),
            "a.state.safetensors: error: is not the state of a.safetensors; expected the two files "
            "of one save (remove the state to start from the weights alone)\n");
}

TEST(Snapshot, PassesOverTheDataStayWholeWhereAnEpochHasOtherMicrobatches) {
  Held held;
  Snapshot snapshot = Saved(held, 2 * 88);
  EXPECT_TRUE(FitPosition(snapshot, 87));  // Nobody said what an epoch had.
  EXPECT_EQ(PositionOf(snapshot), 176);
  SetEpoch(snapshot, 88);
  EXPECT_TRUE(FitPosition(snapshot, 87));
  EXPECT_EQ(PositionOf(snapshot), 2 * 87);
  EXPECT_TRUE(WasDrained(snapshot));
  SetPosition(snapshot, 10, true);
  EXPECT_FALSE(FitPosition(snapshot, 87));
  EXPECT_EQ(PositionOf(snapshot), 10);
  EXPECT_TRUE(FitPosition(snapshot, 88));
}

TEST(Snapshot, PartsJoinAtTheEarliestPosition) {
  Held held;
  std::vector<Snapshot> parts;
  parts.push_back(Saved(held, 9, false));
  parts.push_back(Saved(held, 7, true));
  const Snapshot joined = Join(std::move(parts));
  EXPECT_EQ(PositionOf(joined), 7);
  EXPECT_FALSE(WasDrained(joined));
}

TEST(Snapshot, TheStateStandsBesideTheWeights) {
  EXPECT_EQ(StateFileOf("runs/a.safetensors"), "runs/a.state.safetensors");
  EXPECT_EQ(StateFileOf("weights"), "weights.state.safetensors");
}

TEST(Snapshot, OfRanksThatWereNotAllDoneHasNoOlderVersions) {
  for (const bool drained : {true, false}) {
    Held held;
    std::vector<Snapshot> parts;
    parts.push_back(Saved(held));
    SaveOlder(held.Memory(), {.back = 1, .slot = 0}, parts.back());
    parts.push_back(Saved(held, 7, drained));
    EXPECT_EQ(HasOlder(Join(std::move(parts))), drained);
  }
}

TEST(Snapshot, OlderVersionsComeBackIntoTheirSlot) {
  Held held;
  Snapshot snapshot = Saved(held);
  EXPECT_FALSE(HasOlder(snapshot));
  const LiveWeights::Older before{.back = 1, .slot = 0};
  SaveOlder(held.Memory(), before, snapshot);
  EXPECT_TRUE(HasOlder(snapshot));
  Held other;
  std::memset(other.store.Slot(0), 0, static_cast<std::size_t>(other.layout.elements) * 4);
  LoadOlder(snapshot, other.Memory(), before);
  EXPECT_EQ(reinterpret_cast<const float*>(other.store.Slot(0))[2], 2.0F);
  EXPECT_EQ(other.store.Holds(0), (SlotContent{-1, 0}));
  EXPECT_THROW(LoadOlder(snapshot, other.Memory(), {.back = 2, .slot = 0}), Error);
  snapshot.state.reset();
  EXPECT_THROW(LoadOlder(snapshot, other.Memory(), before), Error);
}

}  // namespace
}  // namespace stagecraft
