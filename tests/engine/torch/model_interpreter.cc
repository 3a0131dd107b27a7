#include "tests/engine/torch/model_interpreter.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <tuple>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/mse_loss.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>

#include "engine/model/initial_weights.h"
#include "engine/ranks/process_job.h"
#include "engine/ranks/thread_job.h"
#include "engine/torch/tensor_memory.h"
#include "engine/torch/torch_framework.h"
#include "engine/torch/torch_layers.h"
#include "schedules/progress.h"
#include "tests/engine/torch/optimized_element.h"

namespace stagecraft::test {
namespace {

template <typename T>
class Interpreter {
 public:
  Interpreter(const Schedule& schedule, const TrainingTask& task)
      : schedule_(schedule), task_(task), data_(task.training()) {
    for (std::size_t rank = 0; rank < schedule.placement.size(); ++rank) {
      for (const std::int32_t stage : schedule.placement[rank]) {
        Begin(stage, static_cast<std::int32_t>(rank));
      }
    }
  }

  void Run(OpRef ref) {
    const Op& op = schedule_.At(ref);
    Replica& replica = replicas_.at({op.stage, ref.rank});
    const std::pair<std::int32_t, std::int32_t> work(op.stage, op.microbatch);
    if (TraitsOf(op.kind).reads_weights) {
      Read(replica, {op.version, op.horizon});
    }
    switch (op.kind) {
      case OpKind::kForward:
        Forward(replica, op, true);
        break;
      case OpKind::kRecompute:
        Forward(replica, op, false);
        break;
      case OpKind::kBackward: {
        torch::autograd::backward({output_.at(work)}, {OutputGradient(op)});
        KeepInputGradient(op);
        replica.samples += data_->Samples(op.microbatch);
        break;
      }
      case OpKind::kBackwardInput:
        if (op.stage > 0) {
          input_gradient_[work] = torch::autograd::grad({output_.at(work)}, {input_.at(work)},
                                                        {OutputGradient(op)}, true)
                                      .front();
        }
        break;
      case OpKind::kBackwardWeight:
        torch::autograd::backward({output_.at(work)}, {OutputGradient(op)});
        replica.samples += data_->Samples(op.microbatch);
        break;
      case OpKind::kStep:
        Step(replica, op.version);
        break;
      case OpKind::kPredict:
        Predict(replica, op);
        break;
      case OpKind::kAllReduce:
        Meet(op.stage, op.version);
        break;
      default:
        break;
    }
  }

  TrainedModel Result() const {
    TrainedModel result;
    result.losses = losses_;
    for (const auto& [place, replica] : replicas_) {
      const std::vector<T>& newest = replica.versions.at({replica.newest, 0});
      for (const PlacedParameter& parameter : replica.layout.parameters) {
        const auto begin = newest.begin() + parameter.offset;
        result.weights.try_emplace(parameter.name,
                                   std::vector<double>(begin, begin + Elements(parameter.shape)));
      }
      for (std::size_t i = 0; i < replica.statistics.size(); ++i) {
        const T* const begin = replica.statistics[i].template data_ptr<T>();
        result.weights.try_emplace(
            replica.layout.buffers[i].name,
            std::vector<double>(begin, begin + replica.statistics[i].numel()));
      }
    }
    return result;
  }

 private:
  using Pair = std::pair<std::int32_t, std::int32_t>;

  /// A stage on one rank.
  struct Replica {
    StageLayout layout;
    std::map<Pair, std::vector<T>> versions;  ///< By version and horizon.
    std::int32_t newest = 0;
    std::int64_t samples = 0;           ///< Of the gradients so far.
    std::optional<std::vector<T>> met;  ///< The sum over all replicas, after an A.
    std::vector<at::Tensor> parameters, statistics;
    std::vector<Element<T>> elements;
  };

  void Begin(std::int32_t stage, std::int32_t rank) {
    Replica& replica = replicas_[{stage, rank}];
    replica.layout = LayoutOf(task_.model, stage);
    const auto elements = static_cast<std::size_t>(replica.layout.elements);
    std::vector<T>& first = replica.versions[{0, 0}];
    first.resize(elements);
    replica.elements.resize(elements);
    FillInitialWeights(task_.model, stage, task_.seed, task_.type,
                       reinterpret_cast<std::byte*>(first.data()));
    std::vector<T> buffers(static_cast<std::size_t>(replica.layout.buffer_elements));
    FillInitialBuffers(replica.layout, task_.type, reinterpret_cast<std::byte*>(buffers.data()));
    const at::TensorOptions options = at::TensorOptions().dtype(ScalarTypeOf(task_.type));
    for (const PlacedParameter& parameter : replica.layout.parameters) {
      replica.parameters.push_back(
          at::from_blob(first.data() + parameter.offset, parameter.shape, options)
              .clone()
              .requires_grad_());
      replica.parameters.back().mutable_grad() = at::zeros_like(replica.parameters.back());
    }
    for (const PlacedParameter& buffer : replica.layout.buffers) {
      replica.statistics.push_back(
          at::from_blob(buffers.data() + buffer.offset, buffer.shape, options).clone());
    }
  }

