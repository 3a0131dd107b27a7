#include <algorithm>
#include <cstdint>
#include <iostream>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "schedules/activations.h"
#include "schedules/diagram.h"
#include "schedules/fingerprint.h"
#include "schedules/lower.h"
#include "schedules/phases.h"
#include "schedules/schedule.h"
#include "schedules/staleness.h"
#include "schedules/verify.h"
#include "schedules/weight_slots.h"
#include "tests/support/generator_variants.h"
#include "tests/support/schedule_builder.h"

// Random damage, with a fixed seed: nothing crashes, what Verify accepts can be analysed, and the
// order of ops is that of the obvious loop.

namespace stagecraft {
namespace {

class Mutator {
 public:
  explicit Mutator(std::uint32_t seed) : random_(seed) {}

  std::size_t Below(std::size_t count) { return static_cast<std::size_t>(random_() % count); }

  /// Swaps, drops, doubles or moves one op.
  void Reorder(Schedule& schedule) {
    Program& program = schedule.programs[Below(schedule.programs.size())];
    if (program.size() < 2) {
      return;
    }
    const auto at = static_cast<std::ptrdiff_t>(Below(program.size() - 1));
    const auto other = static_cast<std::ptrdiff_t>(Below(program.size()));
    const Op op = program[static_cast<std::size_t>(at)];
    switch (Below(4)) {
      case 0:
        std::swap(program[static_cast<std::size_t>(at)], program[static_cast<std::size_t>(at) + 1]);
        return;
      case 1:
        program.erase(program.begin() + at);
        return;
      case 2:
        program.insert(program.begin() + other, op);
        return;
      default:
        program.erase(program.begin() + at);
        program.insert(program.begin() + std::min<std::ptrdiff_t>(other, std::ssize(program)), op);
    }
  }

  /// Writes nonsense into one field of one op, of the shape or of the placement.
  void Damage(Schedule& schedule) {
    constexpr std::int32_t kValues[] = {0,
                                        1,
                                        2,
                                        3,
                                        -1,
                                        1000,
                                        1 << 20,
                                        std::numeric_limits<std::int32_t>::max(),
                                        std::numeric_limits<std::int32_t>::min()};
    const std::int32_t value = kValues[Below(std::size(kValues))];
    if (Below(20) == 0) {
      std::int32_t* const fields[] = {&schedule.shape.ranks, &schedule.shape.stages,
                                      &schedule.shape.microbatches};
      *fields[Below(3)] = value;
      return;
    }
    if (Below(20) == 0) {
      schedule.placement[Below(schedule.placement.size())].push_back(value);
      return;
    }
    Program& program = schedule.programs[Below(schedule.programs.size())];
    if (!program.empty()) {
      DamageOp(program[Below(program.size())], value);
    }
  }

 private:
  void DamageOp(Op& op, std::int32_t value) {
    switch (Below(6)) {
      case 0:
        op.kind = static_cast<OpKind>(Below(kOpKinds));
        return;
      case 1:
        op.joined = !op.joined;
        return;
      case 2:
        op.horizon = static_cast<std::int16_t>(value);
        return;
      case 3:
        op.stage = value;
        return;
      case 4:
        op.microbatch = value;
        return;
      default:
        op.version = value;
    }
  }

