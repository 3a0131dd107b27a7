#include "traces/placed_cut.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <numeric>
#include <tuple>
#include <utility>
#include <vector>

#include "schedules/tables.h"
#include "traces/layer_costs.h"

namespace stagecraft {
namespace {

// With several stages per rank, stages that are alike are not what is wanted, but ranks:
//
//   layers    | 9 1 1 1 1 1 1 1 | on a V of 2 ranks, stages 0 and 3 on rank 0
//   even cut  |[9][1 1][1 1][1 1 1]        rank 0: 12, rank 1: 4
//   this one  |[9][1 1 1][1 1 1][1]        rank 0: 10, rank 1: 6; no cut has less than 10
//
// The descent moves the border between two stages by a layer, or a whole range of borders, which
// takes a layer from one stage and gives one to a stage further on; of all such moves the best is
// made, until none is an improvement: first by how unequal all ranks are, which shows a way where
// the busiest one does not, then by the busiest. The search then tries every cut, stage by stage,
// and gives up a beginning that can't become better than the best cut so far: one whose load is not
// less, or whose finished ranks leave so much idle that the others can't take what is left.

constexpr double kAsGood = 0.02;  ///< By this fraction a busiest rank may be busier than at best.

// Limits count work, not time, so that the same arguments give the same cut on every machine.
constexpr std::int64_t kMostStageSums = std::int64_t{1} << 23;  ///< Stages that a descent adds up.
constexpr std::int64_t kMostPlaced = std::int64_t{1} << 22;     ///< Stages placed, times ranks.
/// Borders that move at a time, times stages.
constexpr std::size_t kMostBordersMoved = std::size_t{1} << 14;

/// The ranks of each stage. Requires every stage up to the largest to be somewhere.
Table<Table<std::size_t>> RanksOf(const Placement& placement) {
  Table<Table<std::size_t>> ranks;
  for (std::size_t rank = 0; rank < placement.size(); ++rank) {
    for (const std::int32_t stage : placement[rank]) {
      ranks.resize(std::max(ranks.Count(), stage + 1));
      ranks[stage].push_back(rank);
    }
  }
  return ranks;
}

/// The least speed of `ranks`, which share a stage in equal parts.
double SlowestOf(const std::vector<std::size_t>& ranks, const std::vector<double>& speed) {
  return speed[std::ranges::min(ranks, {}, [&](std::size_t rank) { return speed[rank]; })];
}

/// Begins of the stages, and the number of layers behind.
using Borders = std::vector<std::size_t>;

/// The times of the layers, and which rank has how much of which stage.
class Loads {
 public:
  Loads(const Profile& profile, const Placement& placement, const SizePosition& position,
        const CutGoal& goal)
      : ranks_of_(RanksOf(placement)),
        sums_(TimeSums(profile, position, goal.passes)),
        speed_(goal.speed) {
    speed_.resize(placement.size(), 1);
    for (const std::vector<std::size_t>& ranks : ranks_of_) {
      slowest_.push_back(SlowestOf(ranks, speed_));
    }
  }

  std::size_t Stages() const { return ranks_of_.size(); }
  std::size_t Ranks() const { return speed_.size(); }
  double Speed(std::size_t rank) const { return speed_[rank]; }
  std::size_t Layers() const { return sums_.size() - 1; }
  const std::vector<std::size_t>& RanksOfStage(std::size_t stage) const { return ranks_of_[stage]; }

  /// Nanoseconds at speed 1; the sum of speeds; and the least that the busiest rank can have.
  double Total() const { return static_cast<double>(sums_.back()); }
  double TotalSpeed() const { return std::accumulate(speed_.begin(), speed_.end(), 0.0); }
  double Bound() const { return Total() / TotalSpeed(); }

  /// One replica's part of a stage that holds layers [begin, end), at speed 1.
  double Share(std::size_t stage, std::size_t begin, std::size_t end) const {
    return static_cast<double>(sums_[end] - sums_[begin]) /
           static_cast<double>(ranks_of_[stage].size());
  }

  /// What its slowest replica takes for such a part.
  double Slowest(std::size_t stage, double share) const { return share / slowest_[stage]; }
  CutLoad Of(const Borders& borders) const {
    return {std::ranges::max(BusyWith(borders)), std::ranges::max(TimesOfStages(borders))};
  }

