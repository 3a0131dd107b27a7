#include "schedules/fingerprint.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include <fmt/format.h>

#include "schedules/schedule.h"
#include "schedules/tables.h"

namespace stagecraft {
namespace {

/// 64-bit FNV-1a over 32-bit words in place of bytes.
class Fnv1a {
 public:
  void Add(std::int32_t value) {
    hash_ = (hash_ ^ static_cast<std::uint32_t>(value)) * 0x100000001b3U;
  }
  /// Folded once more, since the last words have not reached the low bits yet.
  std::uint64_t Value() const { return (hash_ ^ (hash_ >> 29U)) * 0xbf58476d1ce4e5b9U; }

 private:
  std::uint64_t hash_ = 0xcbf29ce484222325U;
};

std::int32_t OpsOf(const Program& program, bool with_communication) {
  const auto kept = with_communication
                        ? static_cast<std::int64_t>(program.size())
                        : std::count_if(program.begin(), program.end(),
                                        [](const Op& op) { return !IsCommunication(op.kind); });
  return static_cast<std::int32_t>(kept);
}

std::string Hash(const Schedule& schedule, bool with_communication) {
  Fnv1a hash;
  hash.Add(schedule.shape.ranks);
  hash.Add(schedule.shape.stages);
  hash.Add(schedule.shape.microbatches);
  hash.Add(static_cast<std::int32_t>(schedule.mode));

  // Each list goes in behind its length, lest a stage or an op that moves to the next rank leave
  // the same words.
  for (const Table<std::int32_t>& stages : schedule.placement) {
    hash.Add(stages.Count());
    for (const std::int32_t stage : stages) {
      hash.Add(stage);
    }
  }

  for (const Program& program : schedule.programs) {
    hash.Add(OpsOf(program, with_communication));
    for (const Op& op : program) {
      if (!with_communication && IsCommunication(op.kind)) {
        continue;
      }

      hash.Add((static_cast<std::int32_t>(op.kind) << 1) | static_cast<std::int32_t>(op.joined));
      hash.Add(op.horizon);
      hash.Add(op.stage);
      hash.Add(op.microbatch);
      hash.Add(op.version);
    }
  }

  return fmt::format("{:016x}", hash.Value());
}

}  // namespace

std::string Fingerprint(const Schedule& schedule) {
  return Hash(schedule, /*with_communication=*/true);
}

FingerprintPair FingerprintsOf(const Schedule& schedule) {
  return {Hash(schedule, /*with_communication=*/false), Fingerprint(schedule)};
}

}  // namespace stagecraft
