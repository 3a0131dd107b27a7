#include "traces/partition.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <functional>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "schedules/diagnostic.h"
#include "traces/layer_costs.h"

namespace stagecraft {
namespace {

// Why the search below is exact. Let T be the time that no stage may exceed.
//
//   layers   | a b c d e f g h i |      T is enough for k stages if and only if filling stages from
//   T is ok  |[a b][c d e][f g h i]     the right, each as full as T allows, needs at most k: times
//            <---- filled leftwards     are not negative, so a fuller stage never hurts the others.
//
// The least T that is enough is found by bisection over integers. Filling also gives the earliest
// begin that each stage can have within T. Then cuts are placed from the left: the time that is
// left, divided by the stages that are left, is aimed at, as near as T and the stages behind allow.

/// Begins of the stages when filled from the right, last stage first; at most `most` + 1 of them.
/// Requires that no layer takes longer than `limit`.
std::vector<std::size_t> FillFromRight(const std::vector<std::int64_t>& sums, std::int64_t limit,
                                       std::size_t most) {
  std::vector<std::size_t> begins;
  std::size_t end = sums.size() - 1;
  while (end > 0 && begins.size() <= most) {
    const auto first = std::lower_bound(
        sums.begin(), sums.begin() + static_cast<std::ptrdiff_t>(end), sums[end] - limit);
    end = static_cast<std::size_t>(first - sums.begin());
    begins.push_back(end);
  }
  return begins;
}

/// The least T for stages of equal power, found between the longest layer and the total.
std::int64_t LeastLimit(const std::vector<std::int64_t>& sums, std::size_t stages) {
  std::int64_t low = 0;
  for (std::size_t i = 1; i < sums.size(); ++i) {
    low = std::max(low, sums[i] - sums[i - 1]);
  }

  // The longest layer must fit, and the total is always enough.
  std::int64_t high = sums.back();
  while (low < high) {
    const std::int64_t middle = low + (high - low) / 2;
    if (FillFromRight(sums, middle, stages).size() <= stages) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }

  return low;
}

/// The layer in [first, last] in front of which `sums` is nearest to `target`; the earlier of two.
std::size_t NearestCut(const std::vector<std::int64_t>& sums, std::int64_t target,
                       std::size_t first, std::size_t last) {
  const auto begin = sums.begin() + static_cast<std::ptrdiff_t>(first);
  const auto above =
      std::lower_bound(begin, sums.begin() + static_cast<std::ptrdiff_t>(last), target);
  const auto cut = static_cast<std::size_t>(above - sums.begin());
  const bool before_is_nearer = cut > first && target - sums[cut - 1] <= sums[cut] - target;
  return before_is_nearer ? cut - 1 : cut;
}

/// Cuts where all stages have the same power. Requires 1 <= stages <= layers.
Partition CutEvenly(const std::vector<std::int64_t>& sums, std::size_t stages) {
  const std::size_t layers = sums.size() - 1;
  const std::int64_t limit = LeastLimit(sums, stages);

  // Last stage first; stages that filling did not need may begin at 0 as far as T is concerned.
  std::vector<std::size_t> earliest = FillFromRight(sums, limit, stages);
  earliest.resize(stages, 0);

  Partition partition;
  partition.begin.push_back(0);
  std::size_t begin = 0;
  for (std::size_t left = stages - 1; left > 0; --left) {  // Stages behind the cut.
    const auto too_late = std::upper_bound(sums.begin() + static_cast<std::ptrdiff_t>(begin),
                                           sums.end(), sums[begin] + limit);
    const std::size_t last =
        std::min(static_cast<std::size_t>(too_late - sums.begin()) - 1, layers - left);
    const std::size_t first = std::max(earliest[left - 1], begin + 1);
    const std::int64_t share = (sums.back() - sums[begin]) / static_cast<std::int64_t>(left + 1);
    begin = NearestCut(sums, sums[begin] + share, first, last);
    partition.begin.push_back(static_cast<std::int32_t>(begin));
  }
  partition.begin.push_back(static_cast<std::int32_t>(layers));
  return partition;
}

// Where stages have different powers, a fuller stage may hurt after all: the layer
// before it may be too long for the next stage, though not for the one after that.
//
//   powers 4 1 4 | a a B a a |    stage 1 must not reach B: stage 2 must not be as full as it can
//
// So it is worked out for every stage at which layers it may begin, from the last stage on.

/// Where stages may begin so that each takes at most `limit` times its power.
class Begins {
 public:
  Begins(const std::vector<std::int64_t>& sums, std::span<const double> powers, std::int64_t limit)
      : sums_(sums), none_(sums.size()), next_(powers.size()) {
    // Behind the last stage only the end is a place where a stage may end.
    std::vector<std::size_t> ends(sums.size() + 1, sums.size() - 1);
    ends.back() = none_;

    for (std::size_t stage = powers.size(); stage-- > 0;) {
      limits_.push_back(Times(limit, powers[stage]));
      next_[stage] = BeginsBefore(ends, limits_.back());
      ends = next_[stage];
    }
    std::reverse(limits_.begin(), limits_.end());
  }