  /// How unequal ranks, and replicas of stages, are: sums of squares, least where all are alike.
  double InequalityOfRanks(const Borders& borders) const { return SumOfSquares(BusyWith(borders)); }
  double InequalityOfStages(const Borders& of) const { return SumOfSquares(TimesOfStages(of)); }

 private:
  std::vector<double> TimesOfStages(const Borders& borders) const {
    std::vector<double> times;
    for (std::size_t stage = 0; stage < Stages(); ++stage) {
      times.push_back(Slowest(stage, Share(stage, borders[stage], borders[stage + 1])));
    }
    return times;
  }

  std::vector<double> BusyWith(const Borders& borders) const {
    std::vector<double> busy(Ranks(), 0);
    for (std::size_t stage = 0; stage < Stages(); ++stage) {
      const double share = Share(stage, borders[stage], borders[stage + 1]);
      for (const std::size_t rank : ranks_of_[stage]) {
        busy[rank] += share / speed_[rank];
      }
    }
    return busy;
  }

  static double SumOfSquares(const std::vector<double>& values) {
    return std::inner_product(values.begin(), values.end(), values.begin(), 0.0);
  }

  Table<Table<std::size_t>> ranks_of_;
  std::vector<std::int64_t> sums_;  ///< Layer i takes `sums_[i + 1] - sums_[i]`.
  std::vector<double> speed_;       ///< Per rank.
  std::vector<double> slowest_;     ///< Per stage: the least speed of its ranks.
};

/// Less busy on the busiest rank, where that is above `enough`, else faster in the slowest stage.
bool IsBetter(const CutLoad& a, const CutLoad& b, double enough) {
  const double busiest_a = std::max(a.busiest_rank, enough);
  const double busiest_b = std::max(b.busiest_rank, enough);
  return std::tie(busiest_a, a.slowest_stage) < std::tie(busiest_b, b.slowest_stage);
}

/// A cut and what it makes of the placement.
struct Rated {
  Borders borders;
  CutLoad load;
};

/// What a descent makes less, the first first.
using Rating = std::array<double, 3>;

/// Rates a cut; a busiest rank below `enough` is as good as one at it.
using Rate = Rating (*)(const Loads&, const Borders&, double enough);

/// How unequal ranks are, then how unequal stages are.
Rating ByRanks(const Loads& loads, const Borders& borders, double /*enough*/) {
  return {loads.InequalityOfRanks(borders), loads.InequalityOfStages(borders), 0};
}

/// The busiest rank, then the slowest stage, then how unequal stages are.
Rating ByTheBusiest(const Loads& loads, const Borders& borders, double enough) {
  const CutLoad load = loads.Of(borders);
  return {std::max(load.busiest_rank, enough), load.slowest_stage,
          loads.InequalityOfStages(borders)};
}

/// Moves borders, the best move first, until no move is an improvement or the limit is reached.
class Descent {
 public:
  Descent(const Loads& loads, Rate rate, double enough)
      : loads_(loads),
        rate_(rate),
        enough_(enough),
        widest_(std::clamp(kMostBordersMoved / loads.Stages(), std::size_t{1}, loads.Stages())) {}

  Borders From(Borders borders) {
    best_ = std::move(borders);
    best_rating_ = rate_(loads_, best_, enough_);
    while (left_ > 0 && Improve()) {
    }
    return best_;
  }

 private:
  /// Makes the best move; false if there is none.
  bool Improve() {
    const Borders from = best_;
    bool any = false;
    for (std::size_t first = 1; first < loads_.Stages(); ++first) {
      const std::size_t end = std::min(first + widest_, loads_.Stages());
      any |= TryRanges(from, first, end, 1);
      any |= TryRanges(from, first, end, -1);
    }
    return any;
  }

  /// Moves borders [first, last] of `from` by `step` for every last below `end`; keeps the best.
  bool TryRanges(const Borders& from, std::size_t first, std::size_t end, int step) {
    Borders moved = from;
    bool any = false;
    for (std::size_t last = first; last < end && left_ > 0; ++last) {
      // The range grows by one border with each turn.
      moved[last] = step > 0 ? from[last] + 1 : from[last] - 1;
      if (!LeavesLayers(moved, first, last)) {
        continue;
      }

      left_ -= static_cast<std::int64_t>(loads_.Stages());
      const Rating rating = rate_(loads_, moved, enough_);
      if (rating < best_rating_) {
        best_ = moved;
        best_rating_ = rating;
        any = true;
      }
    }

    return any;
  }

