#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "schedules/placements.h"
#include "schedules/search/problem.h"

namespace stagecraft::test {

/// The same estimate on every stage, and room for `sets` micro-batches on every rank.
inline AutoProblem EqualProblem(Placement placement, std::int32_t microbatches,
                                const StageEstimate& estimate, std::int64_t sets) {
  AutoProblem problem;
  const auto chunks = static_cast<std::int64_t>(placement.front().size());
  problem.stages.assign(placement.size() * placement.front().size(), estimate);
  problem.limits.assign(placement.size(), sets * chunks * estimate.kept);
  problem.placement = std::move(placement);
  problem.microbatches = microbatches;
  return problem;
}

/// A row of the zero-bubble papers' tables of bubble rates: costs in microseconds as they profiled
/// them, memory by their formula for a hidden size and a number of attention heads.
struct PublishedRow {
  std::string name;
  std::int32_t ranks;
  std::int32_t microbatches;
  StageEstimate estimate;
  double one_f_one_b;
  double h1;
  double h2;
  double one;  ///< ZB-1p; ZB-V for the rows of chunks.
  double two;  ///< ZB-2p.
};

inline StageEstimate PublishedEstimate(std::int64_t f, std::int64_t i, std::int64_t w,
                                       std::int64_t hop, std::int64_t hidden, std::int64_t heads) {
  constexpr std::int64_t kSequence = 1024;
  const std::int64_t kept = 34 * hidden + 5 * heads * kSequence;
  return {f, i, w, hop, kept, kept - 32 * hidden};
}

/// Qi et al., "Zero Bubble Pipeline Parallelism", ICLR 2024; costs from their repository.
inline std::vector<PublishedRow> PublishedStraight() {
  const auto small = [](std::int64_t f, std::int64_t i, std::int64_t w, std::int64_t hop) {
    return PublishedEstimate(f, i, w, hop, 2304, 24);
  };
  const auto large = [](std::int64_t f, std::int64_t i, std::int64_t w, std::int64_t hop) {
    return PublishedEstimate(f, i, w, hop, 5120, 40);
  };
  return {
      {"1.5B", 8, 24, small(18522, 18086, 9337, 601), .2431, .1585, .1083, .1585, .0433},
      {"1.5B", 8, 32, small(18513, 18086, 9331, 626), .1985, .1242, .0837, .1242, .0039},
      {"1.5B", 8, 64, small(18546, 18097, 9321, 762), .1240, .0674, .0444, .0674, .0026},
      {"14.6B", 16, 48, large(11347, 11248, 8132, 377), .2552, .1397, .0672, .1397, .0066},
      {"14.6B", 16, 64, large(11307, 11254, 8101, 379), .2082, .1088, .0516, .1088, .0054},
      {"14.6B", 16, 128, large(11325, 11308, 8109, 378), .1251, .0576, .0266, .0576, .0028},
  };
}

/// The same with ZB-V, from their repository: costs per chunk; the others run both chunks as one
/// stage.
inline std::vector<PublishedRow> PublishedV() {
  const auto chunk = [](std::int64_t f, std::int64_t i, std::int64_t w, std::int64_t hop) {
    return PublishedEstimate(f, i, w, hop, 4096, 32);
  };
  return {
      {"6.2B", 16, 48, chunk(14407, 14380, 9676, 1610), .2668, .1536, .0823, .0697, 0},
      {"6.2B", 16, 64, chunk(14412, 14393, 9688, 1621), .2206, .1198, .0630, .0533, 0},
      {"6.2B", 16, 128, chunk(14316, 14306, 9639, 1619), .1390, .0637, .0325, .0274, 0},
  };
}

/// Idle share of the window of a rank that has all stages alike.
inline double WindowBubble(const AutoProblem& problem, std::int64_t window) {
  const StageEstimate& stage = problem.stages.front();
  const auto chunks = static_cast<std::int64_t>(problem.placement.front().size());
  const auto work =
      static_cast<double>(chunks * problem.microbatches *
                          (stage.forward + stage.backward_input + stage.backward_weight));
  return 1 - work / static_cast<double>(window);
}

/// Small problems of all kinds: unequal stages, hops, limits from one micro-batch to many.
class RandomProblems {
 public:
  explicit RandomProblems(std::uint32_t seed) : random_(seed) {}

  std::int64_t Between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(random_() % static_cast<std::uint32_t>(high - low + 1));
  }

  AutoProblem Next(std::int32_t max_ranks, std::int32_t max_microbatches, bool in_a_v) {
    AutoProblem problem;
    const auto ranks = static_cast<std::int32_t>(Between(1, max_ranks));
    problem.placement = in_a_v ? VPlacement(ranks) : StraightPlacement(ranks);
    problem.microbatches = static_cast<std::int32_t>(Between(1, max_microbatches));
    const bool equal = Between(0, 2) == 0;
    const std::int64_t hop = Between(0, 1) * Between(0, 5);
    for (std::size_t stage = 0; stage < problem.placement.size() * (in_a_v ? 2 : 1); ++stage) {
      const std::int64_t kept = Between(1, 9);
      problem.stages.push_back(equal && stage > 0
                                   ? problem.stages.front()
                                   : StageEstimate{Between(1, 9), Between(1, 9), Between(1, 9), hop,
                                                   kept, Between(0, kept)});
    }
    for (const std::vector<std::int32_t>& stages : problem.placement) {
      std::int64_t set = 0;
      for (const std::int32_t stage : stages) {
        set += problem.stages[static_cast<std::size_t>(stage)].kept;
      }
      problem.limits.push_back(set + Between(0, 2 * ranks) * set / 2);
    }
    return problem;
  }

 private:
  std::mt19937 random_;
};

}  // namespace stagecraft::test
