#include "traces/stage_costs.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "schedules/diagnostic.h"
#include "schedules/tables.h"
#include "traces/layer_costs.h"

namespace stagecraft {
namespace {

constexpr double kNanosecondsPerSecond = 1e9;

/// `a + b`, but at most `limit` + 1. Requires both in [0, limit + 1].
std::int64_t Sum(std::int64_t a, std::int64_t b, std::int64_t limit) {
  return a > limit - b ? limit + 1 : a + b;
}
void Add(Nanoseconds& total, Nanoseconds more) {
  total = Nanoseconds{Sum(total.count(), more.count(), Nanoseconds{kMaxDuration}.count())};
}
void Add(std::int64_t& total, std::int64_t more) {
  total = Sum(total, more, kMaxBytes);
}

/// Time to move `bytes`, rounded; one above the limit if it takes longer.
Nanoseconds TimeToMove(double bytes, double bandwidth) {
  const double time = bytes / bandwidth * kNanosecondsPerSecond;
  const auto limit = Nanoseconds{kMaxDuration};
  return time > static_cast<double>(limit.count()) ? limit + Nanoseconds{1}
                                                   : Nanoseconds{std::llround(time)};
}

/// Adds the layer's weights and what is done to them; see stage_costs.h for the rules.
void AddWeights(const ProfileLayer& layer, double bandwidth, StageCosts& stage) {
  const std::int64_t parameters = layer.parameter_bytes.value_or(0);
  const std::int64_t optimizer =
      layer.optimizer_bytes.value_or(Sum(parameters, parameters, kMaxBytes));
  Add(stage.sizes.parameter_bytes, parameters);
  Add(stage.sizes.optimizer_bytes, optimizer);
  const double step_bytes = static_cast<double>(parameters) + 2.0 * static_cast<double>(optimizer);
  Add(stage.step, layer.step.value_or(TimeToMove(step_bytes, bandwidth)));
  const double predict_bytes = 3.0 * static_cast<double>(parameters);
  Add(stage.predict, layer.predict.value_or(TimeToMove(predict_bytes, bandwidth)));
}

/// Adds what a layer costs for each micro-batch.
void AddLayer(const LayerCosts& layer, StageCosts& stage) {
  Add(stage.forward, layer.forward);
  Add(stage.backward, layer.backward);
  Add(stage.backward_input, layer.backward_input);
  Add(stage.backward_weight, layer.backward_weight);
  Add(stage.recompute, layer.recompute);
  Add(stage.sizes.activation_bytes, layer.activation_bytes);
}

/// For every layer the last layer that reads it; itself if none does.
Table<std::int32_t> LastReaders(const Profile& profile) {
  Table<std::int32_t> last(profile.layers.Count());
  for (std::int32_t i = 0; i < last.Count(); ++i) {
    last[i] = i;
    for (const std::int32_t input : profile.layers[i].inputs) {
      last[input] = i;
    }
  }
  return last;
}

/// Bytes that cross the cut before each layer: entry i is the cut between layers i - 1 and i.
/// Requires that an int64 holds the sum of all outputs.
std::vector<std::int64_t> BoundaryBytes(const Profile& profile,
                                        const std::vector<LayerCosts>& layers) {
  // A layer's output crosses the cuts from the one behind it to the one before its last reader.
  const Table<std::int32_t> last = LastReaders(profile);
  Table<std::int64_t> ends(layers.size() + 1, 0);
  std::vector<std::int64_t> bytes(layers.size() + 1, 0);

  std::int64_t crossing = 0;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    bytes[i] = crossing;
    crossing -= ends[i];
    if (std::cmp_greater(last[i], i)) {
      crossing += layers[i].output_bytes;
      ends[last[i]] += layers[i].output_bytes;
    }
  }

