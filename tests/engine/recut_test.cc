#include "engine/recut.h"

#include <algorithm>
#include <cstring>

#include <gtest/gtest.h>

#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

/// Six layers, four of them with weights: two linear ones, a batch norm, which has statistics too,
/// and a linear one without a bias.
const std::vector<Layer>& Layers() {
  using enum LayerKind;
  static const std::vector<Layer> layers = {
      MakeLayer(kLinear, {2, 3}),    MakeLayer(kRelu),
      MakeLayer(kLinear, {3, 5}),    MakeLayer(kTanh),
      MakeLayer(kBatchNorm2d, {20}), MakeLayer(kLinear, {5, 4, 0})};
  return layers;
}

/// Stages that begin with layer 0 and with those of `firsts`.
Model CutBefore(std::vector<std::size_t> firsts) {
  Model model{"six", {}};
  firsts.push_back(Layers().size());
  std::size_t begin = 0;
  for (const std::size_t end : firsts) {
    model.stages.emplace_back(Layers().begin() + static_cast<std::ptrdiff_t>(begin),
                              Layers().begin() + static_cast<std::ptrdiff_t>(end));
    begin = end;
  }
  return model;
}

/// Element i of layer l's part of a flat buffer is 1000 * l + i + `offset`: the same whatever the
/// stages are. Statistics are 7.
Snapshot SnapshotOf(const Model& model, std::int64_t updates, bool has_older = false) {
  Snapshot snapshot;
  for (std::int32_t stage = 0; stage < static_cast<std::int32_t>(model.stages.size()); ++stage) {
    const StageLayout layout = LayoutOf(model, stage);
    WeightStoreOptions options;
    options.elements = layout.elements;
    options.optimizer.momentum = 0.5;
    WeightStore store(options);
    store.SetUpdates(updates);
    std::int64_t layer = FirstLayerOf(model, stage);
    std::int64_t begin = 0;
    for (const Layer& each : model.stages[static_cast<std::size_t>(stage)]) {
      const std::int64_t elements = LayoutOf({"", {{each}}}, 0).elements;
      for (std::int64_t i = 0; i < elements; ++i) {
        const auto value = static_cast<float>(1000 * layer + i);
        reinterpret_cast<float*>(store.Slot(0))[begin + i] = value;
        reinterpret_cast<float*>(store.State().front().data)[begin + i] = value + 0.5F;
      }
      begin += elements;
      ++layer;
    }
    std::vector<float> statistics(static_cast<std::size_t>(layout.buffer_elements), 7);
    const StageMemory memory{stage, &layout, ElementType::kFloat32, &store,
                             reinterpret_cast<std::byte*>(statistics.data())};
    SaveStage(memory, snapshot);
    if (has_older) {
      SaveOlder(memory, {.back = 1, .slot = 0}, snapshot);
    }
  }
  SetPosition(snapshot, 12, true);
  return snapshot;
}

std::string Bytes(const Snapshot& snapshot) {
  const SnapshotFiles files = ToFiles(snapshot);
  return files.weights + *files.state;
}

Result<Snapshot> RecutTo(const Model& model, Snapshot snapshot) {
  return Recut(std::move(snapshot), model, ElementType::kFloat32, "a.safetensors");
}

TEST(Recut, EverythingGoesWithItsLayer) {
  const std::vector<std::vector<std::size_t>> cuts = {{},     {2},       {1, 2},
                                                      {2, 4}, {1, 3, 5}, {2, 3, 4}};
  for (const auto& from : cuts) {
    for (const auto& to : cuts) {
      const Result<Snapshot> recut =
          RecutTo(CutBefore(to), SnapshotOf(CutBefore(from), 3, /*has_older=*/true));
      ASSERT_EQ(test::Texts(recut.diagnostics), "");
      EXPECT_EQ(Bytes(*recut.value), Bytes(SnapshotOf(CutBefore(to), 3, true)))
          << from.size() << " to " << to.size();
    }
  }
}

