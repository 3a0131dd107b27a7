#include "sim/walk_plan.h"

#include <cstddef>
#include <utility>

#include "schedules/schedule.h"
#include "schedules/tables.h"

namespace stagecraft {
namespace {

OpPlan::Action ActionOf(const Op& op) {
  return TraitsOf(op.kind).is_send       ? OpPlan::Action::kSend
         : TraitsOf(op.kind).is_recv     ? OpPlan::Action::kReceive
         : op.kind == OpKind::kAllReduce ? OpPlan::Action::kMeet
         : op.joined                     ? OpPlan::Action::kRunCell
                                         : OpPlan::Action::kRun;
}

/// Gives every pair of ranks that talk a lane. A rank talks to few others: a short list each.
void FindChannels(WalkPlan& plan) {
  plan.of_transfer.resize(plan.transfers.size());
  std::int32_t of_sender = 0;  // The first channel of the sender at hand.
  for (std::int32_t i = 0; i < plan.transfers.Count(); ++i) {
    const Channel wanted{plan.transfers[i].send.rank, plan.transfers[i].recv.rank};
    if (i > 0 && plan.transfers[i - 1].send.rank != wanted.from) {
      of_sender = plan.channels.Count();
    }

    std::int32_t channel = of_sender;
    while (channel < plan.channels.Count() && plan.channels[channel].to != wanted.to) {
      ++channel;
    }
    if (channel == plan.channels.Count()) {
      plan.channels.push_back(wanted);
    }
    plan.of_transfer[i].lane = static_cast<std::uint32_t>(plan.programs.Count() + channel);
  }
}

/// Programs are often equally long, and ranks walk through them side by side: a cache line between
/// them keeps their plans out of the same cache sets.
void PlanOps(const Schedule& schedule, const OpTable<std::int32_t>& transfer_of,
             ClassFinder& finder, WalkPlan& plan) {
  constexpr std::ptrdiff_t kApart = 64 / sizeof(OpPlan);
  plan.ops.resize(plan.ids.Size() + plan.programs.Count() * kApart);
  Table<std::uint32_t> classes;
  for (std::int32_t rank = 0; rank < plan.programs.Count(); ++rank) {
    const Program& program = schedule.programs[rank];
    const TableView<const std::int32_t> transfers = transfer_of.Of(rank);
    OpPlan* const ops = plan.ops.data() + plan.ids.Begin(rank) + rank * kApart;
    plan.programs[rank] = ops;
    finder.Assign(rank, classes);

    for (std::int32_t i = 0; i < program.Count(); ++i) {
      const std::int32_t transfer = transfers[i];
      const OpPlan::Action action = ActionOf(program[i]);
      ops[i] = {transfer, 8 * classes[i] + static_cast<std::uint32_t>(action)};
      if (action == OpPlan::Action::kSend) {
        plan.of_transfer[transfer].cost_class = classes[i];
      }
    }
  }
}

}  // namespace

WalkPlan PlanWalk(const Schedule& schedule, const Dependencies& dependencies,
                  TableView<const StageSizes> sizes) {
  TransferIndex index = IndexTransfers(schedule, dependencies);
  ClassFinder finder(schedule, sizes);

  WalkPlan plan{.ids = dependencies.input.Ids(),
                .programs = Table<const OpPlan*>(schedule.programs.size(), nullptr),
                .ops = {},
                .transfers = std::move(index.transfers),
                .of_transfer = {},
                .channels = {},
                .classes = {}};
  FindChannels(plan);
  PlanOps(schedule, index.of_op, finder, plan);
  plan.classes = finder.Take();
  return plan;
}

}  // namespace stagecraft
