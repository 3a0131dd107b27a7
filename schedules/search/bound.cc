#include "schedules/search/bound.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "schedules/search/dispatch.h"
#include "schedules/tables.h"

namespace stagecraft {
namespace {

/// What the bounds need of one rank.
class RankBound {
 public:
  RankBound(const AutoProblem& problem, const Table<std::int32_t>& route, std::size_t rank)
      : problem_(problem),
        route_(route),
        stages_(problem.placement[rank]),
        limit_(static_cast<long double>(problem.limits[rank])) {
    std::sort(stages_.begin(), stages_.end());
  }

  long double Longest() const { return std::max(WithEnds(), Area()); }

 private:
  const StageEstimate& Costs(std::int32_t stage) const { return problem_.stages[stage]; }

  long double Hop(std::int32_t stage) const {
    return route_[stage] == route_[stage + 1] ? 0 : static_cast<long double>(Costs(stage).hop);
  }

  /// From the start of F on `from`, over the last stage, to the start of I on `to`.
  long double RoundTrip(std::int32_t from, std::int32_t to) const {
    const auto last = problem_.stages.Count() - 1;
    long double time = 0;
    for (std::int32_t stage = from; stage <= last; ++stage) {
      time += static_cast<long double>(Costs(stage).forward) + (stage < last ? Hop(stage) : 0);
    }
    for (std::int32_t stage = to + 1; stage <= last; ++stage) {
      time += static_cast<long double>(Costs(stage).backward_input) + Hop(stage - 1);
    }
    return time;
  }

  /// Sum over the rank's stages of `of(costs)`, for all micro-batches.
  template <typename Of>
  long double Total(Of of) const {
    long double sum = 0;
    for (const std::int32_t stage : stages_) {
      sum += static_cast<long double>(of(Costs(stage)));
    }
    return sum * static_cast<long double>(problem_.microbatches);
  }

  template <typename Of>
  long double Most(Of of) const {
    long double most = 0;
    for (const std::int32_t stage : stages_) {
      most = std::max(most, static_cast<long double>(of(Costs(stage))));
    }
    return most;
  }

  /// Work, and what the limit can't fill before the first I and behind the last F.
  long double WithEnds() const {
    const long double forwards = Total([](const auto& c) { return c.forward; });
    const long double backwards =
        Total([](const auto& c) { return c.backward_input + c.backward_weight; });
    const long double fitting =  // Forwards, if none has a backward yet.
        limit_ * Most([](const auto& c) { return 1 / static_cast<long double>(c.kept); });

    // What a round trip leaves idle: before the first backward, and behind the last forward.
    const long double head =
        RoundTrip(stages_.front(), stages_.back()) -
        std::min(forwards, fitting * Most([](const auto& c) { return c.forward; }));

    const StageEstimate& first = Costs(stages_.front());
    const long double tail =
        RoundTrip(stages_.back(), stages_.front()) -
        static_cast<long double>(Costs(stages_.back()).forward) +
        static_cast<long double>(first.backward_input + first.backward_weight) -
        std::min(backwards, limit_ * WorkPerKept());

    // With more micro-batches than fit at a time, the two waits cannot overlap.
    const bool apart =
        static_cast<long double>(problem_.microbatches) * static_cast<long double>(stages_.size()) >
        fitting;
    const long double idle_head = std::max(head, 0.0L);
    const long double idle_tail = std::max(tail, 0.0L);
    return forwards + backwards + (apart ? idle_head + idle_tail : std::max(idle_head, idle_tail));
  }

  /// Most backward work that a unit of memory can hold back.
  long double WorkPerKept() const {
    return Most([](const StageEstimate& c) {
      const auto kept = static_cast<long double>(c.kept);
      const auto weight = static_cast<long double>(c.backward_weight);
      const auto after = static_cast<long double>(std::max<std::int64_t>(c.kept - c.released, 0));
      const long double both = (static_cast<long double>(c.backward_input) + weight) / kept;
      return std::max(both, weight / std::max(after, kTiny));
    });
  }

  /// Memory times time that the batch takes, over the limit.
  long double Area() const {
    long double area = 0;
    for (const std::int32_t stage : stages_) {
      const StageEstimate& c = Costs(stage);
      area += static_cast<long double>(c.kept) *
                  (RoundTrip(stage, stage) + static_cast<long double>(c.backward_input)) +
              static_cast<long double>(c.kept - c.released) *
                  static_cast<long double>(c.backward_weight);
    }
    return area * static_cast<long double>(problem_.microbatches) / limit_;
  }

  static constexpr long double kTiny = 1e-9L;

  const AutoProblem& problem_;
  const Table<std::int32_t>& route_;
  Table<std::int32_t> stages_;
  long double limit_;
};

}  // namespace

std::int64_t WindowBound(const AutoProblem& problem) {
  const Table<std::int32_t> route = RouteOf(problem);
  long double longest = 0;
  for (std::size_t rank = 0; rank < problem.placement.size(); ++rank) {
    longest = std::max(longest, RankBound(problem, route, rank).Longest());
  }
  // Windows are whole, so the next whole number is a bound too; but not one above the true bound.
  constexpr long double kRounding = 1e-12L;
  return static_cast<std::int64_t>(std::ceil(longest * (1 - kRounding)));
}

}  // namespace stagecraft
