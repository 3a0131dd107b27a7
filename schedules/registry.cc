#include "schedules/registry.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include <fmt/format.h>

#include "schedules/closest.h"
#include "schedules/stream.h"

namespace stagecraft {
namespace {

constexpr std::uint32_t kStream = kTakesUpdateEvery | kTakesDrainEvery;

constexpr std::array<Generator, 13> kGenerators = {{
    {.name = "sequential",
     .make = Sequential,
     .summary = "plain training: all -p stages on one rank",
     .bounded = "1 weight copy, 1 activation set per stage, staleness 0",
     .source = "",
     .takes = 0,
     .flushes = true,
     .whole_batches = false},
    {.name = "model-parallel",
     .make = ModelParallel,
     .summary = "stages on ranks, one micro-batch at a time, no overlap",
     .bounded = "1 weight copy, 1 activation set, staleness 0",
     .source = "",
     .takes = 0,
     .flushes = true,
     .whole_batches = false},
    {.name = "data-parallel",
     .make = DataParallel,
     .summary = "the whole model on each of -p ranks, all-reduce before the step",
     .bounded = "1 weight copy per rank, staleness 0",
     .source = "",
     .takes = 0,
     .flushes = true,
     .whole_batches = false,
     .deals_out_batches = true},
    {.name = "gpipe",
     .make = GPipe,
     .summary = "all forwards, all backwards, flush",
     .bounded = "1 weight copy, m activation sets, staleness 0",
     .source = "Huang et al., NeurIPS 2019",
     .takes = kTakesCheckpoint,
     .flushes = true,
     .whole_batches = false},
    {.name = "1f1b",
     .make = OneFOneB,
     .summary = "one forward, one backward, flush (PipeDream-Flush, DAPPLE)",
     .bounded = "1 weight copy, D - r activation sets, staleness 0",
     .source = "Narayanan et al., ICML 2021",
     .takes = kTakesWarmup,
     .flushes = true,
     .whole_batches = false},
    {.name = "async-1f1b",
     .make = AsyncOneFOneB,
     .summary = "1F1B without flush or stash: reads whatever is newest",
     .bounded = "1 weight copy, D - r activation sets, staleness D-1-r",
     .source = "",
     .takes = kStream,
     .flushes = false,
     .whole_batches = true},
    {.name = "pipedream",
     .make = PipeDream,
     .summary = "1F1B without flush; backward reads the stashed weights of its forward",
     .bounded = "D - r weight copies, D - r activation sets, staleness D-1-r",
     .source = "Narayanan et al., SOSP 2019",
     .takes = kStream | kTakesVerticalSync | kTakesReplicas,
     .flushes = false,
     .whole_batches = true},
    {.name = "pipedream-2bw",
     .make = PipeDream2BW,
     .summary = "double-buffered weights, an update every T micro-batches",
     .bounded = "2 weight copies, D - r activation sets, staleness 1",
     .source = "Narayanan et al., ICML 2021",
     .takes = kStream,
     .flushes = false,
     .whole_batches = false,
     .updates_every_ranks = true,
     .reads_over_drains = true},
    {.name = "spectrain",
     .make = SpecTrain,
     .summary = "predicts for forward and backward, aims at the end of the round trip",
     .bounded =
         "2 weight copies, D - r activation sets, staleness D-1-r, nominally 0 to -floor(r/2)",
     .source = "Chen et al., arXiv 1809.02839",
     .takes = kStream | kTakesHorizon,
     .flushes = false,
     .whole_batches = true,
     .one_per_update = true},
    {.name = "xpipe",
     .make = XPipe,
     .summary = "one prediction per update for its T forwards, one for its T backwards",
     .bounded = "up to 3 weight copies, D - r activation sets",
     .source = "Guan et al., arXiv 1911.04610",
     .takes = kStream | kTakesHorizon | kTakesRounding,
     .flushes = false,
     .whole_batches = false},
    {.name = "pipeoptim",
     .make = PipeOptim,
     .summary = "predicts for the forward what its backward will read",
     .bounded =
         "2 weight copies (last stage 1), D - r activation sets, staleness D-1-r, nominally 0",
     .source = "Guan et al., arXiv 2312.00839",
     .takes = kStream | kTakesHorizon,
     .flushes = false,
     .whole_batches = true},
    {.name = "pipemare",
     .make = PipeMare,
     .summary = "backward reads an estimate of its forward's weights, nothing is stashed",
     .bounded = "2 weight copies (last stage 1), D - r activation sets, staleness D-1-r",
     .source = "Yang et al., arXiv 1910.05124",
     .takes = kStream,
     .flushes = false,
     .whole_batches = true},
    {.name = "pipelined-backprop",
     .make = PipelinedBackprop,
     .summary = "2(D-1-r) forwards ahead, forwards predict over that delay",
     .bounded = "2 weight copies (last stage 1), 2(D-1-r)+1 activation sets, staleness 2(D-1-r)",
     .source = "Kosson et al., arXiv 2003.11666",
     .takes = kStream | kTakesHorizon,
     .flushes = false,
     .whole_batches = true},
}};

constexpr std::int32_t kMaxRanks = 1 << 14;
constexpr std::int64_t kMaxPairs = std::int64_t{1} << 25;  ///< (rank, micro-batch): 3 GB of ops.

/// Collects one sentence per argument that makes no sense.
class OptionCheck {
 public:
  OptionCheck(const Generator& generator, const GeneratorOptions& options)
      : generator_(generator), options_(options) {}

