// How long it takes until a schedule is ready: generated, lowered to explicit communication, and
// verified with its proof that it cannot deadlock.

#include <cstdint>

#include <benchmark/benchmark.h>

#include "schedules/lower.h"
#include "schedules/registry.h"
#include "schedules/verify.h"

namespace stagecraft {
namespace {

void GenerateLowerVerify1F1B(benchmark::State& state) {
  const GeneratorOptions options{.ranks = static_cast<std::int32_t>(state.range(0)),
                                 .microbatches = static_cast<std::int32_t>(state.range(1))};
  std::int64_t ops = 0;
  for (auto _ : state) {
    const Schedule lowered = Lower(OrThrow(Generate("1f1b", options)));
    if (!Verify(lowered).empty()) {
      state.SkipWithError("the schedule is wrong");
    }
    ops = OpIds(lowered).Size();
  }
  // F and B of every stage and micro-batch, a SEND and a RECV each way per hop, a step per stage.
  const std::int64_t p = options.ranks;
  const std::int64_t m = options.microbatches;
  if (ops != 2 * p * m + 4 * (p - 1) * m + p) {
    state.SkipWithError("ops are missing");
  }
  state.SetItemsProcessed(state.iterations() * ops);
  state.counters["ops"] = static_cast<double>(ops);
}

BENCHMARK(GenerateLowerVerify1F1B)->Args({64, 512})->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace stagecraft
