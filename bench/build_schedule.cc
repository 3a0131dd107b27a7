// How long it takes until a schedule is ready: generated, lowered to explicit communication, and
// verified with its proof that it cannot deadlock; and how long the automatic scheduler takes to
// try all orders that it plans to.

#include <cstdint>
#include <string>

#include <benchmark/benchmark.h>

#include "schedules/lower.h"
#include "schedules/registry.h"
#include "schedules/search/order_search.h"
#include "schedules/verify.h"
#include "tests/support/auto_problems.h"

namespace stagecraft {
namespace {

void GenerateLowerVerify(benchmark::State& state, const std::string& name) {
  GeneratorOptions options{.ranks = 64, .microbatches = 512};
  std::int64_t ops = 0;
  for (auto _ : state) {
    const Schedule lowered = Lower(OrThrow(Generate(name, options)));
    if (!Verify(lowered).empty()) {
      state.SkipWithError("the schedule is wrong");
    }
    ops = OpIds(lowered).Size();
  }
  // F and B of every stage and micro-batch, a SEND and a RECV each way per hop, a step per stage.
  constexpr std::int64_t kOneFOneB = 2 * 64 * 512 + 4 * 63 * 512 + 64;
  if (name == "1f1b" && ops != kOneFOneB) {
    state.SkipWithError("ops are missing");
  }
  state.SetItemsProcessed(state.iterations() * ops);
  state.counters["ops"] = static_cast<double>(ops);
}

/// The costs of the largest published row on twice as many ranks: p = 32, m = 256.
void FindTheOrder(benchmark::State& state, const Placement& placement, std::int64_t sets) {
  const AutoProblem problem = test::EqualProblem(
      placement, 256, test::PublishedEstimate(11325, 11308, 8109, 378, 5120, 40), sets);
  std::int32_t tried = 0;
  for (auto _ : state) {
    const auto order = FindOrder(problem, [&](const AutoReport& report) {
      tried = report.tried;
      return true;
    });
    if (!order) {
      state.SkipWithError("no order was found");
    }
  }
  state.counters["orders"] = tried;
}

[[maybe_unused]] const int kRegistered = [] {
  for (const Generator& generator : Generators()) {
    benchmark::RegisterBenchmark(("GenerateLowerVerify/" + std::string(generator.name)).c_str(),
                                 [name = std::string(generator.name)](benchmark::State& state) {
                                   GenerateLowerVerify(state, name);
                                 })
        ->Unit(benchmark::kMillisecond);
  }
  return 0;
}();

BENCHMARK_CAPTURE(FindTheOrder, zb_1p, StraightPlacement(32), 32)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(FindTheOrder, zb_2p, StraightPlacement(32), 64)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(FindTheOrder, zb_v, VPlacement(32), 32)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace stagecraft