  std::vector<Diagnostic> Check() {
    CheckSizes();
    CheckTaken();
    if (faults_.empty()) {
      CheckReplicas();
    }
    if (faults_.empty()) {
      CheckUpdates();
      CheckRest();
    }
    return std::move(faults_);
  }

 private:
  template <typename... Values>
  void Fault(fmt::format_string<Values...> text, Values&&... values) {
    Diagnostic& fault = faults_.emplace_back();
    fault.where = generator_.name;
    fault.message = fmt::format(text, std::forward<Values>(values)...);
  }

  void CheckSizes() {
    if (options_.ranks < 1 || options_.ranks > kMaxRanks) {
      Fault("{} ranks; expected -p from 1 to {}", options_.ranks, kMaxRanks);
    }
    if (options_.microbatches < 1) {
      Fault("{} micro-batches; expected -m of at least 1", options_.microbatches);
    }
    if (options_.batches < 1) {
      Fault("{} batches; expected -n of at least 1", options_.batches);
    }
    if (!faults_.empty()) {
      return;
    }
    const std::int64_t total = std::int64_t{options_.microbatches} * options_.batches;
    if (total > kMaxPairs / options_.ranks) {
      Fault("{} ranks and {} micro-batches in all; expected a product of at most {}",
            options_.ranks, total, kMaxPairs);
    }
  }

  void CheckOne(Takes takes, bool given, std::string_view flag) {
    if (given && (generator_.takes & takes) == 0) {
      Fault("does not take {}; see `stagecraft schedules`", flag);
    }
  }

  void CheckTaken() {
    CheckOne(kTakesUpdateEvery, options_.update_every.has_value(), "--update-every");
    CheckOne(kTakesDrainEvery, options_.drain_every != 0, "--drain-every");
    CheckOne(kTakesHorizon, options_.horizon != HorizonRule::kExact, "--horizon");
    CheckOne(kTakesCheckpoint, options_.checkpoint != Checkpoint::kNone, "--checkpoint");
    CheckOne(kTakesWarmup, options_.warmup.has_value(), "--warmup");
    CheckOne(kTakesVerticalSync, options_.vertical_sync, "--vertical-sync");
    CheckOne(kTakesReplicas, !options_.replicas.empty(), "--replicas");
    CheckOne(kTakesRounding, options_.rounding != Rounding::kFloor, "--rounding");
  }

  void CheckReplicas() {
    if (options_.replicas.empty()) {
      return;
    }
    std::int64_t sum = 0;
    for (const std::int32_t count : options_.replicas) {
      if (count < 1 || count > kMaxRanks) {
        Fault("{} replicas of a stage; expected from 1 to {}", count, kMaxRanks);
        return;
      }
      sum += count;
    }
    if (sum != options_.ranks) {
      Fault("--replicas {} need {} ranks, but -p is {}", fmt::join(options_.replicas, ","), sum,
            options_.ranks);
    }
    if (options_.vertical_sync) {
      Fault(
          "--vertical-sync with --replicas; stages that update at different rates have no "
          "version in common, so expected one of the two");
    }
  }

