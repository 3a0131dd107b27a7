#include "schedules/generators/bounds.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "schedules/activations.h"
#include "schedules/staleness.h"
#include "schedules/weight_slots.h"
#include "tests/support/generator_variants.h"

// What `stagecraft schedules` says of each approach holds, whatever its options.

namespace stagecraft {
namespace {

using Counts = std::vector<std::int32_t>;

/// What a schedule has, where `Bounds` says how much it may have.
Bounds Measured(const Schedule& schedule) {
  Bounds found;
  const auto stages = static_cast<std::size_t>(schedule.shape.stages);
  found.weight_copies.assign(stages, 0);
  for (const StageSlots& held : CountWeightSlots(schedule)) {
    std::int32_t& most = found.weight_copies[static_cast<std::size_t>(held.stage)];
    most = std::max(most, held.slots);
  }
  for (const StageStaleness& stage : FindStaleness(schedule)) {
    found.staleness.push_back(stage.max);
  }
  for (std::int32_t rank = 0; rank < schedule.shape.ranks; ++rank) {
    std::int64_t most = 0;
    for (const MemoryLevel& level : ActivationSetLevels(schedule, rank)) {
      most = std::max(most, level.during);
    }
    found.activation_sets.push_back(static_cast<std::int32_t>(most));
  }
  return found;
}

bool IsAtMost(const Counts& found, const Counts& bound) {
  return found.size() == bound.size() &&
         std::equal(found.begin(), found.end(), bound.begin(),
                    [](std::int32_t is, std::int32_t may) { return is <= may; });
}

void ExpectHeld(const test::Variant& variant) {
  const Schedule schedule = variant.Make();
  const Bounds found = Measured(schedule);
  const Bounds bounds = variant.generator->bounds(variant.options);
  EXPECT_TRUE(IsAtMost(found.weight_copies, bounds.weight_copies))
      << "weight copies of " << variant.Text() << ": "
      << testing::PrintToString(found.weight_copies) << ", stated "
      << testing::PrintToString(bounds.weight_copies);
  EXPECT_TRUE(IsAtMost(found.staleness, bounds.staleness))
      << "staleness of " << variant.Text() << ": " << testing::PrintToString(found.staleness)
      << ", stated " << testing::PrintToString(bounds.staleness);
  EXPECT_TRUE(bounds.activation_sets.empty() ||
              IsAtMost(found.activation_sets, bounds.activation_sets))
      << "activation sets of " << variant.Text() << ": "
      << testing::PrintToString(found.activation_sets) << ", stated "
      << testing::PrintToString(bounds.activation_sets);
  if (bounds.nominal_staleness.empty()) {
    return;
  }
  for (const GradientUse& use : GradientUses(schedule)) {
    EXPECT_EQ(use.step_version - use.version - use.horizon,
              bounds.nominal_staleness[static_cast<std::size_t>(use.stage)])
        << "nominal staleness of " << variant.Text() << ", stage " << use.stage;
  }
}

TEST(Bounds, HoldWhateverTheOptions) {
  int variants = 0;
  const auto check = [&](const test::Variant& variant) {
    if (!testing::Test::HasFailure()) {
      ExpectHeld(variant);
      ++variants;
    }
  };
  test::ForEachVariant(5, check);
  // No multiples of anything: batches that end with a smaller group, and few micro-batches.
  constexpr test::VariantSize kOdd[] = {{5, 1}, {7, 1}, {11, 2}, {20, 1}};
  test::ForEachVariant(5, check, kOdd);
  std::cout << variants << " variants\n";
  EXPECT_GT(variants, 5000);
}

// As reported: the last group has 4 micro-batches for 8 ranks, 2 for 5, and 2 for 4. The stated
// bounds of rank 0 are 8 + 14 + 1 = 23, 5 + 8 + 1 = 14 and 2 + 6 + 1 = 9.
TEST(Bounds, SayWhereSmallGroupsNeedMore) {
  const struct {
    GeneratorOptions options;
    std::int32_t stated;
  } kCases[] = {{{.ranks = 8, .microbatches = 20}, 23},
                {{.ranks = 5, .microbatches = 7}, 14},
                {{.ranks = 4, .microbatches = 8, .group = 2}, 9}};
  for (const auto& [options, stated] : kCases) {
    const test::Variant variant{FindGenerator("interleaved-1f1b"), options};
    ExpectHeld(variant);
    EXPECT_GE(variant.generator->bounds(options).activation_sets.front(),
              std::min(stated, 2 * options.microbatches))
        << variant.Text();
    EXPECT_EQ(Generate("interleaved-1f1b", options).diagnostics.size(), 1U) << variant.Text();
  }
  EXPECT_TRUE(Generate("interleaved-1f1b", {.ranks = 4, .microbatches = 8}).diagnostics.empty());
}

/// What the sentences say, for D ranks and m micro-batches, of rank or stage r; in sets of one
/// micro-batch on one stage.
struct Sentence {
  using Figure = std::function<std::int32_t(std::int32_t D, std::int32_t m, std::int32_t r)>;
  Figure copies, sets, staleness;
};

std::map<std::string_view, Sentence> Sentences() {
  using I = std::int32_t;
  const auto constant = [](I value) { return [value](I, I, I) { return value; }; };
  const Sentence::Figure zero = constant(0), one = constant(1), two = constant(2);
  const Sentence::Figure ranks = [](I D, I, I) { return D; };
  const Sentence::Figure twice = [](I D, I, I) { return 2 * D; };
  const Sentence::Figure behind = [](I D, I, I r) { return D - 1 - r; };
  const Sentence::Figure from = [](I D, I, I r) { return D - r; };
  const Sentence::Figure two_but_last = [](I D, I, I r) { return r == D - 1 ? 1 : 2; };
  const Sentence::Figure all = [](I, I m, I) { return m; };
  const Sentence::Figure all_twice = [](I, I m, I) { return 2 * m; };
  return {{"sequential", {one, ranks, zero}},
          {"model-parallel", {one, one, zero}},
          {"data-parallel", {one, one, zero}},
          {"gpipe", {one, all, zero}},
          {"1f1b", {one, from, zero}},
          {"interleaved-1f1b", {one, [](I D, I, I r) { return D + 2 * (D - 1 - r) + 1; }, zero}},
          {"breadth-first", {one, all_twice, zero}},
          {"zb-h1", {one, ranks, zero}},
          {"zb-h2", {one, [](I D, I, I) { return 2 * D - 1; }, zero}},
          {"zb-v", {one, twice, zero}},
          {"dualpipe", {one, [](I D, I, I) { return D + 1; }, zero}},
          {"dualpipe-v", {one, [](I D, I, I) { return 2 * D + 1; }, zero}},
          {"chimera", {one, ranks, zero}},
          {"greedy", {one, all_twice, zero}},
          {"zb-auto", {one, ranks, zero}},
          {"zb-auto-v", {one, twice, zero}},
          {"async-1f1b", {one, from, behind}},
          {"pipedream", {from, from, behind}},
          {"pipedream-2bw", {two, from, one}},
          {"spectrain", {[](I D, I, I r) { return D <= 2 && r == D - 1 ? 1 : 2; }, from, behind}},
          {"xpipe", {constant(3), from, behind}},
          {"pipeoptim", {two_but_last, from, behind}},
          {"pipemare", {two_but_last, from, behind}},
          {"pipelined-backprop",
           {two_but_last, [](I D, I, I r) { return 2 * (D - 1 - r) + 1; },
            [](I D, I, I r) { return 2 * (D - 1 - r); }}}};
}

Counts Stated(const Sentence::Figure& figure, const GeneratorOptions& options, std::size_t count) {
  Counts counts;
  for (std::size_t r = 0; r < count; ++r) {
    counts.push_back(figure(options.ranks, options.microbatches, static_cast<std::int32_t>(r)));
  }
  return counts;
}

TEST(Bounds, AreWhatTheSentencesSay) {
  const std::map<std::string_view, Sentence> sentences = Sentences();
  for (const Generator& generator : Generators()) {
    const Sentence& sentence = sentences.at(generator.name);
    for (const std::int32_t ranks : {2, 4, 6}) {
      const GeneratorOptions options{.ranks = ranks, .microbatches = 6 * ranks};
      const Bounds bounds = generator.bounds(options);
      EXPECT_EQ(bounds.weight_copies, Stated(sentence.copies, options, bounds.weight_copies.size()))
          << generator.name;
      EXPECT_EQ(bounds.activation_sets,
                Stated(sentence.sets, options, bounds.activation_sets.size()))
          << generator.name;
      EXPECT_EQ(bounds.staleness, Stated(sentence.staleness, options, bounds.staleness.size()))
          << generator.name;
    }
  }
}

std::int32_t Most(const Counts& counts) {
  return *std::max_element(counts.begin(), counts.end());
}

// A bound that nothing comes near would hold, too. Most schedules reach theirs on every rank and
// stage; Chimera and XPipe on some, and greedy, whose bound is all micro-batches, on none.
TEST(Bounds, AreReachedByLongRuns) {
  for (const Generator& generator : Generators()) {
    const std::string_view name = generator.name;
    for (const std::int32_t ranks : {2, 4, 6}) {
      test::Variant variant{&generator, {.ranks = ranks, .microbatches = 6 * ranks}};
      if (name == "xpipe") {
        variant.options.update_every = 2;
      }
      const Bounds found = Measured(variant.Make());
      const Bounds bounds = generator.bounds(variant.options);
      EXPECT_EQ(found.staleness, bounds.staleness) << variant.Text();
      if (name != "xpipe" || ranks > 2) {
        EXPECT_EQ(Most(found.weight_copies), Most(bounds.weight_copies)) << variant.Text();
      }
      if (name == "xpipe" || name == "greedy") {
        continue;
      }
      EXPECT_EQ(found.weight_copies, bounds.weight_copies) << variant.Text();
      EXPECT_EQ(Most(found.activation_sets), Most(bounds.activation_sets)) << variant.Text();
      if (name != "chimera") {
        EXPECT_EQ(found.activation_sets, bounds.activation_sets) << variant.Text();
      }
    }
  }
}

// What options make of it is reached, too.
TEST(Bounds, OfOptionsAreReachedByLongRuns) {
  const struct {
    std::string_view name;
    GeneratorOptions options;
  } kCases[] = {{"1f1b", {.ranks = 4, .microbatches = 24, .warmup = 6}},
                {"1f1b", {.ranks = 4, .microbatches = 24, .warmup = 1}},
                {"gpipe", {.ranks = 2, .microbatches = 8, .checkpoint = Checkpoint::kAll}},
                {"gpipe", {.ranks = 2, .microbatches = 8, .checkpoint = Checkpoint::kExceptLast}},
                {"interleaved-1f1b", {.ranks = 8, .microbatches = 20}},
                {"interleaved-1f1b", {.ranks = 5, .microbatches = 7}},
                {"async-1f1b", {.ranks = 6, .microbatches = 48, .update_every = 2}},
                {"pipedream", {.ranks = 4, .microbatches = 24, .vertical_sync = true}},
                {"pipedream", {.ranks = 6, .microbatches = 48, .update_every = 2}},
                {"pipedream", {.ranks = 5, .microbatches = 24, .replicas = {2, 1, 1, 1}}},
                {"pipedream-2bw", {.ranks = 6, .microbatches = 48, .update_every = 2}},
                {"pipeoptim", {.ranks = 4, .microbatches = 24, .horizon = HorizonRule::kCode}}};
  for (const auto& [name, options] : kCases) {
    const test::Variant variant{FindGenerator(name), options};
    const Bounds found = Measured(variant.Make());
    const Bounds bounds = variant.generator->bounds(options);
    EXPECT_EQ(found.weight_copies, bounds.weight_copies) << variant.Text();
    EXPECT_EQ(found.staleness, bounds.staleness) << variant.Text();
    EXPECT_EQ(found.activation_sets, bounds.activation_sets) << variant.Text();
  }
}

}  // namespace
}  // namespace stagecraft