  /// Through `.data()`, which no version counter sees.
  void Read(Replica& replica, Pair key) {
    std::vector<T>& version = replica.versions.at(key);
    for (std::size_t i = 0; i < replica.parameters.size(); ++i) {
      const at::Tensor& parameter = replica.parameters[i];
      std::memcpy(parameter.data_ptr(), version.data() + replica.layout.parameters[i].offset,
                  parameter.nbytes());
    }
  }

  void Forward(Replica& replica, const Op& op, bool is_first_time) {
    const std::pair<std::int32_t, std::int32_t> work(op.stage, op.microbatch);
    if (is_first_time && op.stage == 0) {
      HostTensor input = data_->Input(op.microbatch);
      input_[work] = TensorOver(input.memory, input.shape, input.type).clone();
    } else if (is_first_time) {
      input_[work] = output_.at({op.stage - 1, op.microbatch}).detach().clone().requires_grad_();
    }
    at::Tensor output = RunLayers(task_.model.stages[static_cast<std::size_t>(op.stage)],
                                  input_.at(work), replica.parameters, replica.statistics,
                                  {.gather_statistics = is_first_time,
                                   .seed = task_.seed,
                                   .first_layer = FirstLayerOf(task_.model, op.stage),
                                   .microbatch = op.microbatch});
    if (op.stage + 1 == schedule_.shape.stages) {
      HostTensor target = data_->Target(op.microbatch);
      const at::Tensor wanted = TensorOver(target.memory, target.shape, target.type);
      output = task_.loss == Loss::kMeanSquares
                   ? at::mse_loss(output, wanted)
                   : at::cross_entropy_loss(output.flatten(0, -2), wanted.flatten());
      losses_[op.microbatch] = output.template item<double>();
    }
    output_[work] = output;
  }

  at::Tensor OutputGradient(const Op& op) {
    return op.stage + 1 == schedule_.shape.stages
               ? at::full_like(output_.at({op.stage, op.microbatch}), data_->Weight(op.microbatch))
               : input_gradient_.at({op.stage + 1, op.microbatch});
  }

  void KeepInputGradient(const Op& op) {
    if (op.stage > 0) {
      input_gradient_[{op.stage, op.microbatch}] =
          input_.at({op.stage, op.microbatch}).grad().clone();
    }
  }

  /// The sum of the gradients, flat.
  static std::vector<T> Gradient(const Replica& replica) {
    std::vector<T> flat(static_cast<std::size_t>(replica.layout.elements));
    for (std::size_t i = 0; i < replica.parameters.size(); ++i) {
      const at::Tensor gradient = replica.parameters[i].grad().contiguous();
      std::memcpy(flat.data() + replica.layout.parameters[i].offset, gradient.data_ptr(),
                  gradient.nbytes());
    }
    return flat;
  }

  void Step(Replica& replica, std::int32_t version) {
    std::vector<T> weights = replica.versions.at({version, 0});
    std::vector<T> gradient =
        replica.met ? *std::exchange(replica.met, std::nullopt) : Gradient(replica);
    const double count =
        static_cast<double>(replica.samples) / static_cast<double>(data_->SamplesOfFirst());
    double clip = 1;
    if (task_.optimizer.clip_norm > 0) {
      double sum = 0;
      for (const T g : gradient) {
        const double mean = static_cast<double>(g) / count;
        sum += mean * mean;
      }
      clip = std::min(1.0, task_.optimizer.clip_norm / (std::sqrt(sum) + 1e-6));
    }
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const T mean = gradient[i] / static_cast<T>(count) * static_cast<T>(clip);
      weights[i] = replica.elements[i].Stepped(task_.optimizer, weights[i], mean, version,
                                               task_.learning_rate.At(version), Decay(replica));
    }
    replica.versions[{version + 1, 0}] = std::move(weights);
    replica.newest = version + 1;
    replica.samples = 0;
    for (at::Tensor& parameter : replica.parameters) {
      parameter.mutable_grad().zero_();
    }
  }

  void Predict(Replica& replica, const Op& op) {
    std::vector<T> weights = replica.versions.at({op.version, 0});
    for (std::size_t i = 0; i < weights.size(); ++i) {
      weights[i] = replica.elements[i].Predicted(task_.optimizer, weights[i], op.version,
                                                 op.horizon, task_.learning_rate.At(op.version));
    }
    replica.versions[{op.version, op.horizon}] = std::move(weights);
  }

  /// PipeMare's decay: from the least horizon of the stage.
  double Decay(const Replica& replica) const {
    const std::int32_t least = LeastHorizon(replica);
    return least < 0 ? std::exp(-2.0 / -least) : 0;
  }
  std::int32_t LeastHorizon(const Replica& replica) const {
    std::int32_t least = 0;
    for (const auto& [place, each] : replicas_) {
      if (&each == &replica) {
        for (const Op& op : schedule_.programs[static_cast<std::size_t>(place.second)]) {
          if (op.kind == OpKind::kPredict && op.stage == place.first) {
            least = std::min<std::int32_t>(least, op.horizon);
          }
        }
      }
    }
    return least;
  }

