#include "schedules/search/dispatch.h"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <queue>
#include <utility>

#include "schedules/tables.h"

namespace stagecraft {
namespace {

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

/// A stage on one of the ranks that hold it: the micro-batches of one route, in order.
struct Lane {
  std::int32_t stage = 0;
  std::int32_t route = 0;
  std::int32_t rank = 0;
  std::int32_t total = 0;
  Table<std::int64_t> forward_at{};   ///< When the input of each is there.
  Table<std::int64_t> backward_at{};  ///< When its gradient is there.
  std::int32_t forwards = 0;
  std::int32_t backwards = 0;
  std::int32_t weights = 0;
  std::int32_t most_ahead = 0;
};

struct Rank {
  std::vector<Lane*> lanes{};  ///< In the order of the stages.
  std::int64_t free = 0;
  std::int64_t kept = 0;
  std::int64_t pending = 0;  ///< Part of `kept` that waits for nothing but a W.
  std::int64_t limit = 0;
  std::int64_t first = -1;
};

struct Choice {
  Lane* lane = nullptr;
  OpKind kind = OpKind::kForward;
};

class Dispatcher {
 public:
  Dispatcher(const AutoProblem& problem, const Table<Table<std::int32_t>>& routes,
             const DispatchPolicy& policy)
      : problem_(problem), policy_(policy), routes_(routes.Count()) {
    ranks_.resize(problem.placement.size());
    order_.programs.resize(problem.placement.size());

    for (std::size_t rank = 0; policy.split && rank < ranks_.size(); ++rank) {
      ranks_[rank].limit = problem.limits[rank];
    }
    MakeLanes(routes);
  }

  std::optional<AutoOrder> Run() {
    for (std::int32_t rank = 0; rank < ranks_.Count(); ++rank) {
      wake_.emplace(0, rank);
    }
    while (!wake_.empty()) {
      const auto [now, rank] = wake_.top();
      wake_.pop();
      if (now >= ranks_[rank].free) {
        Decide(rank, now);
      }
    }

    const bool complete = std::all_of(lanes_.begin(), lanes_.end(), [&](const Lane& lane) {
      return lane.backwards == lane.total && (!policy_.split || lane.weights == lane.total);
    });
    return complete ? std::optional(std::move(order_)) : std::nullopt;
  }

 private:
  void MakeLanes(const Table<Table<std::int32_t>>& routes) {
    const auto stages = problem_.stages.Count();
    lanes_.reserve(routes.size() * problem_.stages.size());
    for (std::int32_t stage = 0; stage < stages; ++stage) {
      for (std::int32_t route = 0; route < routes_; ++route) {
        Lane& lane = lanes_.emplace_back();
        lane.stage = stage;
        lane.route = route;
        lane.rank = routes[route][stage];
        lane.total = (problem_.microbatches - route + routes_ - 1) / routes_;

        lane.forward_at.assign(lane.total, stage == 0 ? 0 : kNever);
        lane.backward_at.assign(lane.total, kNever);
        lane.most_ahead = policy_.most_ahead.empty() ? lane.total : policy_.most_ahead[stage];
        ranks_[lane.rank].lanes.push_back(&lane);
      }
    }
  }

  const StageEstimate& CostsOf(const Lane& lane) const { return problem_.stages[lane.stage]; }
  std::int32_t MicrobatchOf(const Lane& lane, std::int32_t index) const {
    return index * routes_ + lane.route;
  }
  Lane& Neighbour(const Lane& lane, std::int32_t step) {
    return lanes_[(lane.stage + step) * routes_ + lane.route];
  }

  /// Among the lanes of `rank`, the oldest micro-batch whose `kind` can run now; `next` becomes
  /// the earliest time at which a later one can, as far as that is known.
  Lane* Ready(const Rank& rank, OpKind kind, std::int64_t now, std::int64_t& next) const {
    Lane* best = nullptr;
    std::int32_t oldest = 0;
    std::int64_t reserved = 0;
    for (auto at = rank.lanes.rbegin(); at != rank.lanes.rend(); ++at) {
      Lane& lane = **at;
      const bool forward = kind == OpKind::kForward;
      const std::int32_t index = forward ? lane.forwards : lane.backwards;
      const std::int64_t ready = forward ? ForwardAt(rank, lane, reserved) : BackwardAt(lane);

      // Later stages must find room for one micro-batch, or what is there could never leave.
      reserved += lane.forwards == lane.backwards ? CostsOf(lane).kept : 0;

      if (ready > now) {
        next = std::min(next, ready);
      } else if (best == nullptr || MicrobatchOf(lane, index) <= oldest) {
        best = &lane;
        oldest = MicrobatchOf(lane, index);
      }
    }
    return best;
  }

  std::int64_t BackwardAt(const Lane& lane) const {
    return lane.backwards < lane.forwards ? lane.backward_at[lane.backwards] : kNever;
  }

  std::int64_t ForwardAt(const Rank& rank, const Lane& lane, std::int64_t reserved) const {
    if (lane.forwards == lane.total || lane.forwards - lane.backwards >= lane.most_ahead) {
      return kNever;
    }
    const std::int64_t kept = rank.kept + CostsOf(lane).kept;
    const bool fits = kept <= rank.limit && kept - rank.pending + reserved <= rank.limit;
    if (policy_.split && !fits) {
      return kNever;
    }
    const std::int64_t ready = lane.forward_at[lane.forwards];
    return lane.stage == 0 ? std::max(ready, EntryAt()) : ready;
  }

