#include "sim/remedies.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <set>
#include <span>

#include "schedules/check.h"
#include "schedules/tables.h"
#include "sim/durations.h"
#include "sim/replay.h"

namespace stagecraft {
namespace {

using What = CostItem::What;

/// Collects what steps of cost classes depend on.
class ItemSet {
 public:
  ItemSet(const Costs& costs, const Topology& topology) : costs_(costs), topology_(topology) {}

  void Add(const CostClasses& classes, const CostClass& cost_class) {
    const TableView<const Op> ops = classes.OpsOf(cost_class);

    switch (cost_class.rule) {
      case CostClass::Rule::kNothing:
        return;
      case CostClass::Rule::kTransfer:
        AddTransfer(ops.front());
        return;
      case CostClass::Rule::kCell:
        AddCell(ops);
        AddSpeeds(CellCost(ops, costs_), {&cost_class.rank, 1});
        return;
      case CostClass::Rule::kSlowest:
        AddOp(ops.front());
        AddSpeeds(CostOf(StageOf(ops.front()), ops.front().kind), classes.RanksOf(cost_class));
        return;
    }
  }

  Table<CostItem> Take() const { return {items_.begin(), items_.end()}; }

 private:
  const StageCosts& StageOf(const Op& op) const { return costs_.stages[op.stage]; }

  void AddSpeeds(Nanoseconds cost, std::span<const std::int32_t> ranks) {
    for (const std::int32_t rank : ranks) {
      if (cost > Nanoseconds(0)) {
        items_.insert({.what = What::kSpeed, .index = rank});
      }
    }
  }

  void AddTransfer(const Op& send) {
    if (topology_.latency > Nanoseconds(0)) {
      items_.insert({.what = What::kLatency});
    }
    if (topology_.bandwidth > 0 && BytesOf(send, costs_) > 0) {
      items_.insert({.what = What::kBandwidth});
    }
  }

  void AddCell(std::span<const Op> ops) {
    if (ops.size() == 1 || !StageOf(ops.front()).joined) {
      for (const Op& op : ops) {
        AddOp(op);
      }
    } else if (CellCost(ops, costs_) > Nanoseconds(0)) {
      items_.insert({.what = What::kCell, .index = ops.front().stage});
    }
  }

  void AddOp(const Op& op) {
    if (CostOf(StageOf(op), op.kind) > Nanoseconds(0)) {
      items_.insert({.what = What::kOp, .kind = op.kind, .index = op.stage});
    }
  }

  const Costs& costs_;
  const Topology& topology_;
  std::set<CostItem> items_;
};

void TakeTenthOff(Nanoseconds& duration) {
  duration = Nanoseconds((duration.count() * 9 + 5) / 10);
}

}  // namespace

Table<Remedy> TryRemedies(const Schedule& schedule, const Dependencies& dependencies,
                          const Costs& costs, const Topology& topology) {
  const std::optional<CompiledSchedule> compiled = Compile(schedule, dependencies, topology.send);
  STAGECRAFT_CHECK(compiled, "only a verified schedule can be simulated");

  Table<Remedy> remedies;
  ReplayState state;
  for (const CostItem& item : ItemsUsed(compiled->classes, costs, topology)) {
    Costs changed_costs = costs;
    Topology changed_topology = topology;
    MakeTenthBetter(item, changed_costs, changed_topology);
    Replay(*compiled, changed_costs, changed_topology, state);
    remedies.push_back({item, state.makespan});
  }

  std::stable_sort(remedies.begin(), remedies.end(),
                   [](const Remedy& a, const Remedy& b) { return a.after < b.after; });
  return remedies;
}

void MakeTenthBetter(const CostItem& item, Costs& costs, Topology& topology) {
  switch (item.what) {
    case What::kOp:
      TakeTenthOff(costs.stages[item.index].*CostMemberOf(item.kind));
      return;
    case What::kCell:
      TakeTenthOff(*costs.stages[item.index].joined);
      return;
    case What::kLatency:
      TakeTenthOff(topology.latency);
      return;
    case What::kBandwidth:
      topology.bandwidth *= 1.1;
      return;
    case What::kSpeed:
      topology.speed.resize(std::max(topology.speed.Count(), item.index + 1), 1.0);
      topology.speed[item.index] *= 1.1;
      return;
  }
}

Table<CostItem> ItemsUsed(const CostClasses& classes, const Costs& costs,
                          const Topology& topology) {
  ItemSet items(costs, topology);
  for (const CostClass& cost_class : classes.classes) {
    items.Add(classes, cost_class);
  }
  return items.Take();
}

}  // namespace stagecraft
