#include "schedules/weight_slots.h"

#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "schedules/schedule.h"
#include "tests/support/generator_variants.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::List;
using test::Make;
using test::Programs;

/// `slot/base` per op of one rank; `.` where an op has none.
std::string Slots(const Schedule& schedule, std::int32_t rank = 0) {
  const WeightSlots slots = AssignWeightSlots(schedule);
  std::string line;
  for (std::int32_t i = 0; i < schedule.programs[rank].Count(); ++i) {
    const std::int32_t slot = slots.slot[{rank, i}];
    const std::int32_t base = slots.base[{rank, i}];
    line += line.empty() ? "" : " ";
    line += slot < 0 ? "." : std::to_string(slot);
    line += base < 0 ? "" : "/" + std::to_string(base);
  }
  return line;
}

Table<std::int32_t> Copies(const Schedule& schedule) {
  return WeightCopiesOfStages(AssignWeightSlots(schedule).stages);
}

TEST(AssignWeightSlots, AStepIsInPlaceWhenItIsTheLastReader) {
  // Version 0 is still read by 0B1, so S@0 writes slot 1; then slot 0 is free for version 2.
  EXPECT_EQ(Slots(Programs(2, {"0: 0F0@0 0F1@0 0B0@0 0S@0 0B1@0 0S@1"})), "0 0 0 1/0 0 1/1");
  EXPECT_EQ(Slots(Programs(1, {"0: 0F0@0 0B0@0 0S@0"})), "0 0 0/0");
}

TEST(AssignWeightSlots, TheLowestFreeSlotIsTaken) {
  // PipeDream's stash of three versions goes round: version 3 takes slot 0 after the last read of
  // version 0, version 4 slot 1; nobody stashes versions 4 and 5, so the last steps are in place.
  const Schedule schedule = Make("pipedream", {.ranks = 3, .microbatches = 6});
  EXPECT_EQ(test::ProgramText(schedule, 0),
            "0F0@0 0F1@0 0F2@0 0B0@0 0S@0 0F3@1 0B1@0 0S@1 0F4@2 0B2@0 0S@2 0F5@3 0B3@1 0S@3 "
            "0B4@2 0S@4 0B5@3 0S@5");
  EXPECT_EQ(Slots(schedule), "0 0 0 0 1/0 1 0 2/1 2 0 0/2 0 1 1/0 2 1/1 0 1/1");
}

TEST(AssignWeightSlots, APredictionIsNeverInPlace) {
  EXPECT_EQ(Slots(Programs(1, {"0: 0P@0+1 0F0@0+1 0B0@0 0S@0"})), "1/0 1 0 0/0");
  // One that nothing reads takes a slot only for itself.
  EXPECT_EQ(Slots(Programs(1, {"0: 0P@0+1 0P@0+2 0F0@0+2 0B0@0 0S@0"})), "1/0 1/0 1 0 0/0");
}

TEST(AssignWeightSlots, OtherOpsHaveNone) {
  EXPECT_EQ(Slots(Programs(2, {"0: 0F0@0 0SEND_F0 0RECV_B0 0B0@0 0A@0 0S@0", "0: 0F1@0"})),
            "0 . . 0 . 0/0");
}

TEST(AssignWeightSlots, StagesOfARankHaveSlotsOfTheirOwn) {
  const Schedule schedule =
      Programs(2, {"0 1: 0F0@0 1F0@0 0F1@0 1B0@0 0B0@0 0S@0 1S@0 1F1@1 1B1@1 0B1@0 0S@1 1S@1"});
  // Stage 0 keeps version 0 for its second backward; stage 1 steps in place.
  EXPECT_EQ(Slots(schedule), "0 0 0 0 0 1/0 0/0 0 0 0 1/1 0/0");
  const WeightSlots slots = AssignWeightSlots(schedule);
  ASSERT_EQ(slots.stages.size(), 2U);
  EXPECT_EQ(slots.stages[0].slots, 2);
  EXPECT_EQ(slots.stages[1].slots, 1);
  EXPECT_EQ(slots.stages[1].stage, 1);
  // 0F0 to 0B0: one copy each; version 1 of stage 0 lives beside version 0 until 0B1.
  EXPECT_EQ(List(WeightCopiesAfter(schedule, 0)), "2,2,2,2,2,3,3,3,3,2,2,2");
}

TEST(WeightCopiesOfStages, AreTheMostOverTheRanksOfEach) {
  EXPECT_EQ(List(WeightCopiesOfStages({{0, 0, 1}, {1, 0, 3}, {2, 1, 2}, {3, 0, 2}})), "3,2");
}

// -------------------------------------------------------------------------------------------------
// The number of weight copies of each approach, D = 1..8.

