#include "schedules/search/order_search.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "schedules/schedule.h"
#include "schedules/search/bound.h"
#include "schedules/search/timed_order.h"
#include "schedules/tables.h"
#include "tests/support/auto_problems.h"

namespace stagecraft {
namespace {

using test::EqualProblem;

TEST(FindOrder, IsNoWorseThanThePublishedScheduler) {
  const auto bubble = [](const test::PublishedRow& row, Placement placement, std::int64_t times) {
    const AutoProblem problem =
        EqualProblem(std::move(placement), row.microbatches, row.estimate, times * row.ranks);
    const std::optional<AutoOrder> order = FindOrder(problem, {});
    return order ? test::WindowBubble(problem, order->window) : 1.0;
  };
  for (const test::PublishedRow& row : test::PublishedStraight()) {
    const double one = bubble(row, StraightPlacement(row.ranks), 1);
    const double two = bubble(row, StraightPlacement(row.ranks), 2);
    std::printf("%-6s p %2d m %3d: ZB-1p %.4f (published %.4f), ZB-2p %.4f (%.4f)\n",
                row.name.c_str(), row.ranks, row.microbatches, one, row.one, two, row.two);
    EXPECT_LE(one, row.one + 0.0005);
    EXPECT_LE(two, row.two + 0.0005);
  }
  for (const test::PublishedRow& row : test::PublishedV()) {
    const double v = bubble(row, VPlacement(row.ranks), 1);
    std::printf("%-6s p %2d m %3d: ZB-V %.4f (published %.4f)\n", row.name.c_str(), row.ranks,
                row.microbatches, v, row.one);
    EXPECT_LE(v, row.one + 0.0005);
  }
}

TEST(FindOrder, KeepsTheLimitAndTheBound) {
  test::RandomProblems random(3);
  for (int i = 0; i < 400; ++i) {
    const AutoProblem problem = random.Next(5, 12, i % 2 == 0);
    const std::optional<AutoOrder> order = FindOrder(problem, {});
    ASSERT_TRUE(order);
    const std::optional<AutoOrder> timed = TimeOrder(problem, order->programs);
    ASSERT_TRUE(timed) << "over the limit, or stuck";
    EXPECT_EQ(timed->window, order->window);
    EXPECT_GE(order->window, WindowBound(problem));
  }
}

/// The orders of one rank's 3 m ops, F < I < W of each micro-batch, each kind in order.
void AddOrders(std::int32_t rank, std::int32_t m, Program& order, std::int32_t f, std::int32_t i,
               std::int32_t w, Table<Program>& orders) {
  if (w == m) {
    orders.push_back(order);
    return;
  }
  const auto go = [&](OpKind kind, std::int32_t q, std::int32_t df, std::int32_t di,
                      std::int32_t dw) {
    order.push_back({.kind = kind, .stage = rank, .microbatch = q});
    AddOrders(rank, m, order, f + df, i + di, w + dw, orders);
    order.pop_back();
  };
  if (f < m) {
    go(OpKind::kForward, f, 1, 0, 0);
  }
  if (i < f) {
    go(OpKind::kBackwardInput, i, 0, 1, 0);
  }
  if (w < i) {
    go(OpKind::kBackwardWeight, w, 0, 0, 1);
  }
}

/// The shortest window of all orders of a straight pipeline of two ranks.
std::int64_t ShortestOfAll(const AutoProblem& problem) {
  std::vector<Table<Program>> orders(2);
  for (std::int32_t rank = 0; rank < 2; ++rank) {
    Program order;
    AddOrders(rank, problem.microbatches, order, 0, 0, 0, orders[static_cast<std::size_t>(rank)]);
  }
  std::int64_t shortest = std::numeric_limits<std::int64_t>::max();
  for (const Program& first : orders[0]) {
    for (const Program& second : orders[1]) {
      const std::optional<AutoOrder> timed = TimeOrder(problem, {first, second});
      shortest = timed ? std::min(shortest, timed->window) : shortest;
    }
  }
  return shortest;
}

TEST(FindOrder, IsMostlyTheBestOfAllOrdersWhereThoseCanBeCounted) {
  test::RandomProblems random(7);
  int problems = 0;
  int best = 0;
  double worst = 1;
  while (problems < 150) {
    const AutoProblem problem = random.Next(2, 3, false);
    if (problem.placement.size() != 2) {
      continue;
    }
    ++problems;
    const std::int64_t optimum = ShortestOfAll(problem);
    const std::int64_t found = FindOrder(problem, {})->window;
    ASSERT_LE(WindowBound(problem), optimum);
    ASSERT_GE(found, optimum);
    best += found == optimum ? 1 : 0;
    worst = std::max(worst, static_cast<double>(found) / static_cast<double>(optimum));
  }
  std::printf("best order found in %d of %d, at worst %.3f times as long\n", best, problems, worst);
  EXPECT_GE(best, problems * 8 / 10);
  EXPECT_LE(worst, 1.25);
}

TEST(FindOrder, IsToldToStopAndKeepsTheBestSoFar) {
  const AutoProblem problem = EqualProblem(StraightPlacement(4), 8, {3, 2, 1, 0, 1, 0}, 8);
  AutoReport last;
  const std::optional<AutoOrder> order = FindOrder(problem, [&](const AutoReport& report) {
    last = report;
    return report.tried < 5;
  });
  EXPECT_EQ(last.tried, 5);
  EXPECT_GT(last.planned, 100);
  ASSERT_TRUE(order);
  EXPECT_EQ(order->window, last.window);
  EXPECT_EQ(order->makespan, last.makespan);
  EXPECT_EQ(last.lower_bound, WindowBound(problem));
}

TEST(FindOrder, TriesFewerOrdersOfALargeProblem) {
  const AutoProblem problem = EqualProblem(StraightPlacement(32), 256, {3, 2, 1, 0, 1, 0}, 64);
  std::int32_t tried = 0;
  FindOrder(problem, [&](const AutoReport& report) {
    tried = report.tried;
    EXPECT_LE(report.tried, report.planned);
    return true;
  });
  EXPECT_LT(tried, 30);
}

}  // namespace
}  // namespace stagecraft