  /// Only the stages at both ends of the range change in length.
  static bool LeavesLayers(const Borders& borders, std::size_t first, std::size_t last) {
    return borders[first - 1] < borders[first] && borders[last] < borders[last + 1];
  }

  const Loads& loads_;
  Rate rate_;
  double enough_;
  std::size_t widest_;  ///< Most borders that move at a time.
  Borders best_;
  Rating best_rating_{};
  std::int64_t left_ = kMostStageSums;  ///< Stages that may still be added up.
};

/// All cuts, depth first; see above.
class CutSearch {
 public:
  CutSearch(const Loads& loads, Rated best, double enough)
      : loads_(loads),
        best_(std::move(best)),
        enough_(enough),
        borders_(loads.Stages() + 1, 0),
        before_(loads.Stages() + 1),
        last_stage_(loads.Ranks(), 0) {
    before_.front().busy.resize(loads.Ranks(), 0);
    before_.front().open_speed = loads.TotalSpeed();
    for (std::size_t stage = 0; stage < loads.Stages(); ++stage) {
      for (const std::size_t rank : loads.RanksOfStage(stage)) {
        last_stage_[rank] = stage;
      }
    }
  }

  /// Searches; false if it reached the limit before it had tried all cuts.
  bool Run() {
    std::size_t stage = 0;  // `borders_[stage + 1]` is where this one ends.
    while (placed_ <= kMostPlaced) {
      if (Lengthen(stage)) {
        if (stage + 1 < loads_.Stages()) {
          ++stage;
          borders_[stage + 1] = borders_[stage];
          continue;
        }
        Keep();
      }

      // This stage is done: the one before it is the next to grow.
      if (stage == 0) {
        return true;
      }
      --stage;
    }

    return false;
  }

  const Rated& Best() const { return best_; }

 private:
  /// What the stages before one make of the ranks.
  struct Placed {
    std::vector<double> busy;  ///< Per rank.
    CutLoad load;
    double finished_work = 0;  ///< Work of ranks that have all of their stages, in sum, at speed 1.
    double open_speed = 0;     ///< Speed of all other ranks, in sum.
  };

  /// Gives the stage one layer more than it was tried with last, or all that are left if it is the
  /// last one; false if no longer stage can be part of a better cut.
  bool Lengthen(std::size_t stage) {
    const std::size_t behind = loads_.Stages() - stage - 1;
    const std::size_t begin = borders_[stage];
    std::size_t& end = borders_[stage + 1];

    while (end < loads_.Layers() - behind) {
      end = behind == 0 ? loads_.Layers() : end + 1;
      placed_ += static_cast<std::int64_t>(loads_.Ranks());
      Place(stage, loads_.Share(stage, begin, end));
      if (!IsBetter(before_[stage + 1].load, best_.load, enough_)) {
        return false;  // Nor would a longer one be.
      }
      if (LeavesRoom(before_[stage + 1])) {
        return true;
      }
    }

    return false;
  }

  /// Works out `before_[stage + 1]`, if each replica of `stage` has the part `share`.
  void Place(std::size_t stage, double share) {
    Placed& placed = before_[stage + 1];
    placed = before_[stage];
    placed.load.slowest_stage = std::max(placed.load.slowest_stage, loads_.Slowest(stage, share));
    for (const std::size_t rank : loads_.RanksOfStage(stage)) {
      placed.busy[rank] += share / loads_.Speed(rank);
      placed.load.busiest_rank = std::max(placed.load.busiest_rank, placed.busy[rank]);
      if (last_stage_[rank] == stage) {
        placed.finished_work += placed.busy[rank] * loads_.Speed(rank);
        placed.open_speed -= loads_.Speed(rank);
      }
    }
  }

  /// Whether the ranks that are not finished can take the rest, if none is to be busier than the
  /// busiest of the best cut; with a nanosecond to spare, since shares are rounded.
  bool LeavesRoom(const Placed& placed) const {
    const double most = std::max(best_.load.busiest_rank, enough_);
    return placed.finished_work + placed.open_speed * most + 1 >= loads_.Total();
  }