struct Approach {
  std::string name;
  std::function<Schedule(std::int32_t)> make;                      ///< For D stages.
  std::function<std::int32_t(std::int32_t, std::int32_t)> copies;  ///< Of stage r of D.
};

Schedule Long(std::string_view name, std::int32_t ranks, bool vertical_sync = false) {
  return Make(name, {.ranks = ranks, .microbatches = 5 * ranks, .vertical_sync = vertical_sync});
}

std::vector<Approach> Approaches() {
  const auto two_but_the_last = [](std::int32_t d, std::int32_t r) { return r == d - 1 ? 1 : 2; };
  const auto one = [](std::int32_t, std::int32_t) { return 1; };
  std::vector<Approach> approaches;
  const auto add = [&](const std::string& name, auto copies) {
    approaches.push_back({name, [name](std::int32_t d) { return Long(name, d); }, copies});
  };
  // In flight on stage r are D - r micro-batches, each with a version of its own.
  add("pipedream", [](std::int32_t d, std::int32_t r) { return d - r; });
  // Every stage reads what stage 0 read D - 1 updates ago, and writes the newest: D versions.
  approaches.push_back({"pipedream --vertical-sync",
                        [](std::int32_t d) { return Long("pipedream", d, true); },
                        [](std::int32_t d, std::int32_t) { return d; }});
  // The version read, and the newest.
  add("pipedream-2bw", [](std::int32_t, std::int32_t) { return 2; });
  add("async-1f1b", one);
  // The newest and one prediction; the last stage has no delay to bridge.
  add("pipeoptim", two_but_the_last);
  add("pipemare", two_but_the_last);
  add("pipelined-backprop", two_but_the_last);
  // The horizon of F is floor(r/2) + D-1-r: 0 on the last stage of D = 1 and 2 only.
  add("spectrain", [](std::int32_t d, std::int32_t r) { return r / 2 + d - 1 - r == 0 ? 1 : 2; });
  for (const char* name : {"sequential", "model-parallel", "gpipe", "1f1b"}) {
    add(name, one);
  }
  return approaches;
}

TEST(WeightSlots, AreTheFormulaOfEachApproach) {
  for (const Approach& approach : Approaches()) {
    std::cout << approach.name << ":";
    for (std::int32_t ranks = 1; ranks <= 8; ++ranks) {
      std::vector<std::int32_t> expected(static_cast<std::size_t>(ranks));
      for (std::int32_t r = 0; r < ranks; ++r) {
        expected[static_cast<std::size_t>(r)] = approach.copies(ranks, r);
      }
      const std::vector<std::int32_t> copies = Copies(approach.make(ranks));
      std::cout << "  " << List(copies);
      EXPECT_EQ(copies, expected) << approach.name << " D = " << ranks;
    }
    std::cout << '\n';
  }
}

TEST(WeightSlots, XPipeHoldsAtMostThree) {
  // The newest version, the prediction for the forwards and the one for the backwards of an update.
  for (const std::int32_t every : {1, 2, 4, 8}) {
    for (const Rounding rounding : {Rounding::kFloor, Rounding::kHalfEven}) {
      for (std::int32_t ranks = 1; ranks <= 8; ++ranks) {
        const std::vector<std::int32_t> copies = Copies(Make(
            "xpipe",
            {.ranks = ranks, .microbatches = 64, .update_every = every, .rounding = rounding}));
        EXPECT_LE(*std::max_element(copies.begin(), copies.end()), 3)
            << ranks << " ranks, T = " << every;
      }
    }
  }
}

// -------------------------------------------------------------------------------------------------
// Slot by slot, against what is in them.

/// What stands in a slot: version and horizon.
using Content = std::pair<std::int32_t, std::int32_t>;

/// Plays the ops of one rank on slots and checks that each reads exactly what it names.
class Replay {
 public:
  Replay(const Schedule& schedule, const WeightSlots& slots, std::int32_t rank)
      : program_(schedule.programs[rank]), slot_(slots.slot.Of(rank)), base_(slots.base.Of(rank)) {
    for (const StageSlots& stage : slots.stages) {
      if (stage.rank == rank) {
        content_[stage.stage].assign(static_cast<std::size_t>(stage.slots), Content{-1, 0});
        content_[stage.stage].at(0) = {0, 0};
      }
    }
  }