  /// Whether the limit is enough for all stages.
  bool Enough() const { return next_.front().front() == 0; }

  /// The layer nearest to `target` (a sum) at which `stage` may begin if the one before it begins
  /// with layer `begin`; the earlier of two. Requires `Enough()`, and a `begin` that was possible.
  std::size_t Nearest(std::size_t stage, std::size_t begin, std::int64_t target) const {
    const std::vector<std::size_t>& next = next_[stage];
    std::size_t best = none_;
    for (std::size_t at = next[begin + 1]; at != none_; at = next[at + 1]) {
      if (sums_[at] - sums_[begin] > limits_[stage - 1]) {
        break;
      }
      if (best == none_ || Distance(at, target) < Distance(best, target)) {
        best = at;
      }
    }
    return best;
  }

 private:
  /// limit * power, at most the total, which no stage exceeds; exact if `power` is whole.
  std::int64_t Times(std::int64_t limit, long double power) const {
    const long double product = static_cast<long double>(limit) * power;
    return product > static_cast<long double>(sums_.back()) ? sums_.back()
                                                            : static_cast<std::int64_t>(product);
  }

  std::int64_t Distance(std::size_t layer, std::int64_t target) const {
    return std::abs(sums_[layer] - target);
  }

  /// For each layer the first from it on at which a stage may begin that must end where `ends` says
  /// and take at most `limit`. The earliest end is the best one.
  std::vector<std::size_t> BeginsBefore(const std::vector<std::size_t>& ends,
                                        std::int64_t limit) const {
    std::vector<std::size_t> next(sums_.size() + 1, none_);
    for (std::size_t begin = sums_.size() - 1; begin-- > 0;) {
      const std::size_t end = ends[begin + 1];
      const bool fits = end != none_ && sums_[end] - sums_[begin] <= limit;
      next[begin] = fits ? begin : next[begin + 1];
    }
    return next;
  }