  /// The order in which ops can run has every member's gradients before any member's A.
  void Meet(std::int32_t stage, std::int32_t version) {
    if (!met_.insert({stage, version}).second) {
      return;
    }
    std::vector<double> sum;
    std::int64_t samples = 0;
    for (auto& [place, replica] : replicas_) {
      if (place.first != stage) {
        continue;
      }
      const std::vector<T> gradient = Gradient(replica);
      if (sum.empty()) {
        sum.assign(gradient.begin(), gradient.end());
      } else {
        std::transform(sum.begin(), sum.end(), gradient.begin(), sum.begin(),
                       [](double a, T b) { return a + static_cast<double>(b); });
      }
      samples += replica.samples;
    }
    for (auto& [place, replica] : replicas_) {
      if (place.first == stage) {
        replica.met = std::vector<T>(sum.begin(), sum.end());
        replica.samples = samples;
      }
    }
  }

  const Schedule& schedule_;
  const TrainingTask& task_;
  std::unique_ptr<BatchSource> data_;
  std::map<Pair, Replica> replicas_;  ///< By stage and rank.
  std::map<Pair, at::Tensor> input_, output_, input_gradient_;
  std::map<std::int64_t, double> losses_;
  std::set<Pair> met_;
};

template <typename T>
TrainedModel InterpretAs(const Schedule& lowered, const TrainingTask& task) {
  Interpreter<T> interpreter(lowered, task);
  for (const OpRef op : OrderOps(lowered, FindDependencies(lowered), SendMode::kEager).order) {
    interpreter.Run(op);
  }
  return interpreter.Result();
}

std::vector<double> ToDoubles(const HostTensor& tensor) {
  const auto size = Elements(tensor.shape);
  if (tensor.type == ElementType::kFloat64) {
    const auto* const begin = reinterpret_cast<const double*>(tensor.memory.data);
    return {begin, begin + size};
  }
  const auto* const begin = reinterpret_cast<const float*>(tensor.memory.data);
  return {begin, begin + size};
}

}  // namespace

TrainedModel InterpretTraining(const Schedule& lowered, const TrainingTask& task) {
  TorchFramework().PrepareThread({});  // As many threads as each rank has: sums depend on it.
  return task.type == ElementType::kFloat64 ? InterpretAs<double>(lowered, task)
                                            : InterpretAs<float>(lowered, task);
}

TrainedModel ToTrainedModel(const Snapshot& snapshot) {
  TrainedModel model;
  for (const auto& [name, tensor] : snapshot.weights.tensors) {
    model.weights[name] = ToDoubles(tensor);
  }
  return model;
}

TrainedModel ExecuteTraining(const TrainingPlan& plan, const TrainingTask& task, bool processes,
                             Recorder* recorder) {
  TorchFramework framework;
  const MakeWork work = TrainingWork({.task = &task, .plan = &plan, .framework = &framework});
  std::map<std::int64_t, double> losses;
  std::map<std::int64_t, MicrobatchResult> evaluations;
  const JobOptions options{.recorder = recorder,
                           .on_report = [&](std::int32_t, std::string_view bytes) {
                             const TrainingReport report = ReadTrainingReport(bytes);
                             if (report.kind == TrainingReport::Kind::kEvaluation) {
                               evaluations[report.result.microbatch] = report.result;
                             } else if (report.kind == TrainingReport::Kind::kTraining) {
                               losses[report.result.microbatch] = report.result.loss;
                             }
                           }};
  TrainedModel model =
      ToTrainedModel(ReadTrainingResult(processes ? RunAsProcesses(plan.training, work, options)
                                                  : RunAsThreads(plan.training, work, options)));
  model.losses = std::move(losses);
  model.evaluations = std::move(evaluations);
  return model;
}

std::string Difference(const TrainedModel& a, const TrainedModel& b) {
  std::ostringstream text;  // Not fmt, of which LibTorch brings its own headers.
  text << std::hexfloat;
  if (a.weights.size() != b.weights.size() || a.losses.size() != b.losses.size()) {
    text << a.weights.size() << " weights and " << a.losses.size() << " losses against "
         << b.weights.size() << " and " << b.losses.size();
    return text.str();
  }
  for (const auto& [microbatch, loss] : a.losses) {
    const auto other = b.losses.find(microbatch);
    if (other == b.losses.end() || other->second != loss) {
      text << "loss " << microbatch << ": " << loss << " against "
           << (other == b.losses.end() ? -1 : other->second);
      return text.str();
    }
  }
  for (const auto& [name, values] : a.weights) {
    const auto other = b.weights.find(name);
    if (other == b.weights.end() || other->second.size() != values.size()) {
      return name + " is missing or of another size";
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (values[i] != other->second[i]) {
        text << name << '[' << i << "]: " << values[i] << " against " << other->second[i];
        return text.str();
      }
    }
  }
  return "";
}

}  // namespace stagecraft::test
