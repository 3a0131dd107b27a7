#include "schedules/verify.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>

#include <fmt/format.h>

#include "schedules/dependencies.h"
#include "schedules/verify/communication.h"
#include "schedules/verify/findings.h"

namespace stagecraft {
namespace {

constexpr std::array<Rule, 21> kRules = {{
    {"shape", "one placement and one program per rank; no more (stage, micro-batch) than ops"},
    {"placed", "every stage stands on some rank, and at most once on each"},
    {"in-range", "stage, micro-batch and version of an op are within the shape, unused fields 0"},
    {"on-its-rank", "an op runs only where its stage is placed"},
    {"forward-once", "every stage runs one forward of every micro-batch"},
    {"backward-once",
     "in training, every stage runs one B, or one I and one W, of every micro-batch; in forward "
     "mode nothing but F"},
    {"same-rank", "all ops of one stage and micro-batch run on one rank"},
    {"forward-first", "on a rank F comes before R, R before B or I, I before W"},
    {"recompute-version", "an R reads what its F read"},
    {"version-exists", "a read names a version that exists on its rank at that point"},
    {"prediction-exists", "a read with a horizon comes after a P of that version and horizon"},
    {"horizon", "version + horizon is at least 0, and a P has a horizon"},
    {"predict-newest", "a P starts from the newest version"},
    {"step-versions", "the S of a stage step versions 0, 1, 2, ... on every rank that holds it"},
    {"step-gradient", "an S has at least one gradient, and every gradient has its S"},
    {"replica-step", "replicas make the same S, each after an A that follows its gradients"},
    {"cell", "a cell joins F, B, I, W or R that do not depend on each other"},
    {"paired",
     "with communication, every edge between ranks has one SEND and one RECV, others "
     "none; a SEND comes after its producer, a RECV before its consumer"},
    {"channel-order", "on each channel the k-th SEND is the k-th RECV"},
    {"collective-order", "every member reaches the same all-reduces in the same order"},
    {"progress", "no ops wait for each other in the send mode"},
}};

void CheckProgress(const Schedule& schedule, const ExecutionOrder& order, SendMode mode,
                   Findings& findings) {
  if (order.cycle.empty()) {
    return;
  }

  // Link by link, back to the op where the cycle closes.
  std::string text = fmt::format("deadlock with {} sends: waits for {}", ToString(mode),
                                 Name(schedule, order.cycle.front().waits_for));
  for (std::size_t i = 1; i < order.cycle.size(); ++i) {
    const Wait& wait = order.cycle[i];
    const Wait& before = order.cycle[i - 1];
    text += before.waits_for == wait.op
                ? fmt::format(", which waits for {}", Name(schedule, wait.waits_for))
                : fmt::format(", which stands behind {}, which waits for {}",
                              ToString(schedule.At(wait.op)), Name(schedule, wait.waits_for));
  }

  if (order.cycle.back().waits_for != order.cycle.front().op) {
    text += fmt::format(", which stands behind {}", ToString(schedule.At(order.cycle.front().op)));
  }
  findings.Add("progress", order.cycle.front().op, std::move(text));
}

}  // namespace

std::span<const Rule> Rules() {
  return kRules;
}

std::vector<Diagnostic> Verify(const Schedule& schedule, SendMode mode) {
  return Examine(schedule, mode).diagnostics;
}

Examination Examine(const Schedule& schedule, SendMode mode) {
  Examination result;
  Findings findings(schedule);
  if (CheckShape(schedule, findings)) {
    const PairTable<PairPlaces> pairs = CheckPairs(schedule, findings);
    CheckVersions(schedule, findings);
    result.dependencies = FindDependencies(schedule);
    CheckCommunication(schedule, result.dependencies, pairs, findings);
    CheckCollectives(schedule, result.dependencies, findings);
    result.order = OrderOps(schedule, result.dependencies, mode);
    CheckProgress(schedule, result.order, mode, findings);
  }
  result.diagnostics = findings.Take();
  return result;
}

}  // namespace stagecraft