  const std::vector<std::int64_t>& sums_;
  std::size_t none_;                            ///< Stands for no layer.
  std::vector<std::vector<std::size_t>> next_;  ///< Per stage; one entry more than layers + 1.
  std::vector<std::int64_t> limits_;            ///< Per stage: the most work that it may have.
};

/// The least integer time that is enough. Requires every power to be at least 1: then the total is.
std::int64_t LeastLimit(const std::vector<std::int64_t>& sums, std::span<const double> powers) {
  std::int64_t low = 0;
  std::int64_t high = sums.back();
  while (low < high) {
    const std::int64_t middle = low + (high - low) / 2;
    if (Begins(sums, powers, middle).Enough()) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

/// Cuts where stages have different powers. Requires 1 <= powers.size() <= layers.
Partition CutByPowers(const std::vector<std::int64_t>& sums, std::span<const double> given) {
  // A power below 1 is the same as all others so much higher, and `LeastLimit` wants none below 1.
  const double unit = std::min(1.0, *std::min_element(given.begin(), given.end()));
  std::vector<double> powers;
  for (const double power : given) {
    powers.push_back(power / unit);
  }

  const Begins begins(sums, powers, LeastLimit(sums, powers));
  double left = std::accumulate(powers.begin(), powers.end(), 0.0);

  // The time that is left is shared out over the powers that are left.
  Partition partition;
  partition.begin.push_back(0);
  std::size_t begin = 0;
  for (std::size_t stage = 1; stage < powers.size(); ++stage) {
    const double share = powers[stage - 1] / left;
    const double part = static_cast<double>(sums.back() - sums[begin]) * share;
    begin = begins.Nearest(stage, begin, sums[begin] + std::llround(part));
    partition.begin.push_back(static_cast<std::int32_t>(begin));
    left -= powers[stage - 1];
  }
  partition.begin.push_back(static_cast<std::int32_t>(sums.size() - 1));
  return partition;
}

/// Why the layers cannot be cut into so many stages; empty if they can.
std::vector<Diagnostic> CheckStages(const Profile& profile, std::size_t stages) {
  const std::size_t layers = profile.layers.size();
  if (stages < 1) {
    return {ErrorAt("", fmt::format("expected at least 1 stage, got {}", stages))};
  }

  // Ready stages can only be taken as they are.
  if (profile.is_stages && stages != layers) {
    return {
        ErrorAt("", fmt::format("the profile holds {} ready stages, which are not cut: expected "
                                "{} stages, got {}",
                                layers, layers, stages))};
  }

  if (stages > layers) {
    return {ErrorAt("", fmt::format("the profile has {} layers: expected at most as many stages, "
                                    "got {}",
                                    layers, stages))};
  }
  return {};
}

}  // namespace

Result<Partition> BalancedPartition(const Profile& profile, std::int32_t stages,
                                    double microbatch_size) {
  // A number out of range is refused before anything of its size is made.
  const std::vector<double> one_each(
      static_cast<std::size_t>(std::clamp<std::int64_t>(stages, 0, kMaxLayers + 1)), 1);
  return BalancedPartition(profile, one_each, microbatch_size);
}

Result<Partition> BalancedPartition(const Profile& profile, std::span<const double> powers,
                                    double microbatch_size, Passes passes) {
  Result<Partition> result;
  result.diagnostics = CheckStages(profile, powers.size());
  const Result<SizePosition> position = FindSize(profile, microbatch_size);
  result.diagnostics.insert(result.diagnostics.end(), position.diagnostics.begin(),
                            position.diagnostics.end());
  if (HasErrors(result.diagnostics)) {
    return result;
  }

  const std::vector<std::int64_t> sums = TimeSums(profile, *position.value, passes);
  const bool alike =
      std::adjacent_find(powers.begin(), powers.end(), std::not_equal_to<>()) == powers.end();
  result.value = alike ? CutEvenly(sums, powers.size()) : CutByPowers(sums, powers);
  return result;
}

Result<Partition> PartitionAt(const Profile& profile, std::span<const std::int32_t> cut) {
  Result<Partition> result;
  if (profile.is_stages) {
    result.diagnostics.push_back(
        ErrorAt("", fmt::format("the profile holds {} ready stages, which are not cut",
                                profile.layers.size())));
    return result;
  }

  const auto layers = static_cast<std::int32_t>(profile.layers.size());
  if (layers == 1 && !cut.empty()) {
    result.diagnostics.push_back(ErrorAt("", "the profile has one layer, which cannot be cut"));
    return result;
  }

  Partition partition;
  partition.begin.push_back(0);
  // Every stage has at least one layer.
  for (const std::int32_t layer : cut) {
    if (layer <= partition.begin.back() || layer >= layers) {
      result.diagnostics.push_back(ErrorAt(
          "", fmt::format("expected the first layer of each further stage, ascending, from 1 to "
                          "{}, got {}",
                          layers - 1, fmt::join(cut, ","))));
      return result;
    }
    partition.begin.push_back(layer);
  }

  partition.begin.push_back(layers);
  result.value = std::move(partition);
  return result;
}

}  // namespace stagecraft
