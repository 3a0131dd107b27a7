#include "traces/partition.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include <fmt/format.h>

#include "traces/fault.h"
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

/// Sums of the layers' times: layer i takes `sums[i + 1] - sums[i]`.
std::vector<std::int64_t> TimeSums(const Profile& profile, const SizePosition& position) {
  std::vector<std::int64_t> sums{0};
  sums.reserve(profile.layers.size() + 1);
  for (const ProfileLayer& layer : profile.layers) {
    const LayerCosts costs = CostsAt(layer, position);
    sums.push_back(sums.back() + (costs.forward + costs.backward).count());
  }
  return sums;
}

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

std::int64_t LeastLimit(const std::vector<std::int64_t>& sums, std::size_t stages) {
  std::int64_t low = 0;
  for (std::size_t i = 1; i < sums.size(); ++i) {
    low = std::max(low, sums[i] - sums[i - 1]);
  }
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

/// Requires 1 <= stages <= layers.
Partition Cut(const std::vector<std::int64_t>& sums, std::size_t stages) {
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

std::vector<Diagnostic> CheckStages(const Profile& profile, std::int32_t stages) {
  const std::size_t layers = profile.layers.size();
  if (stages < 1) {
    return {ErrorAt("", fmt::format("expected at least 1 stage, got {}", stages))};
  }
  if (profile.is_stages && static_cast<std::size_t>(stages) != layers) {
    return {
        ErrorAt("", fmt::format("the profile holds {} ready stages, which are not cut: expected "
                                "{} stages, got {}",
                                layers, layers, stages))};
  }
  if (static_cast<std::size_t>(stages) > layers) {
    return {ErrorAt("", fmt::format("the profile has {} layers: expected at most as many stages, "
                                    "got {}",
                                    layers, stages))};
  }
  return {};
}

}  // namespace

Result<Partition> BalancedPartition(const Profile& profile, std::int32_t stages,
                                    double microbatch_size) {
  Result<Partition> result;
  result.diagnostics = CheckStages(profile, stages);
  const Result<SizePosition> position = FindSize(profile, microbatch_size);
  result.diagnostics.insert(result.diagnostics.end(), position.diagnostics.begin(),
                            position.diagnostics.end());
  if (HasErrors(result.diagnostics)) {
    return result;
  }
  result.value = Cut(TimeSums(profile, *position.value), static_cast<std::size_t>(stages));
  return result;
}

}  // namespace stagecraft