  std::mt19937 random_;
};

/// Schedules to damage: several generators, some lowered, one with cells.
std::vector<Schedule> Seeds() {
  std::vector<Schedule> seeds;
  for (const Generator& generator : Generators()) {
    seeds.push_back(test::MakeNear(generator, {.ranks = 3, .microbatches = 6}));
    seeds.push_back(Lower(seeds.back()));
    seeds.push_back(Lower(seeds[seeds.size() - 2], {ReceivePolicy::Kind::kJustInTime, 0}));
  }
  seeds.push_back(test::Make("pipedream", {.ranks = 4, .microbatches = 6, .replicas = {3, 1}}));
  seeds.push_back(Lower(seeds.back()));
  seeds.push_back(test::Programs(3, {"0 3: 0F0@0 0F1@0 3F0@0 (0F2@0;3I0@0) 3W0@0 0B0@0 3F1@0 "
                                     "3B1@0 0B1@0 3F2@0 3B2@0 0B2@0 0S@0 3S@0",
                                     "1 2: 1F0@0 2F0@0 1F1@0 2F1@0 2B0@0 (1B0@0;1F2@0) 2F2@0 "
                                     "2B1@0 1B1@0 2B2@0 1B2@0 1S@0 2S@0"}));
  seeds.push_back(Lower(seeds.back()));
  return seeds;
}

/// Runs every analysis; the sum keeps the compiler from dropping them.
std::size_t Analyse(const Schedule& schedule) {
  const std::vector<StageSizes> sizes(static_cast<std::size_t>(schedule.shape.stages),
                                      StageSizes{1, 1, 1, 1, 1, 1});
  return AssignWeightSlots(schedule).slot.size() + FindStaleness(schedule).size() +
         PeakMemory(schedule, sizes).size() + PeakActivationSets(schedule).size() +
         FindPhases(schedule).size() + VersionWarnings(schedule).size() +
         RenderSchedule(schedule, {.versions = true, .updates = true, .max_columns = 50}).size() +
         Fingerprint(schedule).size();
}

std::size_t CountOps(const Schedule& schedule) {
  std::size_t ops = 0;
  for (const Program& program : schedule.programs) {
    ops += program.size();
  }
  return ops;
}

TEST(Mutations, NeverCrashAndWhatIsAcceptedCanBeAnalysed) {
  Mutator mutator(20240501);
  const std::vector<Schedule> seeds = Seeds();
  int accepted = 0;
  std::map<std::string, int> rules;
  for (int i = 0; i < 20000; ++i) {
    Schedule schedule = seeds[mutator.Below(seeds.size())];
    for (std::size_t changes = 1 + mutator.Below(3); changes > 0; --changes) {
      if (mutator.Below(2) == 0) {
        mutator.Reorder(schedule);
      } else {
        mutator.Damage(schedule);
      }
    }
    const Examination found = Examine(schedule);
    for (const Diagnostic& diagnostic : found.diagnostics) {
      ++rules[diagnostic.rule];
      ASSERT_FALSE(ToString(diagnostic).empty());
    }
    if (!found.diagnostics.empty()) {
      continue;
    }
    ++accepted;
    ASSERT_EQ(found.order.order.size(), CountOps(schedule));
    ASSERT_GT(Analyse(schedule), 0U);
    if (!HasCommunication(schedule)) {
      const Schedule lowered = Lower(schedule);
      ASSERT_EQ(test::Texts(Verify(lowered, SendMode::kBlocking)), "") << Print(schedule);
      ASSERT_EQ(EraseCommunication(lowered), schedule);
    }
  }
  std::cout << accepted << " of 20000 damaged schedules are still right\n";
  for (const auto& [rule, count] : rules) {
    std::cout << rule << ": " << count << '\n';
  }
  EXPECT_GT(accepted, 100);
  EXPECT_EQ(rules.size(), Rules().size()) << "every rule is met";
}

/// The obvious loop: tries every rank until none can go on; gives the number of ops that ran.
class ObviousLoop {
 public:
  ObviousLoop(const Schedule& schedule, SendMode mode)
      : schedule_(schedule),
        dependencies_(FindDependencies(schedule)),
        mode_(mode),
        cursor_(schedule.programs.size(), 0) {}

  std::size_t Run() {
    std::size_t ran = 0;
    for (bool any = true; any;) {
      any = false;
      for (std::size_t rank = 0; rank < cursor_.size(); ++rank) {
        const std::size_t ops = Step(static_cast<std::int32_t>(rank));
        ran += ops;
        any = any || ops > 0;
      }
    }
    return ran;
  }

 private:
  std::int32_t Cursor(std::int32_t rank) const { return cursor_[static_cast<std::size_t>(rank)]; }

  template <typename Table>
  static OpRef At(const Table& table, OpRef ref) {
    return table[static_cast<std::size_t>(ref.rank)][static_cast<std::size_t>(ref.index)];
  }

  /// Runs the next cell of a rank if it can; gives the number of its ops.
  std::size_t Step(std::int32_t rank) {
    const Program& program = schedule_.programs[static_cast<std::size_t>(rank)];
    const std::int32_t begin = Cursor(rank);
    if (begin == static_cast<std::int32_t>(program.size())) {
      return 0;
    }
    const std::int32_t end = CellEnd(program, begin);
    for (std::int32_t index = begin; index < end; ++index) {
      if (!CanRun({rank, index})) {
        return 0;
      }
    }
    cursor_[static_cast<std::size_t>(rank)] = end;
    return static_cast<std::size_t>(end - begin);
  }

