#include "schedules/fingerprint.h"

#include <cstdint>

#include <fmt/format.h>

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

}  // namespace

std::string Fingerprint(const Schedule& schedule) {
  Fnv1a hash;
  hash.Add(schedule.shape.ranks);
  hash.Add(schedule.shape.stages);
  hash.Add(schedule.shape.microbatches);
  hash.Add(static_cast<std::int32_t>(schedule.mode));
  for (const std::vector<std::int32_t>& stages : schedule.placement) {
    hash.Add(static_cast<std::int32_t>(stages.size()));
    for (const std::int32_t stage : stages) {
      hash.Add(stage);
    }
  }
  for (const std::vector<Op>& program : schedule.programs) {
    hash.Add(static_cast<std::int32_t>(program.size()));
    for (const Op& op : program) {
      hash.Add((static_cast<std::int32_t>(op.kind) << 1) | static_cast<std::int32_t>(op.joined));
      hash.Add(op.horizon);
      hash.Add(op.stage);
      hash.Add(op.microbatch);
      hash.Add(op.version);
    }
  }
  return fmt::format("{:016x}", hash.Value());
}

}  // namespace stagecraft