  return bytes;
}

/// One thing that a profile may lack, and what takes its place.
struct Gap {
  bool (*in_layer)(const ProfileLayer&);  ///< Whether this layer lacks it.
  std::vector<OpKind> kinds;  ///< The ops that it matters to; empty: to memory, hence always.
  std::string sentence;       ///< The sentence in `Costs::derived`.
};

template <typename Member>
bool MissingAtSomeSize(const ProfileLayer& layer, Member member) {
  for (const MeasuredCosts& costs : layer.at) {
    if (!(costs.*member)) {
      return true;
    }
  }
  return false;
}

std::vector<Gap> GapsFor(const StageCostsOptions& options) {
  using Layer = const ProfileLayer&;
  const std::vector<OpKind> halves{OpKind::kBackwardInput, OpKind::kBackwardWeight};
  const std::string bandwidth =
      fmt::format("at a memory bandwidth of {} GB/s", options.memory_bandwidth / 1e9);

  return {
      {[](Layer l) { return MissingAtSomeSize(l, &MeasuredCosts::backward); },
       {OpKind::kBackward},
       "backward: sum of backward_input and backward_weight"},
      {[](Layer l) {
         return MissingAtSomeSize(l, &MeasuredCosts::backward_input) ||
                MissingAtSomeSize(l, &MeasuredCosts::backward_weight);
       },
       halves,
       "backward_input and backward_weight: half of backward each (if one is given, the other is "
       "the rest); activations are kept until backward_weight"},
      {[](Layer l) { return MissingAtSomeSize(l, &MeasuredCosts::recompute); },
       {OpKind::kRecompute},
       "recompute: the forward again"},
      {[](Layer l) { return MissingAtSomeSize(l, &MeasuredCosts::output_bytes); },
       {},
       "output_bytes: 0"},
      {[](Layer l) { return MissingAtSomeSize(l, &MeasuredCosts::activation_bytes); },
       {},
       "activation_bytes: sum of the layers' outputs"},
      {[](Layer l) { return !l.parameter_bytes; }, {}, "parameter_bytes: 0"},
      {[](Layer l) { return !l.optimizer_bytes; },
       {},
       "optimizer_bytes: 2 * parameter_bytes, for gradient and momentum"},
      {[](Layer l) { return !l.step; },
       {OpKind::kStep},
       "step: parameter_bytes + 2 * optimizer_bytes " + bandwidth},
      {[](Layer l) { return !l.predict; },
       {OpKind::kPredict},
       "predict: 3 * parameter_bytes " + bandwidth},
  };
}

bool Matters(const Gap& gap, OpKinds kinds) {
  return gap.kinds.empty() || std::any_of(gap.kinds.begin(), gap.kinds.end(),
                                          [&](OpKind kind) { return kinds.Has(kind); });
}

/// How costs came to be those of `size`; empty if that size was measured.
std::string ScalingSentence(const Profile& profile, double size) {
  std::vector<std::int64_t> around;
  for (const std::int64_t measured : profile.microbatch_sizes) {
    if (static_cast<double>(measured) == size) {
      return "";
    }
    if (static_cast<double>(measured) < size) {
      around.assign(1, measured);
    } else if (around.size() < 2) {
      around.push_back(measured);
    }
  }

  // Beyond the measured sizes there is only one to scale from.
  const std::vector<std::int64_t>& sizes = profile.microbatch_sizes;
  if (size < static_cast<double>(sizes.front()) || size > static_cast<double>(sizes.back())) {
    return fmt::format(
        "times and activations at micro-batch size {}: in proportion to those measured at {}", size,
        size > static_cast<double>(sizes.back()) ? sizes.back() : sizes.front());
  }

  return fmt::format(
      "times and activations at micro-batch size {}: between those measured at {} and {}", size,
      around[0], around[1]);
}

std::vector<std::string> DerivedSentences(const Profile& profile,
                                          const StageCostsOptions& options) {
  std::vector<std::string> sentences;
  for (const Gap& gap : GapsFor(options)) {
    if (!Matters(gap, options.kinds)) {
      continue;
    }

    // How many layers lack it says how much of the result rests on the rule.
    std::size_t layers = 0;
    for (const ProfileLayer& layer : profile.layers) {
      layers += gap.in_layer(layer) ? std::size_t{1} : 0;
    }
    if (layers > 0) {
      sentences.push_back(fmt::format("{} ({} of {} {})", gap.sentence, layers,
                                      profile.layers.size(),
                                      profile.is_stages ? "stages" : "layers"));
    }
  }

  const std::string scaling = ScalingSentence(profile, options.microbatch_size);
  if (!scaling.empty()) {
    sentences.push_back(scaling);
  }
  if (options.kinds.Has(OpKind::kAllReduce)) {
    sentences.emplace_back("all-reduce: 0, since a profile knows no network");
  }

  return sentences;
}

/// Adds a fault for a partition of other layers, and for a bandwidth that makes no sense.
void CheckArguments(const Profile& profile, const Partition& partition, double bandwidth,
                    std::vector<Diagnostic>& faults) {
  const std::vector<std::int32_t>& begin = partition.begin;
  bool whole = begin.size() >= 2 && begin.front() == 0 &&
               static_cast<std::size_t>(begin.back()) == profile.layers.size();
  // Ascending, so that no stage is empty.
  for (std::size_t i = 1; i < begin.size(); ++i) {
    whole = whole && begin[i - 1] < begin[i];
  }

  if (!whole) {
    faults.push_back(ErrorAt("", fmt::format("expected a partition of all {} layers into stages of "
                                             "at least one layer each, in ascending order",
                                             profile.layers.size())));
  }

  if (!(bandwidth > 0) || !std::isfinite(bandwidth)) {
    faults.push_back(ErrorAt(
        "",
        fmt::format("expected a memory bandwidth above 0 bytes per second, got {}", bandwidth)));
  }
}

/// What each stage holds.
std::vector<StageLayers> LayersOf(const Profile& profile, const Partition& partition) {
  std::vector<StageLayers> stages;
  for (std::size_t i = 0; i + 1 < partition.begin.size(); ++i) {
    const std::int32_t first = partition.begin[i];
    const std::int32_t last = partition.begin[i + 1] - 1;
    stages.push_back({first, last, profile.layers[first].name, profile.layers[last].name});
  }
  return stages;
}

/// One error per total of `stage` that is beyond the ranges of costs.h.
void CheckRanges(std::size_t index, const StageCosts& stage, std::vector<Diagnostic>& faults) {
  using Time = std::pair<std::string_view, Nanoseconds>;
  for (const Time& time :
       {Time{"forward", stage.forward}, Time{"backward", stage.backward},
        Time{"backward_input", stage.backward_input},
        Time{"backward_weight", stage.backward_weight}, Time{"recompute", stage.recompute},
        Time{"step", stage.step}, Time{"predict", stage.predict}}) {
    if (time.second > kMaxDuration) {
      faults.push_back(
          ErrorAt("", fmt::format("stage {}: {} takes more than one hour", index, time.first)));
    }
  }

  // Single layers are in range, but sums may not be.
  using Size = std::pair<std::string_view, std::int64_t>;
  for (const Size& size : {Size{"activation_bytes", stage.sizes.activation_bytes},
                           Size{"input_bytes", stage.sizes.input_bytes},
                           Size{"output_bytes", stage.sizes.output_bytes},
                           Size{"parameter_bytes", stage.sizes.parameter_bytes},
                           Size{"optimizer_bytes", stage.sizes.optimizer_bytes}}) {
    if (size.second > kMaxBytes) {
      faults.push_back(
          ErrorAt("", fmt::format("stage {}: {} is more than one pebibyte", index, size.first)));
    }
  }
}

}  // namespace

