#include "tools/arguments/training_arguments.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>
#include <string_view>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "engine/model/cut.h"
#include "engine/model/model_file.h"
#include "schedules/names.h"
#include "schedules/option_check.h"
#include "tools/arguments/flags.h"
#include "tools/arguments/idle_flags.h"
#include "tools/arguments/named_model.h"
#include "tools/arguments/quantity.h"
#include "tools/command.h"
#include "tools/file_access.h"
#include "tools/runs/sequential_run.h"

namespace stagecraft {
namespace {

constexpr std::int32_t kMost = std::numeric_limits<std::int32_t>::max();
// The most of any size of model or data, and what holds without the flags.
constexpr std::int32_t kMostSize = 1 << 20;
constexpr std::int32_t kDefaultMicrobatchSize = 16;
constexpr std::int32_t kDefaultSamples = 4096;
constexpr std::int32_t kDefaultLength = 32;
constexpr std::int32_t kDefaultVocabulary = 64;
const char* const kModelGroup = "Model and data";

/// Throws `CommandFailure` (usage) for what `make` throws.
template <typename Make>
auto OrRefuse(const char* flag, const Make& make) {
  try {
    return make();
  } catch (const Error& error) {
    throw CommandFailure(ExitCode::kUsage, flag, error.what());
  }
}

/// Throws `CommandFailure` (usage) if the model does not fit the data, or the loss cannot be had
/// from what it puts out.
void CheckModel(const GivenTraining& given) {
  const TensorShape output =
      OrRefuse("--model", [&] { return StageInputs(given.task.model, given.task.sample).back(); });
  const TrainingData& data = given.data;
  const Layer& first = given.task.model.stages.front().front();

  // Whole numbers as inputs need an embedding, and an embedding needs them.
  const bool has_tokens = data.input_type == ElementType::kInt64;
  if (has_tokens != (first.kind == LayerKind::kEmbedding)) {
    throw CommandFailure(ExitCode::kUsage, "--model",
                         has_tokens ? "expected an embedding as first layer, since the data are "
                                      "whole numbers"
                                    : "expected data of whole numbers for its embedding");
  }

  RequireClasses(data, has_tokens ? std::optional(first.Size("size")) : std::nullopt,
                 output.empty() ? std::nullopt : std::optional(output.back()));
  TensorShape expected = data.target_sample;

  // The kind of the targets decides which loss there is.
  const bool is_classes = data.target_type == ElementType::kInt64;
  if (is_classes != (given.task.loss == Loss::kCrossEntropy)) {
    throw CommandFailure(ExitCode::kUsage, "--loss",
                         is_classes ? "expected cross-entropy, since the targets are classes"
                                    : "expected mse, since the targets are numbers");
  }

  // The cross-entropy takes one number per class.
  if (is_classes) {
    const std::int64_t needed = data.recorded ? 1 : data.outputs;  // A file was checked above.
    expected.push_back(output.empty() ? 0 : std::max(output.back(), needed));
  }

  if (output != expected) {
    throw CommandFailure(
        ExitCode::kUsage, "--model",
        fmt::format("puts out [{}] per sample; expected [{}], as the targets of the data need",
                    fmt::join(output, ", "), fmt::join(expected, ", ")));
  }
}

/// Micro-batches between two points where every stage has made all its updates; an epoch has a
/// multiple of them.
std::int64_t UnitOf(const Generator& generator, const GeneratorOptions& options) {
  std::int64_t unit = options.microbatches;
  const std::int32_t standard = generator.updates_every_ranks ? options.ranks : 1;
  if ((generator.takes & kTakesUpdateEvery) != 0) {
    unit = std::lcm(unit, options.update_every.value_or(standard));
  }
  for (const std::int32_t replicas : options.replicas) {
    unit = std::lcm(unit, replicas);
  }
  return unit;
}

/// Micro-batches of an epoch: a multiple of `unit`.
std::int32_t EpochOf(const TrainingData& data, std::int64_t unit) {
  const auto microbatches = static_cast<std::int32_t>(data.microbatches / unit * unit);
  if (microbatches == 0) {
    throw CommandFailure(
        ExitCode::kUsage, "--data",
        fmt::format("has {} micro-batches of {} samples, but updates and batches need a multiple "
                    "of {}; expected fewer (-m, --update-every) or {}",
                    data.microbatches, ToText(data.Sizes(data.microbatches)), unit,
                    data.recorded ? "a file with more" : "smaller ones (--microbatch-size)"));
  }
  return microbatches;
}

/// Puts a drained piece before and behind the micro-batches of `options`, as `neighbours` asks, and
/// returns their new place. Changes nothing and returns nullopt if no version lives across the
/// drains, or the generator would not take the longer stream.
std::optional<MicrobatchRange> Extend(const Generator& generator, GeneratorOptions& options,
                                      Neighbours neighbours) {
  const std::int64_t all = std::int64_t{options.microbatches} * options.batches;
  const std::int64_t every = options.drain_every > 0 ? options.drain_every : all;
  const std::int64_t before =
      neighbours.before ? std::lcm(every, std::int64_t{options.microbatches}) : 0;

  // A run that ends between two drains has none like it behind it.
  const std::int64_t behind =
      neighbours.behind && all % every == 0 ? UnitOf(generator, options) : 0;

  if (!generator.reads_over_drains || before + behind == 0 || before + all + behind > kMost) {
    return std::nullopt;
  }

  GeneratorOptions longer = options;
  longer.drain_every = static_cast<std::int32_t>(every);
  longer.batches = static_cast<std::int32_t>((before + all + behind) / options.microbatches);
  if (!CheckOptions(generator, longer).empty()) {
    return std::nullopt;
  }

  options = longer;
  return MicrobatchRange{static_cast<std::int32_t>(before),
                         static_cast<std::int32_t>(before + all)};
}

}  // namespace

void TrainingArguments::AddTo(CLI::App& app, const ScheduleArguments& schedule,
                              std::int32_t default_epochs) {
  default_epochs_ = default_epochs;
  schedule_ = &schedule;
  app_ = &app;
  const std::vector<CLI::Option*> before = app.get_options();
  app.add_option("--model", model_, "model to train: mlp, convnet, gpt, or a file [mlp]")
      ->type_name("NAME|FILE.json");
  const auto add_size = [&](const char* flag, std::optional<std::int32_t>& value,
                            const char* description) {
    AddInteger(app, flag, {1, kMostSize, "N"}, value, description);
  };
  add_size("--width", width_, "features of hidden layers [mlp, gpt: 64; convnet: 16]");
  add_size("--depth", depth_, "hidden layers of mlp [3], blocks of convnet [3] or gpt [4]");
  add_size("--heads", heads_, "heads of gpt's attention [4]");
  app.add_option_function<std::string>(
         "--cut",
         [this](const std::string& text) {
           cuts_by_measuring_ = text == "measured";
           if (cuts_by_measuring_) {
             return;
           }
           for (const std::string_view part : SplitAtCommas(text)) {
             cut_.push_back(FlagValue("--cut", ParseInteger(part, 1, kMostSize)));
           }
         },
         "the first unit (layers that stay together) of each stage but the first; measured: chosen "
         "by "
         "how long each unit takes here [even work]")
      ->type_name("I,J,...|measured");
  app.add_option("--data", data_,
                 "digits (8 x 8 images), classes, regression, images or tokens (made up), or a "
                 "file with micro-batches x.0, y.0, x.1, ..., which may differ in size: an update "
                 "is the mean over its samples [digits; gpt: tokens]")
      ->type_name("NAME|FILE.safetensors");
  add_size("--samples", samples_, "samples of data that is made up [4096]");
  add_size("--length", length_, "tokens in a sample [32]");
  add_size("--vocabulary", vocabulary_, "different tokens [64]");
  if (app.get_option_no_throw("--microbatch-size") == nullptr) {  // Costs may have one.
    add_size("--microbatch-size", microbatch_size_, "samples per micro-batch [16]");
  }
  AddInteger(
      app, "--epochs", {1, kMost, "E"}, epochs_,
      fmt::format(
          "passes over the data, in place of -n; the pipeline is drained and the model evaluated "
          "at the end of each; micro-batches that do not fill an update are left out{}",
          default_epochs > 0 ? fmt::format(" [{}]", default_epochs) : ""));
  AddChoice(app, "--loss", loss_,
            fmt::format("loss, averaged over the micro-batch [{} for classes, else {}]",
                        ToString(Loss::kCrossEntropy), ToString(Loss::kMeanSquares)));
  std::vector<std::string_view> types = NamesOf(ElementType());
  types.resize(kTrainingTypes);
  AddChoice(app, "--dtype", types, type_,
            fmt::format("type of weights and activations [{}]", ToString(type_)));
  AddInteger(
      app, "--seed", {0, kMost, "N"}, seed_,
      "seed of the initial weights, the order of the data, dropout, and data that is made up [0]");
  for (CLI::Option* option : app.get_options([&](const CLI::Option* candidate) {
         return std::find(before.begin(), before.end(), candidate) == before.end();
       })) {
    option->group(kModelGroup);
  }
  optimizer_.AddTo(app);
  device_.AddTo(app);
}

bool TrainingArguments::ModelIsFile() const {
  return IsModelFile(model_);
}

bool TrainingArguments::BeginsWithTokens() const {
  return ModelIsFile() ? ReadModelFile().stages.front().front().kind == LayerKind::kEmbedding
                       : model_ == "gpt";
}

TrainingData TrainingArguments::LoadData() const {
  TrainingDataRequest request;
  request.name = data_.value_or(DefaultData());
  request.type = type_;
  request.microbatch_size = microbatch_size_.value_or(kDefaultMicrobatchSize);
  request.samples = samples_.value_or(kDefaultSamples);
  request.vocabulary = vocabulary_.value_or(kDefaultVocabulary);
  request.length = length_.value_or(kDefaultLength);
  request.seed = static_cast<std::uint64_t>(seed_.value_or(0));
  request.tokens = BeginsWithTokens();
  request.loss = loss_;
  TrainingData data = LoadTrainingData(request);
  data.loss = loss_.value_or(data.loss);
  return data;
}

std::vector<std::vector<Layer>> TrainingArguments::Units(const TrainingData& data) const {
  return UnitsOfNamed({model_, width_, depth_, heads_}, data);
}

std::vector<double> TrainingArguments::CostsOfUnits(const std::vector<std::vector<Layer>>& units,
                                                    const TrainingData& data) const {
  std::vector<double> costs = WorkOfUnits(units, data.sample);
  if (cuts_by_measuring_) {
    constexpr std::int32_t kMicrobatches = 24;
    const std::vector<ProfileLayer> measured =
        MeasureSequentially(TaskFor({model_, units}, data), kMicrobatches).stages;
    for (std::size_t i = 0; i < costs.size(); ++i) {
      const MeasuredCosts& at = measured[i].at.front();
      costs[i] = static_cast<double>((*at.forward + *at.backward).count());
    }
  }
  return costs;
}

TrainingTask TrainingArguments::TaskFor(Model model, const TrainingData& data) const {
  TrainingTask task;
  task.model = std::move(model);
  task.sample = data.sample;
  task.type = type_;
  task.loss = data.loss;
  task.optimizer = optimizer_.Options();
  task.learning_rate = optimizer_.Rate();
  task.seed = static_cast<std::uint64_t>(seed_.value_or(0));
  task.compute = device_.Get();
  task.training = data.Training(data.microbatches, task.seed);
  task.evaluation = data.Evaluation();
  return task;
}

GivenTraining TrainingArguments::LoadForProfile() const {
  GivenTraining given;
  CheckModelName(model_);
  given.data = LoadData();
  RequireEqual(given.data.Sizes(given.data.microbatches), "--data");
  if (ModelIsFile()) {
    given.task = TaskFor(ReadModelFile(), given.data);
  } else {
    given.task = TaskFor({model_, Units(given.data)}, given.data);
  }
  CheckModel(given);
  return given;
}

Model TrainingArguments::ReadModelFile() const {
  Result<Model> read = ReadModel(ReadFile(model_), model_);
  if (!read) {
    throw CommandFailure(ExitCode::kUsage, std::move(read.diagnostics));
  }
  return *std::move(read.value);
}

Model TrainingArguments::LoadModel(const TrainingData& data, std::int32_t stages) const {
  if (ModelIsFile()) {
    Model model = ReadModelFile();
    const auto found = static_cast<std::int32_t>(model.stages.size());
    if (found != stages) {
      throw CommandFailure(ExitCode::kUsage, model_,
                           fmt::format("has {} stages, but the schedule has {}; expected as many "
                                       "(-p)",
                                       found, stages));
    }
    return model;
  }

  // A model that has a name is cut where --cut says, else so that stages have even work.
  return OrRefuse("--model", [&] {
    const std::vector<std::vector<Layer>> units = Units(data);
    const std::vector<std::int32_t> cut =
        cut_.empty() ? EvenCut(CostsOfUnits(units, data), stages) : cut_;
    if (static_cast<std::int32_t>(cut.size()) + 1 != stages) {
      throw Error(
          fmt::format("--cut makes {} stages, but the schedule has {}", cut.size() + 1, stages));
    }
    return CutModel(units, cut, model_);
  });
}

GivenTraining TrainingArguments::Load(const std::string& name_or_file,
                                      Neighbours neighbours) const {
  if (epochs_ && schedule_->HasBatches()) {
    throw CommandFailure(ExitCode::kUsage, "--epochs", "expected this or -n, not both");
  }

  GivenTraining given;
  CheckModelName(model_);
  given.data = LoadData();

  // How long the run is: whole epochs, or -n batches.
  const bool by_epochs = !schedule_->HasBatches() && (epochs_ || default_epochs_ > 0);
  const std::int64_t epochs = epochs_.value_or(default_epochs_);
  std::optional<std::int32_t> stages;
  if (!cut_.empty()) {
    stages = static_cast<std::int32_t>(cut_.size()) + 1;
  }

  // Generated schedules are as long as the data, which are known by now, need them to be.
  given.schedule = schedule_->LoadAdjusted(
      name_or_file, stages, [&](const Generator& generator, GeneratorOptions& options) {
        given.per_epoch = EpochOf(given.data, UnitOf(generator, options));

        const bool may_drain =
            (generator.takes & kTakesDrainEvery) != 0 && options.drain_every == 0;
        if (drained_pieces_ > 1 && may_drain) {
          const std::int64_t unit = UnitOf(generator, options);
          const std::int64_t all = std::int64_t{options.microbatches} * options.batches;
          options.drain_every = static_cast<std::int32_t>(
              std::max(all / drained_pieces_ / unit, std::int64_t{1}) * unit);
        }

        if (by_epochs) {
          const std::int64_t batches = epochs * given.per_epoch / options.microbatches;
          options.batches = static_cast<std::int32_t>(std::min<std::int64_t>(batches, kMost));
          if (may_drain) {
            options.drain_every = given.per_epoch;
          }
        }

        given.range = Extend(generator, options, neighbours);
      });

  // A file has its own length, and runs as often as that makes the epochs.
  const Shape& shape = given.schedule.schedule.shape;
  if (given.schedule.generator == nullptr) {
    given.per_epoch = EpochOf(given.data, shape.microbatches);
    given.rounds_per_epoch = given.per_epoch / shape.microbatches;
    given.rounds = by_epochs ? static_cast<std::int32_t>(
                                   std::min<std::int64_t>(epochs * given.rounds_per_epoch, kMost))
                             : schedule_->Options({}).batches;
  }

  given.task = TaskFor(LoadModel(given.data, shape.stages), given.data);
  given.task.microbatches_per_epoch = given.per_epoch;
  given.task.training = given.data.Training(given.per_epoch, given.task.seed);
  given.task.data = [data = given.data, per_epoch = given.per_epoch] {
    return data.Identity(per_epoch);
  };
  CheckModel(given);
  return given;
}

std::vector<IdleFlag> TrainingArguments::IdleFlagsFor(bool predicts) const {
  std::vector<IdleFlag> flags = FlagsOfModel(model_, ModelIsFile(), data_.value_or(DefaultData()));
  const std::vector<IdleFlag> of_optimizer = FlagsOfOptimizer(optimizer_.Options(), predicts);
  flags.insert(flags.end(), of_optimizer.begin(), of_optimizer.end());
  return flags;
}

std::vector<Diagnostic> TrainingArguments::IdleFlags(const Schedule& schedule,
                                                     bool is_generated) const {
  std::vector<IdleFlag> flags = IdleFlagsFor(PredictsUpdates(schedule));
  if (!is_generated) {
    for (const std::string& flag : schedule_->FlagsOfGenerators()) {
      flags.push_back({flag, "the schedule is a file"});
    }
  }
  return WarnOfIdle(*app_, flags);
}

std::vector<Diagnostic> TrainingArguments::IdleFlagsOfProfile() const {
  std::vector<IdleFlag> flags = IdleFlagsFor(/*predicts=*/true);
  flags.push_back({"--epochs", "--microbatches says how much is measured"});
  if (!ModelIsFile()) {
    flags.push_back({"--cut", "each unit is measured by itself"});
  }
  return WarnOfIdle(*app_, flags);
}

}  // namespace stagecraft
