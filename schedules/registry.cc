#include "schedules/registry.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "schedules/closest.h"
#include "schedules/option_check.h"

namespace stagecraft {
namespace {

constexpr std::uint32_t kStream = kTakesUpdateEvery | kTakesDrainEvery;

constexpr std::array<Generator, 24> kGenerators = {{
    {.name = "sequential",
     .make = Sequential,
     .summary = "plain training: all -p stages on one rank",
     .bounded = "1 weight copy of each stage, D activation sets (1 of each stage), staleness 0",
     .bounds = SequentialBounds,
     .source = "",
     .takes = 0,
     .flushes = true,
     .whole_batches = false},
    {.name = "model-parallel",
     .make = ModelParallel,
     .summary = "stages on ranks, one micro-batch at a time, no overlap",
     .bounded = "1 weight copy, 1 activation set, staleness 0",
     .bounds = ModelParallelBounds,
     .source = "",
     .takes = 0,
     .flushes = true,
     .whole_batches = false},
    {.name = "data-parallel",
     .make = DataParallel,
     .summary = "the whole model on each of -p ranks, all-reduce before the step",
     .bounded = "1 weight copy and 1 activation set per rank, staleness 0",
     .bounds = DataParallelBounds,
     .source = "",
     .takes = 0,
     .flushes = true,
     .whole_batches = false,
     .deals_out_batches = true},
    {.name = "gpipe",
     .make = GPipe,
     .summary = "all forwards, all backwards, flush",
     .bounded = "1 weight copy, m activation sets, staleness 0",
     .bounded_otherwise = "--checkpoint all: 1 activation set; except-last: 2",
     .bounds = GPipeBounds,
     .source = "Huang et al., NeurIPS 2019",
     .takes = kTakesCheckpoint,
     .flushes = true,
     .whole_batches = false},
    {.name = "1f1b",
     .make = OneFOneB,
     .summary = "one forward, one backward, flush (PipeDream-Flush, DAPPLE)",
     .bounded = "1 weight copy, D - r activation sets, staleness 0",
     .bounded_otherwise = "--warmup W: min(max(W - r, 0), 2(D-1-r)) + 1 activation sets",
     .bounds = OneFOneBBounds,
     .source = "Narayanan et al., ICML 2021",
     .takes = kTakesWarmup,
     .flushes = true,
     .whole_batches = false},
    {.name = "interleaved-1f1b",
     .make = InterleavedOneFOneB,
     .summary = "1F1B with several stages per rank, in a loop: less bubble, more transfers",
     .bounded = "1 weight copy, (v-1)g + 2(D-1-r) + 1 chunks of activations, staleness 0",
     .bounded_otherwise = "a group of fewer than D micro-batches: more, where a warning says so",
     .bounds = InterleavedBounds,
     .source = "Narayanan et al., SC 2021",
     .takes = kTakesChunks | kTakesGroup,
     .flushes = true,
     .whole_batches = false,
     .refuse = RefuseInterleaved,
     .warn = WarnOfInterleaved},
    {.name = "breadth-first",
     .make = BreadthFirst,
     .summary = "GPipe with several stages per rank, in a loop",
     .bounded = "1 weight copy, m activation sets (v m chunks), staleness 0",
     .bounds = BreadthFirstBounds,
     .source = "Lamy-Poirier, MLSys 2023",
     .takes = kTakesChunks,
     .flushes = true,
     .whole_batches = false},
    {.name = "zb-h1",
     .make = ZeroBubbleH1,
     .summary = "1F1B with a split backward: W fills the bubble at the end",
     .bounded = "1 weight copy, D activation sets, staleness 0",
     .bounds = ZeroBubbleH1Bounds,
     .source = "Qi et al., ICLR 2024",
     .takes = 0,
     .flushes = true,
     .whole_batches = false},
    {.name = "zb-h2",
     .make = ZeroBubbleH2,
     .summary = "no bubble for twice the activations",
     .bounded = "1 weight copy, 2D - 1 activation sets, staleness 0",
     .bounds = ZeroBubbleH2Bounds,
     .source = "Qi et al., ICLR 2024",
     .takes = 0,
     .flushes = true,
     .whole_batches = false},
    {.name = "zb-v",
     .make = ZeroBubbleV,
     .summary = "no bubble in the memory of 1F1B, two stages per rank in a V",
     .bounded = "1 weight copy, D activation sets (2D chunks), staleness 0",
     .bounds = ZeroBubbleVBounds,
     .source = "Qi et al., NeurIPS 2024",
     .takes = 0,
     .flushes = true,
     .whole_batches = false},
    {.name = "dualpipe",
     .make = DualPipe,
     .summary = "two directions at once, forward and backward as one cell",
     .bounded = "2 weight copies (one of each of 2 stages), D + 1 activation sets, staleness 0",
     .bounds = DualPipeBounds,
     .source = "DeepSeek-AI, arXiv 2412.19437",
     .takes = kTakesCells,
     .flushes = true,
     .whole_batches = false,
     .refuse = RefuseDualPipe},
    {.name = "dualpipe-v",
     .make = DualPipeV,
     .summary = "DualPipe on a V: two stages per rank, nothing replicated",
     .bounded = "1 weight copy, 2D + 1 chunks of activations, staleness 0",
     .bounds = DualPipeVBounds,
     .source = "DeepSeek-AI, DualPipe repository, 2025",
     .takes = kTakesCells,
     .flushes = true,
     .whole_batches = false,
     .refuse = RefuseDualPipeV},
    {.name = "chimera",
     .make = Chimera,
     .summary = "two directions at once, each fills the bubbles of the other",
     .bounded = "2 weight copies (one of each of 2 stages), D activation sets, staleness 0",
     .bounds = ChimeraBounds,
     .source = "Li and Hoefler, SC 2021",
     .takes = 0,
     .flushes = true,
     .whole_batches = false,
     .refuse = RefuseChimera},
    {.name = "greedy",
     .make = Greedy,
     .summary = "on any placement: oldest backward first, else oldest forward",
     .bounded = "1 weight copy, m activation sets, staleness 0",
     .bounded_otherwise = "--limit: that many activation sets; --placement bidirectional: 2 weight "
                          "copies (one of each of 2 stages)",
     .bounds = GreedyBounds,
     .source = "Liu et al., SC 2023 (the waves)",
     .takes = kTakesChunks | kTakesPlacement | kTakesLimit,
     .flushes = true,
     .whole_batches = false,
     .refuse = RefuseGreedy,
     .placement = GreedyPlacement},
    {.name = "zb-auto",
     .make = ZeroBubbleAuto,
     .summary = "the best order of F, I and W found for the costs, within --limit",
     .bounded = "1 weight copy, D activation sets, staleness 0",
     .bounded_otherwise = "--limit: that many activations",
     .bounds = ZeroBubbleAutoBounds,
     .source = "Qi et al., ICLR 2024",
     .takes = kTakesLimit,
     .flushes = true,
     .whole_batches = false,
     .refuse = RefuseZeroBubbleAuto,
     .placement = [](const GeneratorOptions& o) { return StraightPlacement(o.ranks); },
     .automatic = true},
    {.name = "zb-auto-v",
     .make = ZeroBubbleAutoV,
     .summary = "the same on two stages per rank in a V",
     .bounded = "1 weight copy, D activation sets (2D chunks), staleness 0",
     .bounded_otherwise = "--limit: that many activations",
     .bounds = ZeroBubbleAutoVBounds,
     .source = "Qi et al., NeurIPS 2024",
     .takes = kTakesLimit,
     .flushes = true,
     .whole_batches = false,
     .refuse = RefuseZeroBubbleAutoV,
     .placement = [](const GeneratorOptions& o) { return VPlacement(o.ranks); },
     .automatic = true},
    {.name = "async-1f1b",
     .make = AsyncOneFOneB,
     .summary = "1F1B without flush or stash: reads whatever is newest",
     .bounded = "1 weight copy, D - r activation sets, staleness D-1-r",
     .bounds = AsyncOneFOneBBounds,
     .source = "",
     .takes = kStream,
     .flushes = false,
     .whole_batches = true},
    {.name = "pipedream",
     .make = PipeDream,
     .summary = "1F1B without flush; backward reads the stashed weights of its forward",
     .bounded = "D - r weight copies, D - r activation sets, staleness D-1-r",
     .bounded_otherwise = "--vertical-sync: D weight copies, staleness D-1, on every stage",
     .bounds = PipeDreamBounds,
     .source = "Narayanan et al., SOSP 2019",
     .takes = kStream | kTakesVerticalSync | kTakesReplicas,
     .flushes = false,
     .whole_batches = true},
    {.name = "pipedream-2bw",
     .make = PipeDream2BW,
     .summary = "double-buffered weights, an update every T micro-batches",
     .bounded = "2 weight copies, D - r activation sets, staleness 1",
     .bounded_otherwise = "T micro-batches per update below D-1-r: T + 1 activation sets",
     .bounds = PipeDream2BWBounds,
     .source = "Narayanan et al., ICML 2021",
     .takes = kStream,
     .flushes = false,
     .whole_batches = false,
     .updates_every_ranks = true,
     .reads_over_drains = true},
    {.name = "spectrain",
     .make = SpecTrain,
     .summary = "predicts for forward and backward, aims at the end of the round trip",
     .bounded = "2 weight copies, D - r activation sets, staleness D-1-r, nominally -floor(r/2)",
     .bounded_otherwise = "--horizon steady, code: no bound on the nominal staleness",
     .bounds = SpecTrainBounds,
     .source = "Chen et al., arXiv 1809.02839",
     .takes = kStream | kTakesHorizon,
     .flushes = false,
     .whole_batches = true,
     .one_per_update = true},
    {.name = "xpipe",
     .make = XPipe,
     .summary = "one prediction per update for its T forwards, one for its T backwards",
     .bounded = "3 weight copies, D - r activation sets, staleness D-1-r",
     .bounds = XPipeBounds,
     .source = "Guan et al., arXiv 1911.04610",
     .takes = kStream | kTakesHorizon | kTakesRounding,
     .flushes = false,
     .whole_batches = false},
    {.name = "pipeoptim",
     .make = PipeOptim,
     .summary = "predicts for the forward what its backward will read",
     .bounded =
         "2 weight copies (last stage 1), D - r activation sets, staleness D-1-r, nominally 0",
     .bounded_otherwise =
         "--horizon steady, code: no bound on the nominal staleness; code: 2 weight "
         "copies on the last stage",
     .bounds = PipeOptimBounds,
     .source = "Guan et al., arXiv 2312.00839",
     .takes = kStream | kTakesHorizon,
     .flushes = false,
     .whole_batches = true},
    {.name = "pipemare",
     .make = PipeMare,
     .summary = "backward reads an estimate of its forward's weights, nothing is stashed",
     .bounded = "2 weight copies (last stage 1), D - r activation sets, staleness D-1-r",
     .bounds = PipeMareBounds,
     .source = "Yang et al., arXiv 1910.05124",
     .takes = kStream,
     .flushes = false,
     .whole_batches = true},
    {.name = "pipelined-backprop",
     .make = PipelinedBackprop,
     .summary = "2(D-1-r) forwards ahead, forwards predict over that delay",
     .bounded = "2 weight copies (last stage 1), 2(D-1-r) + 1 activation sets, staleness 2(D-1-r)",
     .bounds = PipelinedBackpropBounds,
     .source = "Kosson et al., arXiv 2003.11666",
     .takes = kStream | kTakesHorizon,
     .flushes = false,
     .whole_batches = true},
}};

}  // namespace

std::span<const Generator> Generators() {
  return kGenerators;
}

const Generator* FindGenerator(std::string_view name) {
  const auto found = std::find_if(kGenerators.begin(), kGenerators.end(),
                                  [&](const Generator& g) { return g.name == name; });
  return found == kGenerators.end() ? nullptr : &*found;
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

  std::vector<Diagnostic> warnings;
  if (generator->warn != nullptr) {
    if (std::string text = generator->warn(options, schedule); !text.empty()) {
      Diagnostic& warning = warnings.emplace_back();
      warning.severity = Severity::kWarning;
      warning.where = name;
      warning.message = std::move(text);
    }
  }
  return {std::move(schedule), std::move(warnings)};
}

}  // namespace stagecraft