  std::int32_t UpdateEvery() const {
    return options_.update_every.value_or(generator_.updates_every_ranks ? options_.ranks : 1);
  }

  /// Micro-batches in all, and between drains, come in whole updates of every stage.
  void CheckUpdates() {
    const std::int32_t every = UpdateEvery();
    if (generator_.flushes) {
      return;
    }
    if (every < 1) {
      Fault("an update every {} micro-batches; expected at least 1", every);
      return;
    }
    if (options_.drain_every < 0) {
      Fault("a drain every {} micro-batches; expected at least 1, or 0 for none",
            options_.drain_every);
      return;
    }
    CheckWholeUpdates(every, 1);
    for (const std::int32_t replicas : options_.replicas) {
      if (every != 1 && every % replicas != 0) {
        Fault("an update every {} micro-batches on {} replicas; expected 1 or a multiple of {}",
              every, replicas, replicas);
      } else {
        CheckWholeUpdates(every, replicas);
      }
      if (!faults_.empty()) {
        return;
      }
    }
  }

  void CheckWholeUpdates(std::int32_t every, std::int32_t replicas) {
    const std::int32_t per_update = MicrobatchesPerUpdate(every, replicas);
    const std::int64_t total = std::int64_t{options_.microbatches} * options_.batches;
    if (total % per_update != 0) {
      Fault(
          "{} micro-batches in all (-m times -n) and an update every {}; expected a multiple, "
          "since a last update with fewer is not made up",
          total, per_update);
    }
    if (options_.drain_every % per_update != 0) {
      Fault("a drain every {} micro-batches and an update every {}; expected a multiple",
            options_.drain_every, per_update);
    }
  }

  void CheckRest() {
    if (generator_.one_per_update && UpdateEvery() != 1) {
      Fault("an update every {} micro-batches; it is defined for 1 only", UpdateEvery());
    }
    if (generator_.deals_out_batches && options_.microbatches % options_.ranks != 0) {
      Fault("{} micro-batches on {} ranks; expected -m to be a multiple of -p",
            options_.microbatches, options_.ranks);
    }
    const std::int32_t most = 2 * (options_.ranks - 1);
    if (options_.warmup && (*options_.warmup < 0 || *options_.warmup > most)) {
      Fault("a warm-up of {} forwards; expected --warmup from 0 to 2(p - 1) = {}", *options_.warmup,
            most);
    }
  }

  const Generator& generator_;
  const GeneratorOptions& options_;
  std::vector<Diagnostic> faults_;
};

}  // namespace

std::span<const Generator> Generators() {
  return kGenerators;
}

const Generator* FindGenerator(std::string_view name) {
  const auto found = std::find_if(kGenerators.begin(), kGenerators.end(),
                                  [&](const Generator& g) { return g.name == name; });
  return found == kGenerators.end() ? nullptr : &*found;
}

std::vector<Diagnostic> CheckOptions(const Generator& generator, const GeneratorOptions& options) {
  return OptionCheck(generator, options).Check();
}

Result<Schedule> Generate(std::string_view name, const GeneratorOptions& options) {
  const Generator* generator = FindGenerator(name);
  if (generator == nullptr) {
    std::array<std::string_view, kGenerators.size()> names;
    std::transform(kGenerators.begin(), kGenerators.end(), names.begin(),
                   [](const Generator& g) { return g.name; });
    const std::string_view meant = Closest(name, names);
    Diagnostic unknown;
    unknown.message = fmt::format("no schedule is called '{}'{}; see `stagecraft schedules`", name,
                                  meant.empty() ? "" : fmt::format("; did you mean '{}'?", meant));
    return {std::nullopt, {unknown}};
  }
  std::vector<Diagnostic> faults = CheckOptions(*generator, options);
  if (!faults.empty()) {
    return {std::nullopt, std::move(faults)};
  }
  Schedule schedule = generator->make(options);
  schedule.name = generator->name;
  schedule.source = generator->source;
  return {std::move(schedule), {}};
}

}  // namespace stagecraft