  bool CanRun(OpRef ref) const {
    const OpTraits& traits = TraitsOf(schedule_.At(ref).kind);
    if (traits.is_recv) {
      return true;
    }
    if (traits.kind == OpKind::kAllReduce) {
      return AllMembersAreThere(ref);
    }
    if (traits.is_send && mode_ == SendMode::kBlocking) {
      const OpRef recv = dependencies_.matching_recv[ref];
      if (recv && Cursor(recv.rank) < recv.index) {
        return false;
      }
    }
    OpRef input = dependencies_.input[ref];
    if (input && TraitsOf(schedule_.At(input).kind).is_recv) {
      if (!HasRun(input, ref)) {
        return false;
      }
      input = dependencies_.input[input];
    }
    return !input || HasRun(input, ref);
  }

  bool HasRun(OpRef input, OpRef waiting) const {
    const Program& program = schedule_.programs[static_cast<std::size_t>(input.rank)];
    const bool earlier_in_cell = input.rank == waiting.rank && input.index < waiting.index &&
                                 CellEnd(program, input.index) > waiting.index;
    return earlier_in_cell || Cursor(input.rank) > input.index;
  }

  bool AllMembersAreThere(OpRef ref) const {
    for (const Collective& collective : dependencies_.collectives) {
      const std::vector<OpRef>& members = collective.members;
      if (std::find(members.begin(), members.end(), ref) != members.end()) {
        return std::all_of(members.begin(), members.end(),
                           [&](OpRef member) { return Cursor(member.rank) >= member.index; });
      }
    }
    return true;
  }

  const Schedule& schedule_;
  Dependencies dependencies_;
  SendMode mode_;
  std::vector<std::int32_t> cursor_;
};

/// Every wait of a cycle is of the op that its rank stands at, or its cell, and leads to the next.
void ExpectCycle(const Schedule& schedule, const ExecutionOrder& order) {
  std::vector<std::int32_t> ran(schedule.programs.size(), 0);
  for (const OpRef ref : order.order) {
    ++ran[static_cast<std::size_t>(ref.rank)];
  }
  for (std::size_t i = 0; i < order.cycle.size(); ++i) {
    const Wait& wait = order.cycle[i];
    const Wait& next = order.cycle[(i + 1) % order.cycle.size()];
    const Program& program = schedule.programs[static_cast<std::size_t>(wait.op.rank)];
    EXPECT_EQ(CellBegin(program, wait.op.index), ran[static_cast<std::size_t>(wait.op.rank)]);
    EXPECT_EQ(wait.waits_for.rank, next.op.rank);
  }
}

TEST(Mutations, RunInTheOrderOfTheObviousLoopOrDeadlockWithIt) {
  Mutator mutator(7);
  const std::vector<Schedule> seeds = Seeds();
  std::map<std::string, int> deadlocks;
  for (int i = 0; i < 5000; ++i) {
    Schedule schedule = seeds[mutator.Below(seeds.size())];
    for (std::size_t changes = mutator.Below(4); changes > 0; --changes) {
      mutator.Reorder(schedule);
    }
    for (const SendMode mode : {SendMode::kEager, SendMode::kRendezvous, SendMode::kBlocking}) {
      const ExecutionOrder order = OrderOps(schedule, FindDependencies(schedule), mode);
      ASSERT_EQ(order.order.size(), ObviousLoop(schedule, mode).Run())
          << Print(schedule) << ToString(mode);
      const bool complete = order.order.size() == CountOps(schedule);
      ASSERT_EQ(order.cycle.empty(), complete) << Print(schedule) << ToString(mode);
      ASSERT_EQ(order.stuck.empty(), complete);
      ExpectCycle(schedule, order);
      deadlocks[std::string(ToString(mode))] += complete ? 0 : 1;
    }
  }
  for (const auto& [mode, count] : deadlocks) {
    std::cout << mode << ": " << count << " of 5000 deadlock\n";
    EXPECT_GT(count, 100);
  }
}

}  // namespace
}  // namespace stagecraft