  void Run() {
    for (std::size_t i = 0; i < program_.size(); ++i) {
      const Op& op = program_[i];
      if (TraitsOf(op.kind).reads_weights) {
        ASSERT_EQ(At(op, slot_[i]), (Content{op.version, op.horizon})) << ToString(op);
      } else if (op.kind == OpKind::kStep) {
        ASSERT_EQ(At(op, base_[i]), (Content{op.version, 0})) << ToString(op);
        ASSERT_EQ(slot_[i] == base_[i], !ReadLater(i)) << ToString(op);
        At(op, slot_[i]) = {op.version + 1, 0};
      } else if (op.kind == OpKind::kPredict) {
        ASSERT_EQ(At(op, base_[i]), (Content{op.version, 0})) << ToString(op);
        ASSERT_NE(slot_[i], base_[i]) << ToString(op);
        At(op, slot_[i]) = {op.version, op.horizon};
      } else {
        ASSERT_EQ(slot_[i], -1);
        ASSERT_EQ(base_[i], -1);
      }
    }
  }

 private:
  Content& At(const Op& op, std::int32_t slot) {
    return content_.at(op.stage).at(static_cast<std::size_t>(slot));
  }

  /// Whether an op behind the S at `step` reads the version that it steps, or predicts from it.
  bool ReadLater(std::size_t step) const {
    for (std::size_t i = step + 1; i < program_.size(); ++i) {
      const Op& op = program_[i];
      if (op.stage == program_[step].stage && op.version == program_[step].version &&
          TraitsOf(op.kind).reads_weights && op.horizon == 0) {
        return true;
      }
    }
    return false;
  }

  const Program& program_;
  const TableView<const std::int32_t> slot_;
  const TableView<const std::int32_t> base_;
  std::map<std::int32_t, std::vector<Content>> content_;  ///< By stage and slot.
};

/// Copies of one stage on one rank that must be held after each op, and at most, counted the slow
/// way: an instance is needed if a later op reads it before its key is written anew.
struct NaiveCopies {
  std::vector<std::int32_t> after;
  std::int32_t most = 1;
};

bool Needed(const Program& program, std::size_t after, std::int32_t stage, const Content& content,
            std::int32_t newest) {
  if (content == Content{newest, 0}) {
    return true;
  }
  for (std::size_t i = after + 1; i < program.size(); ++i) {
    const Op& op = program[i];
    if (op.stage != stage || Content{op.version, op.horizon} != content) {
      continue;
    }
    if (TraitsOf(op.kind).reads_weights) {
      return true;
    }
    if (op.kind == OpKind::kPredict) {
      return false;
    }
  }
  return false;
}

NaiveCopies CountSlowly(const Program& program, std::int32_t stage) {
  NaiveCopies copies;
  std::vector<Content> held = {{0, 0}};
  std::int32_t newest = 0;
  for (std::size_t i = 0; i < program.size(); ++i) {
    const Op& op = program[i];
    if (op.stage == stage && op.kind == OpKind::kPredict) {
      held.push_back({op.version, op.horizon});
      copies.most = std::max(copies.most, static_cast<std::int32_t>(held.size()));
    } else if (op.stage == stage && op.kind == OpKind::kStep) {
      newest = op.version + 1;
      held.push_back({newest, 0});
    }
    held.erase(std::remove_if(held.begin(), held.end(),
                              [&](const Content& content) {
                                return !Needed(program, i, stage, content, newest);
                              }),
               held.end());
    copies.after.push_back(static_cast<std::int32_t>(held.size()));
    copies.most = std::max(copies.most, copies.after.back());
  }
  return copies;
}

TEST(WeightSlots, HoldExactlyWhatEveryOpReadsAndAreAsFewAsPossible) {
  int count = 0;
  test::ForEachVariant(4, [&](const test::Variant& variant) {
    const Schedule schedule = variant.Make();
    const WeightSlots slots = AssignWeightSlots(schedule);
    SCOPED_TRACE(variant.Text());
    std::size_t next = 0;
    const std::vector<StageSlots> counts = CountWeightSlots(schedule);
    for (std::int32_t rank = 0; rank < schedule.programs.Count(); ++rank) {
      Replay(schedule, slots, rank).Run();
      std::vector<std::int32_t> after(schedule.programs[rank].size(), 0);
      for (const std::int32_t stage : schedule.placement[rank]) {
        const NaiveCopies naive = CountSlowly(schedule.programs[rank], stage);
        ASSERT_EQ(slots.stages.at(next).slots, naive.most);
        ASSERT_EQ(counts.at(next).slots, naive.most);
        ++next;
        std::transform(after.begin(), after.end(), naive.after.begin(), after.begin(),
                       std::plus<>());
      }
      ASSERT_EQ(WeightCopiesAfter(schedule, rank), after);
    }
    ++count;
  });
  std::cout << count << " schedules replayed on their slots\n";
  EXPECT_GT(count, 3000);
}

}  // namespace
}  // namespace stagecraft