  /// When the next micro-batch may enter the pipeline.
  std::int64_t EntryAt() const {
    if (entered_ < policy_.most_in_flight) {
      return 0;
    }
    const std::int32_t before = entered_ - policy_.most_in_flight;
    return before < left_.Count() ? left_[before] : kNever;
  }

  void Decide(std::int32_t number, std::int64_t now) {
    Rank& rank = ranks_[number];
    std::int64_t next = kNever;
    Choice choice{Ready(rank, OpKind::kBackward, now, next), OpKind::kBackwardInput};

    // A backward before a forward; a W only fills gaps.
    if (choice.lane == nullptr) {
      choice = {Ready(rank, OpKind::kForward, now, next), OpKind::kForward};
    }
    if (choice.lane == nullptr && policy_.split) {
      choice = {PendingWeight(rank, next - now), OpKind::kBackwardWeight};
    }

    if (choice.lane != nullptr) {
      Start(rank, choice, now);
    } else if (next != kNever) {
      wake_.emplace(next, number);
    }
  }

  /// The stage, from the last, that has a W to fill a gap with.
  Lane* PendingWeight(const Rank& rank, std::int64_t gap) const {
    for (auto at = rank.lanes.rbegin(); at != rank.lanes.rend(); ++at) {
      Lane& lane = **at;
      const auto time = static_cast<double>(CostsOf(lane).backward_weight);
      if (lane.weights < lane.backwards && static_cast<double>(gap) >= policy_.fill * time) {
        return &lane;
      }
    }
    return nullptr;
  }

  void Start(Rank& rank, const Choice& choice, std::int64_t now) {
    Lane& lane = *choice.lane;
    const StageEstimate& costs = CostsOf(lane);

    rank.first = rank.first < 0 ? now : rank.first;
    if (choice.kind == OpKind::kForward) {
      rank.free = now + costs.forward;
      rank.kept += costs.kept;
      entered_ += lane.stage == 0 ? 1 : 0;
      Pass(lane, lane.forwards, 1, rank.free);
      Add(lane, OpKind::kForward, lane.forwards++);
    } else if (choice.kind == OpKind::kBackwardInput) {
      rank.free = now + costs.backward_input + (policy_.split ? 0 : costs.backward_weight);
      rank.kept -= costs.released;
      rank.pending += costs.kept - costs.released;
      Pass(lane, lane.backwards, -1, rank.free);
      Add(lane, policy_.split ? OpKind::kBackwardInput : OpKind::kBackward, lane.backwards++);
      lane.weights += policy_.split ? 0 : 1;
    } else {
      rank.free = now + costs.backward_weight;
      rank.kept -= costs.kept - costs.released;
      rank.pending -= costs.kept - costs.released;
      Add(lane, OpKind::kBackwardWeight, lane.weights++);
    }

    wake_.emplace(rank.free, lane.rank);
    order_.window = std::max(order_.window, rank.free - rank.first);
    order_.makespan = std::max(order_.makespan, rank.free);
  }

  /// The result of a forward or backward that ends at `end` goes to the next lane.
  void Pass(Lane& lane, std::int32_t index, std::int32_t step, std::int64_t end) {
    const auto last = problem_.stages.Count() - 1;
    if (step > 0 && lane.stage == last) {
      lane.backward_at[index] = end;
    } else if (step < 0 && lane.stage == 0) {
      left_.push_back(end);
      for (std::int32_t route = 0; route < routes_; ++route) {
        wake_.emplace(end, lanes_[route].rank);
      }
    } else {
      Lane& to = Neighbour(lane, step);
      const Lane& earlier = step > 0 ? lane : to;
      const std::int64_t arrival = end + (to.rank == lane.rank ? 0 : CostsOf(earlier).hop);
      (step > 0 ? to.forward_at : to.backward_at)[index] = arrival;
      wake_.emplace(std::max(arrival, ranks_[to.rank].free), to.rank);
    }
  }

  void Add(const Lane& lane, OpKind kind, std::int32_t index) {
    order_.programs[lane.rank].push_back(
        {.kind = kind, .stage = lane.stage, .microbatch = MicrobatchOf(lane, index)});
  }

  using Wake = std::pair<std::int64_t, std::int32_t>;

  const AutoProblem& problem_;
  const DispatchPolicy& policy_;
  std::int32_t routes_ = 1;
  Table<Lane> lanes_;  ///< By stage, then by route.
  Table<Rank> ranks_;
  std::priority_queue<Wake, std::vector<Wake>, std::greater<>> wake_;
  std::int32_t entered_ = 0;
  Table<std::int64_t> left_;  ///< Ends of the backwards of stage 0.
  AutoOrder order_;
};

}  // namespace

std::optional<AutoOrder> Dispatch(const AutoProblem& problem,
                                  const Table<Table<std::int32_t>>& routes,
                                  const DispatchPolicy& policy) {
  return Dispatcher(problem, routes, policy).Run();
}

Table<std::int32_t> RouteOf(const AutoProblem& problem) {
  Table<std::int32_t> route(problem.stages.size());
  for (std::int32_t rank = 0; rank < problem.placement.Count(); ++rank) {
    for (const std::int32_t stage : problem.placement[rank]) {
      route[stage] = rank;
    }
  }
  return route;
}

}  // namespace stagecraft