TEST(Recut, WeightsAloneAreCutToo) {
  Snapshot snapshot = SnapshotOf(CutBefore({2}), 3);
  snapshot.state.reset();
  const Result<Snapshot> recut = RecutTo(CutBefore({1, 3, 5}), snapshot);
  ASSERT_EQ(test::Texts(recut.diagnostics), "");
  EXPECT_FALSE(recut.value->state);
  EXPECT_EQ(WriteSafetensors(recut.value->weights),
            ToFiles(SnapshotOf(CutBefore({1, 3, 5}), 3)).weights);
}

TEST(Recut, OneOfOtherLayersIsRefusedWithBothCuts) {
  Model other = CutBefore({1, 3, 5});
  other.stages.front().front() = MakeLayer(LayerKind::kLinear, {2, 4});
  EXPECT_EQ(
      test::Texts(RecutTo(other, SnapshotOf(CutBefore({2}), 3)).diagnostics),
      "a.safetensors: error: is of other layers than the model six: it has 2 stages (1 + 3 "
      "layers with weights), the model 4 stages (1 + 1 + 1 + 1 layers with weights); expected "
      "bias [4], weight [4, 2] as layer 0 of those, got bias [3], weight [3, 2]\n");
  other.stages.pop_back();
  EXPECT_EQ(test::Texts(RecutTo(other, SnapshotOf(CutBefore({2}), 3)).diagnostics),
            "a.safetensors: error: is of other layers than the model six: it has 2 stages (1 + 3 "
            "layers with weights), the model 3 stages (1 + 1 + 1 layers with weights); expected 3 "
            "layers, got 4\n");
}

TEST(Recut, OneOfAnotherTypeIsRefused) {
  EXPECT_EQ(test::Texts(Recut(SnapshotOf(CutBefore({2}), 3), CutBefore({2, 4}),
                              ElementType::kFloat64, "a.safetensors")
                            .diagnostics),
            "a.safetensors: error: 'stage0.0.bias' has elements of float32, the model of float64; "
            "expected the `type` that it was saved with\n");
}

TEST(Recut, SaysWhatCannotBeTakenOver) {
  Snapshot snapshot = SnapshotOf(CutBefore({3}), 3, /*has_older=*/true);
  snapshot.state->metadata["stage1.updates"] = "6";  // As where replicas are of stage 0 only.
  snapshot.state->tensors.erase("stage1.version-1");
  snapshot.state->tensors.erase("stage1.momentum");
  const Result<Snapshot> recut = RecutTo(CutBefore({2}), std::move(snapshot));
  ASSERT_TRUE(recut);
  EXPECT_EQ(test::Texts(recut.diagnostics),
            "a.safetensors: warning: 'momentum' was not kept for all layers of what is stage 1 "
            "now: it begins with zeros for the others\n"
            "a.safetensors: warning: weights of some updates ago (version-1) were kept for some of "
            "its stages only: training goes on with the newest\n"
            "a.safetensors: warning: layers of what is stage 1 now had made 3 and 6 updates: from "
            "here all count 6\n");
  EXPECT_FALSE(HasOlder(*recut.value));
  EXPECT_EQ(UpdatesOf(*recut.value, 0), 3);
  EXPECT_EQ(UpdatesOf(*recut.value, 1), 6);
}

TEST(Recut, AFileWithOtherNamesIsRefused) {
  Snapshot snapshot = SnapshotOf(CutBefore({2}), 3);
  snapshot.weights.tensors["weight"] = MakeHostTensor(ElementType::kFloat32, {1});
  EXPECT_EQ(test::Texts(RecutTo(CutBefore({2}), std::move(snapshot)).diagnostics),
            "a.safetensors: error: has a tensor 'weight'; expected names such as "
            "'stage0.1.weight'\n");
}

}  // namespace
}  // namespace stagecraft
