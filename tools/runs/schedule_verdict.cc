#include "tools/runs/schedule_verdict.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "schedules/fingerprint.h"
#include "schedules/staleness.h"
#include "schedules/tables.h"
#include "schedules/verify.h"
#include "schedules/weight_slots.h"
#include "tools/arguments/quantity.h"

namespace stagecraft {
namespace {

/// The order in which they are reported; the first one asks least of a schedule.
constexpr SendMode kSendModes[] = {SendMode::kEager, SendMode::kRendezvous, SendMode::kBlocking};

/// Adds what is new to `found`. What only another send mode objects to is a warning.
void Collect(const std::vector<Diagnostic>& faults, Severity severity,
             std::vector<Diagnostic>& found) {
  for (const Diagnostic& fault : faults) {
    const auto same = std::find_if(found.begin(), found.end(), [&](const Diagnostic& d) {
      return d.where == fault.where && d.message == fault.message && d.rule == fault.rule;
    });
    if (same == found.end()) {
      found.push_back(fault);
      found.back().severity = severity;
    } else if (severity == Severity::kError) {
      same->severity = severity;
    }
  }
}

/// What each send mode says of a schedule in which eager sends find `faults`. One without SENDs
/// that is wrong in itself can't be lowered: all say the same.
std::vector<ScheduleVerdict::OfMode> VerifyInAllModes(const Schedule& schedule,
                                                      const std::vector<Diagnostic>& faults,
                                                      const ReceivePolicy& receive) {
  std::vector<ScheduleVerdict::OfMode> modes;
  const bool has_sends = HasCommunication(schedule);
  const bool can_lower = !has_sends && faults.empty();
  const Schedule with_sends = can_lower ? Lower(schedule, receive) : schedule;
  for (const SendMode mode : kSendModes) {
    modes.push_back({mode, can_lower || has_sends ? Verify(with_sends, mode) : faults});
  }
  return modes;
}

/// Holds what a good schedule needs against the limits that were given.
class LimitCheck {
 public:
  LimitCheck(const Schedule& schedule, const VerdictRequest& request)
      : schedule_(schedule), request_(request) {}

  std::vector<ScheduleVerdict::Exceeded> Run() {
    CheckStages();
    if (request_.limits.memory) {
      CheckMemory(*request_.limits.memory);
    }
    return std::move(exceeded_);
  }

 private:
  /// Limits of each stage: staleness, weight copies, activation sets.
  void CheckStages() {
    const Table<StageStaleness> staleness = FindStaleness(schedule_);
    const Table<std::int32_t> sets = PeakActivationSets(schedule_);
    const Table<std::int32_t> copies = WeightCopiesOfStages(CountWeightSlots(schedule_));

    const ScheduleLimits& limits = request_.limits;
    for (std::size_t stage = 0; stage < staleness.size(); ++stage) {
      const std::string where = fmt::format("stage {}", stage);
      Count(where, {"updates missed", "--max-staleness"}, staleness[stage].max, limits.staleness);
      Count(where, {"weight copies", "--max-slots"}, copies[stage], limits.slots);
      Count(where, {"activation sets", "--max-activations"}, sets[stage], limits.activations);
    }
  }

  /// What is counted, and the flag that limits it.
  struct Counted {
    const char* what;
    const char* flag;
  };
  /// Adds a fault if more were `found` than allowed.
  void Count(const std::string& where, const Counted& counted, std::int32_t found,
             const std::optional<std::int32_t>& most) {
    if (most && found > *most) {
      Add(where, counted.flag, fmt::format("{} {}", found, counted.what), std::to_string(*most));
    }
  }

  /// The limit of each rank. Buffers count, so that sends and receives have to be there.
  void CheckMemory(std::int64_t most) {
    const Schedule with_sends =
        HasCommunication(schedule_) ? schedule_ : Lower(schedule_, request_.receive);
    const std::vector<RankMemory> memory = PeakMemory(with_sends, request_.sizes);
    for (std::size_t rank = 0; rank < memory.size(); ++rank) {
      if (memory[rank].peak_bytes > most) {
        Add(fmt::format("rank {}", rank), "--max-memory",
            fmt::format("{} at most at one time", FormatBytes(memory[rank].peak_bytes)),
            FormatBytes(most));
      }
    }
  }

  void Add(std::string where, const char* flag, const std::string& found,
           const std::string& expected) {
    ScheduleVerdict::Exceeded& exceeded = exceeded_.emplace_back();
    exceeded.flag = flag;
    exceeded.fault.where = std::move(where);
    exceeded.fault.message = fmt::format("{}; expected at most {} ({})", found, expected, flag);
  }

  const Schedule& schedule_;
  const VerdictRequest& request_;
  std::vector<ScheduleVerdict::Exceeded> exceeded_;
};

}  // namespace

ScheduleVerdict Judge(const Schedule& schedule, const VerdictRequest& request) {
  ScheduleVerdict verdict;
  verdict.fingerprint = Fingerprint(schedule);
  const std::vector<Diagnostic> faults = Verify(schedule);
  verdict.modes = VerifyInAllModes(schedule, faults, request.receive);
  for (const ScheduleVerdict::OfMode& of_mode : verdict.modes) {
    const bool decides = of_mode.mode == request.send;
    Collect(of_mode.faults, decides ? Severity::kError : Severity::kWarning, verdict.found);
    verdict.code = decides && !of_mode.faults.empty() ? ExitCode::kRefused : verdict.code;
  }
  if (!faults.empty()) {
    verdict.code = ExitCode::kRefused;
    return verdict;
  }

  // The rest can be asked of a good schedule only.
  for (Diagnostic& warning : VersionWarnings(schedule)) {
    verdict.found.push_back(std::move(warning));
  }
  verdict.exceeded = LimitCheck(schedule, request).Run();
  verdict.code = verdict.exceeded.empty() ? verdict.code : ExitCode::kRefused;
  return verdict;
}

}  // namespace stagecraft
