#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/data/data_set.h"
#include "engine/model/built_in_models.h"
#include "engine/model/cut.h"
#include "engine/training.h"

namespace stagecraft::test {

/// A model small enough to be trained thousands of times.
struct SmallModel {
  const char* name;
  std::vector<std::vector<Layer>> units;
  TeacherOptions data;
};

inline std::vector<SmallModel> SmallModels() {
  using enum LayerKind;
  using Task = TeacherOptions::Task;
  return {{"mlp",
           MlpUnits({.inputs = 6, .width = 7, .depth = 3, .outputs = 3}),
           {Task::kClasses, 40, 6, 3, 1, 1}},
          {"convnet",
           ConvnetUnits({.channels = 2, .width = 3, .blocks = 2, .classes = 3}),
           {Task::kImages, 40, 2, 3, 5, 1}},
          {"gpt",
           GptUnits({.vocabulary = 11, .length = 5, .width = 8, .heads = 2, .blocks = 2}),
           {Task::kTokens, 40, 1, 11, 5, 1}},
          {"lstm",
           {{MakeLayer(kEmbedding, {11, 6})},
            {MakeLayer(kLstm, {6, 5}), MakeLayer(kDropout, {0.25})},
            {MakeResidual({MakeLayer(kLinear, {5, 5}), MakeLayer(kTanh), MakeLayer(kDropout)}),
             MakeLayer(kLayerNorm, {5})},
            {MakeLayer(kLinear, {5, 11, 0})}},
           {Task::kTokens, 40, 1, 11, 4, 1}}};
}

inline OptimizerOptions Momentum() {
  OptimizerOptions options;
  options.momentum = 0.9;
  return options;
}

inline OptimizerOptions Adam() {
  OptimizerOptions options;
  options.kind = OptimizerKind::kAdam;
  return options;
}

inline TensorShape SampleOf(const HostTensor& x) {
  return {x.shape.begin() + 1, x.shape.end()};
}

/// Micro-batches of 4 samples, 8 of them per epoch.
inline TrainingTask SmallTask(const SmallModel& model, std::int32_t stages,
                              const OptimizerOptions& optimizer,
                              ElementType type = ElementType::kFloat32) {
  TrainingTask task;
  const auto split = std::make_shared<const SplitData>(TeacherData(model.data, type));
  task.sample = SampleOf(split->training.x);
  task.model =
      CutModel(model.units, EvenCut(WorkOfUnits(model.units, task.sample), stages), model.name);
  task.type = type;
  task.optimizer = optimizer;
  task.learning_rate = LearningRate({optimizer.kind == OptimizerKind::kSgd ? 0.05 : 0.01});
  task.seed = 5;
  task.training = [split] {
    return std::make_unique<ShuffledBatches>(
        std::shared_ptr<const DataSet>(split, &split->training),
        ShuffledBatches::Options{.size = 4, .per_epoch = 8, .seed = 3});
  };
  return task;
}

}  // namespace stagecraft::test