Result<Costs> StageCostsOf(const Profile& profile, const Partition& partition,
                           const StageCostsOptions& options) {
  Result<Costs> result;
  const Result<SizePosition> position = FindSize(profile, options.microbatch_size);
  result.diagnostics = position.diagnostics;
  CheckArguments(profile, partition, options.memory_bandwidth, result.diagnostics);
  if (HasErrors(result.diagnostics)) {
    return result;
  }

  std::vector<LayerCosts> layers;
  layers.reserve(profile.layers.size());
  // All outputs together, since any of them may cross the same cut.
  std::int64_t outputs = 0;
  for (const ProfileLayer& layer : profile.layers) {
    layers.push_back(CostsAt(layer, *position.value));
    Add(outputs, layers.back().output_bytes);
  }
  if (outputs > kMaxBytes) {
    result.diagnostics.push_back(
        ErrorAt("", "the layers' outputs together are more than one pebibyte"));
    return result;
  }

  const std::vector<std::int64_t> boundary = BoundaryBytes(profile, layers);
  Costs costs;
  costs.microbatch_size = options.microbatch_size;
  for (std::size_t i = 0; i + 1 < partition.begin.size(); ++i) {
    StageCosts& stage = costs.stages.emplace_back();
    const auto begin = static_cast<std::size_t>(partition.begin[i]);
    const auto end = static_cast<std::size_t>(partition.begin[i + 1]);
    for (std::size_t layer = begin; layer < end; ++layer) {
      AddLayer(layers[layer], stage);
      AddWeights(profile.layers[layer], options.memory_bandwidth, stage);
    }
    stage.sizes.input_bytes = boundary[begin];
    stage.sizes.output_bytes = boundary[end];
    CheckRanges(i, stage, result.diagnostics);
  }

  if (!HasErrors(result.diagnostics)) {
    costs.layers = LayersOf(profile, partition);
    costs.is_ready = profile.is_stages;
    costs.derived = DerivedSentences(profile, options);
    result.value = std::move(costs);
  }
  return result;
}

}  // namespace stagecraft
