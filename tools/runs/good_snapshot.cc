#include "tools/runs/good_snapshot.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <span>
#include <utility>
#include <vector>

namespace stagecraft {
namespace {

template <typename T>
bool AllFinite(const HostTensor& tensor) {
  const std::span<const T> values(reinterpret_cast<const T*>(tensor.memory.data),
                                  tensor.memory.bytes / sizeof(T));
  return std::all_of(values.begin(), values.end(), [](T value) { return std::isfinite(value); });
}

/// Whole numbers are always finite.
bool IsFinite(const HostTensor& tensor) {
  switch (tensor.type) {
    case ElementType::kFloat32:
      return AllFinite<float>(tensor);
    case ElementType::kFloat64:
      return AllFinite<double>(tensor);
    default:
      return true;
  }
}

}  // namespace

std::optional<std::string> FindNotFinite(const Snapshot& snapshot) {
  for (const Safetensors* const content :
       {&snapshot.weights, snapshot.state ? &*snapshot.state : nullptr}) {
    if (content == nullptr) {
      continue;
    }
    for (const auto& [name, tensor] : content->tensors) {
      if (!IsFinite(tensor)) {
        return name;
      }
    }
  }
  return std::nullopt;
}

void GoodSnapshots::Take(const TrainingReport& report, std::string_view part) {
  Parts& parts = parts_[report.pause];
  parts[report.updates.rank] = part;
  // The pause before stays: this one's test loss may turn out not to be finite.
  if (static_cast<std::int32_t>(parts.size()) == ranks_) {
    parts_.erase(parts_.begin(), parts_.lower_bound(report.pause - 1));
  }
}

std::optional<Snapshot> GoodSnapshots::LastOf(std::int64_t pauses) const {
  // From the last one on.
  for (auto at = parts_.rbegin(); at != parts_.rend(); ++at) {
    const auto& [pause, parts] = *at;
    if (pause >= pauses || static_cast<std::int32_t>(parts.size()) < ranks_) {
      continue;
    }

    std::vector<std::string> results;
    std::transform(parts.begin(), parts.end(), std::back_inserter(results),
                   [](const auto& part) { return part.second; });

    Snapshot snapshot = ReadTrainingResult(results);
    if (!FindNotFinite(snapshot)) {
      return snapshot;
    }
  }
  return std::nullopt;
}

}  // namespace stagecraft