  /// A cut is whole: keeps it if it is better than the best so far.
  void Keep() {
    const CutLoad load = loads_.Of(borders_);
    if (IsBetter(load, best_.load, enough_)) {
      best_ = {borders_, load};
    }
  }

  const Loads& loads_;
  Rated best_;
  double enough_;
  Borders borders_;                      ///< Borders of the cut that is tried.
  std::vector<Placed> before_;           ///< Before each stage, and behind the last.
  std::vector<std::size_t> last_stage_;  ///< Per rank: the last stage that it has.
  std::int64_t placed_ = 0;              ///< Work done so far, see `kMostPlaced`.
};

Borders BordersOf(const Partition& partition) {
  return {partition.begin.begin(), partition.begin.end()};
}

/// The better of both ways down from the even cut.
Rated Descend(const Loads& loads, const Borders& even, double enough) {
  const Borders straight = Descent(loads, ByTheBusiest, enough).From(even);
  const Borders around =
      Descent(loads, ByTheBusiest, enough).From(Descent(loads, ByRanks, enough).From(even));
  const Rated a{straight, loads.Of(straight)};
  const Rated b{around, loads.Of(around)};
  return IsBetter(b.load, a.load, enough) ? b : a;
}

Partition PartitionOf(const Borders& borders) {
  Partition partition;
  for (const std::size_t border : borders) {
    partition.begin.push_back(static_cast<std::int32_t>(border));
  }
  return partition;
}

/// Whether even stages make even ranks: no rank has two stages, or there is one rank.
bool IsAboutStages(const Placement& placement) {
  return placement.size() == 1 ||
         std::all_of(placement.begin(), placement.end(),
                     [](const auto& stages) { return stages.size() <= 1; });
}

}  // namespace

Result<CutLoad> LoadOf(const Profile& profile, const Partition& partition,
                       const Placement& placement, double microbatch_size, const CutGoal& goal) {
  const Result<SizePosition> position = FindSize(profile, microbatch_size);
  if (!position) {
    return {std::nullopt, position.diagnostics};
  }
  return {Loads(profile, placement, *position.value, goal).Of(BordersOf(partition)), {}};
}

Result<PlacedCut> CutForPlacement(const Profile& profile, const Placement& placement,
                                  double microbatch_size, const CutGoal& goal) {
  std::vector<double> speed = goal.speed;
  speed.resize(placement.size(), 1);
  std::vector<double> powers;  // The slowest replica of a stage has the same part as the others.
  for (const std::vector<std::size_t>& ranks : RanksOf(placement)) {
    powers.push_back(static_cast<double>(ranks.size()) * SlowestOf(ranks, speed));
  }
  Result<Partition> even = BalancedPartition(profile, powers, microbatch_size, goal.passes);
  if (!even) {
    return {std::nullopt, std::move(even.diagnostics)};
  }

  const Loads loads(profile, placement, *FindSize(profile, microbatch_size).value, goal);
  PlacedCut cut;
  cut.partition = *std::move(even.value);
  cut.bound = loads.Bound();
  cut.is_proved = profile.is_stages || IsAboutStages(placement);
  if (!cut.is_proved) {
    const Borders even_borders = BordersOf(cut.partition);
    CutSearch least(loads, Descend(loads, even_borders, 0), 0);
    cut.is_proved = least.Run();
    cut.least = least.Best().load.busiest_rank;

    // A nanosecond less on the busiest rank is not worth stages that are far from even, each of
    // which the pipeline waits for once in every round.
    const double enough = (1 + kAsGood) * cut.least;
    Rated best = Descend(loads, even_borders, enough);
    if (IsBetter(least.Best().load, best.load, enough)) {
      best = least.Best();
    }
    CutSearch evenest(loads, best, enough);
    evenest.Run();
    cut.partition = PartitionOf(Descent(loads, ByTheBusiest, enough).From(evenest.Best().borders));
  }

  cut.load = loads.Of(BordersOf(cut.partition));
  cut.least = cut.least > 0 ? cut.least : cut.load.busiest_rank;
  return {std::move(cut), {}};
}

}  // namespace stagecraft
