#include "engine/model/cut.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include <gtest/gtest.h>

#include "engine/model/random.h"
#include "schedules/diagnostic.h"

namespace stagecraft {
namespace {

using List = std::vector<std::int32_t>;

double LargestStage(const std::vector<double>& work, const List& cut) {
  double largest = 0;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= cut.size(); ++i) {
    const std::size_t end = i < cut.size() ? static_cast<std::size_t>(cut[i]) : work.size();
    largest =
        std::max(largest, std::accumulate(work.begin() + static_cast<std::ptrdiff_t>(begin),
                                          work.begin() + static_cast<std::ptrdiff_t>(end), 0.0));
    begin = end;
  }
  return largest;
}

/// Over all cuts.
double Least(const std::vector<double>& work, std::int32_t stages, List cut = {}) {
  if (static_cast<std::int32_t>(cut.size()) + 1 == stages) {
    return LargestStage(work, cut);
  }
  double least = 1e300;
  const std::int32_t first = cut.empty() ? 1 : cut.back() + 1;
  for (std::int32_t next = first; next < static_cast<std::int32_t>(work.size()); ++next) {
    List longer = cut;
    longer.push_back(next);
    least = std::min(least, Least(work, stages, longer));
  }
  return least;
}

TEST(EvenCut, HasTheLeastLargestStage) {
  Random random(1);
  for (int trial = 0; trial < 200; ++trial) {
    std::vector<double> work;
    for (std::int64_t i = 1 + random.Below(8); i > 0; --i) {
      work.push_back(static_cast<double>(random.Below(10)));
    }
    const auto stages =
        static_cast<std::int32_t>(1 + random.Below(static_cast<std::int64_t>(work.size())));
    const List cut = EvenCut(work, stages);
    ASSERT_EQ(static_cast<std::int32_t>(cut.size()) + 1, stages);
    EXPECT_EQ(LargestStage(work, cut), Least(work, stages));
  }
}

TEST(EvenCut, OfEqualCutsTakesTheEarliest) {
  EXPECT_EQ(EvenCut({1, 1, 1, 1}, 2), (List{2}));
  EXPECT_EQ(EvenCut({5, 1, 1, 1}, 3), (List{1, 2}));
}

TEST(EvenCut, NeedsAUnitPerStage) {
  EXPECT_THROW(EvenCut({1, 1}, 3), Error);
}

TEST(CutModel, BeginsAStageBeforeEachUnitNamed) {
  using enum LayerKind;
  const std::vector<std::vector<Layer>> units = {
      {MakeLayer(kRelu), MakeLayer(kTanh)}, {MakeLayer(kGelu)}, {MakeLayer(kRelu)}};
  const Model model = CutModel(units, {2}, "m");
  ASSERT_EQ(model.stages.size(), 2U);
  EXPECT_EQ(model.stages[0].size(), 3U);
  EXPECT_EQ(model.stages[1].size(), 1U);
  for (const List& wrong : {List{0}, List{3}, List{2, 1}, List{1, 1}}) {
    EXPECT_THROW(CutModel(units, wrong, "m"), Error);
  }
}

}  // namespace
}  // namespace stagecraft
