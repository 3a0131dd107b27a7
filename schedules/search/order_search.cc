#include "schedules/search/order_search.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#include "schedules/generators.h"
#include "schedules/schedule.h"
#include "schedules/search/bound.h"
#include "schedules/search/dispatch.h"
#include "schedules/search/rounds.h"
#include "schedules/search/timed_order.h"
#include "schedules/tables.h"

namespace stagecraft {
namespace {

/// How many micro-batches a stage may have ahead: this many per stage behind it, and some.
struct Ahead {
  double per_stage = 1;
  std::int32_t more = 1;
};

constexpr std::array<double, 7> kFills = {0.5, 0.25, 0.125, 0, 0.375, 0.75, 1};
constexpr std::array<Ahead, 20> kAheads = {{{2, 1},    {1, 1},    {2, 2},    {1, 2},    {1.5, 1},
                                            {2.25, 2}, {1.25, 1}, {1.75, 1}, {2.5, 1},  {0.5, 1},
                                            {1.5, 2},  {0.75, 1}, {2.25, 1}, {1.25, 2}, {1.75, 2},
                                            {2.5, 2},  {0.25, 1}, {0.5, 2},  {0.75, 2}, {0.25, 2}}};

/// Ops that a search may put into order, whatever the size: some tens of milliseconds.
constexpr std::int64_t kBudget = 500'000;
/// Policies that are tried at any size; fewer on a V, which has better rules of its own.
constexpr std::int64_t kFewest = 12;
constexpr std::int64_t kFewestOnAV = 8;

class Search {
 public:
  Search(const AutoProblem& problem, const AutoWatch& watch)
      : problem_(problem), watch_(watch), routes_({RouteOf(problem)}) {
    report_.lower_bound = WindowBound(problem);
    for (const Table<std::int32_t>& stages : problem.placement) {
      is_straight_ = is_straight_ && stages.size() == 1;
    }
    const std::int64_t all =
        static_cast<std::int64_t>(kFills.size()) * static_cast<std::int64_t>(kAheads.size());
    dispatches_ = std::clamp(kBudget / problem.Ops(), is_straight_ ? kFewest : kFewestOnAV, all);
    every_pair_ = dispatches_ == all;
    if (!every_pair_) {
      dispatches_ =
          std::min(dispatches_, static_cast<std::int64_t>(kFills.size() + kAheads.size()) - 1);
    }
    report_.planned = static_cast<std::int32_t>(dispatches_) + (is_straight_ ? 2 : 1 + 8);
  }

  std::optional<AutoOrder> Run() {
    if (TryKnown() && (is_straight_ || TryRounds())) {
      every_pair_ ? TryEveryPair() : TryLineByLine();
    }
    return std::move(best_);
  }

 private:
  /// Takes the order if it is the best; false if the search is to end.
  bool Take(std::optional<AutoOrder> order) {
    const std::int64_t window = order ? order->window : 0;
    if (order && (!best_ || IsBetter(*order, *best_))) {
      best_ = std::move(order);
      report_.window = best_->window;
      report_.makespan = best_->makespan;
    }
    ++report_.tried;
    last_window_ = window;
    // Without an order yet there is nothing to end with.
    return !best_ || !watch_ || watch_(report_);
  }

  /// A shorter window, else a shorter makespan, else less memory on the rank that keeps most.
  bool IsBetter(const AutoOrder& a, const AutoOrder& b) const {
    if (std::pair(a.window, a.makespan) != std::pair(b.window, b.makespan)) {
      return std::pair(a.window, a.makespan) < std::pair(b.window, b.makespan);
    }
    return MostKept(problem_, a.programs) < MostKept(problem_, b.programs);
  }

  /// The published orders for such a placement, where they fit.
  bool TryKnown() {
    GeneratorOptions options;
    options.ranks = problem_.placement.Count();
    options.microbatches = problem_.microbatches;
    const auto take = [&](Schedule (*make)(const GeneratorOptions&)) {
      Schedule known = make(options);
      for (Program& program : known.programs) {
        std::erase_if(program, [](const Op& op) { return op.kind == OpKind::kStep; });
      }
      return Take(TimeOrder(problem_, std::move(known.programs)));
    };
    return is_straight_ ? take(kZeroBubbleH1.make) && take(kZeroBubbleH2.make)
                        : take(kZeroBubbleV.make);
  }

  bool TryRounds() {
    std::int64_t spare = 0;
    for (int pass = 0; pass < 2; ++pass) {
      for (const bool forward : {true, false}) {
        for (const bool backward : {true, false}) {
          if (!Take(ScheduleInRounds(problem_, {forward, backward, spare}))) {
            return false;
          }
        }
      }
      spare = best_ ? best_->window - LongestWork() : 0;
    }
    return true;
  }

  std::int64_t LongestWork() const {
    std::int64_t longest = 0;
    for (const Table<std::int32_t>& stages : problem_.placement) {
      std::int64_t work = 0;
      for (const std::int32_t stage : stages) {
        const StageEstimate& costs = problem_.stages[stage];
        work += costs.forward + costs.backward_input + costs.backward_weight;
      }
      longest = std::max(longest, work * problem_.microbatches);
    }
    return longest;
  }

  bool TryDispatch(const Ahead& ahead, double fill) {
    DispatchPolicy policy;
    policy.fill = fill;
    const auto stages = problem_.stages.Count();
    for (std::int32_t stage = 0; stage < stages; ++stage) {
      policy.most_ahead.push_back(
          static_cast<std::int32_t>(std::ceil(ahead.per_stage * (stages - 1 - stage))) +
          ahead.more);
    }
    return Take(Dispatch(problem_, routes_, policy));
  }

  void TryEveryPair() {
    for (const Ahead& ahead : kAheads) {
      for (const double fill : kFills) {
        if (!TryDispatch(ahead, fill)) {
          return;
        }
      }
    }
  }

  /// The first parameter with a middling second one, then the second with the best first.
  void TryLineByLine() {
    const std::size_t firsts =
        std::min(kAheads.size(), static_cast<std::size_t>(dispatches_) - kFills.size() + 1);

    std::size_t best = 0;
    std::int64_t shortest = 0;
    for (std::size_t i = 0; i < firsts; ++i) {
      if (!TryDispatch(kAheads[i], kFills.front())) {
        return;
      }
      if (last_window_ > 0 && (shortest == 0 || last_window_ < shortest)) {
        shortest = last_window_;
        best = i;
      }
    }

    // The other ways to fill gaps, with the best of those.
    for (std::size_t i = 1; i < kFills.size(); ++i) {
      if (!TryDispatch(kAheads[best], kFills[i])) {
        return;
      }
    }
  }

  const AutoProblem& problem_;
  const AutoWatch& watch_;
  Table<Table<std::int32_t>> routes_;
  bool is_straight_ = true;
  bool every_pair_ = false;
  std::int64_t dispatches_ = 0;
  AutoReport report_;
  std::int64_t last_window_ = 0;  ///< Of the order that was tried last; 0 if there was none.
  std::optional<AutoOrder> best_;
};

}  // namespace

std::optional<AutoOrder> FindOrder(const AutoProblem& problem, const AutoWatch& watch) {
  return Search(problem, watch).Run();
}

}  // namespace stagecraft
