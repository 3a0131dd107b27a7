#include "tools/runs/outliers.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "schedules/schedule.h"
#include "tools/arguments/quantity.h"

namespace stagecraft {
namespace {

// How much the mean must rise for its outliers to be worth a word.
constexpr double kWorthAWord = 1.05;

/// The kind in words; a profile has no other kinds than these.
std::string_view NameOf(OpKind kind) {
  switch (kind) {
    case OpKind::kForward:
      return "forward";
    case OpKind::kBackward:
      return "backward";
    case OpKind::kStep:
      return "step";
    default:
      return "predict";
  }
}

/// The mean of the first `count`.
Nanoseconds Mean(const std::vector<Nanoseconds>& durations, std::size_t count) {
  const auto end = durations.begin() + static_cast<std::ptrdiff_t>(count);
  return std::accumulate(durations.begin(), end, Nanoseconds(0)) / static_cast<std::int64_t>(count);
}

}  // namespace

std::string DescribeOutliers(std::vector<Nanoseconds> durations) {
  if (durations.empty()) {
    return {};
  }
  std::sort(durations.begin(), durations.end());
  const Nanoseconds median = durations[durations.size() / 2];
  // Sorted, so that all outliers stand at the end.
  const auto first_outlier =
      std::upper_bound(durations.begin(), durations.end(), 2 * median) - durations.begin();
  const auto usual = static_cast<std::size_t>(first_outlier);

  const Nanoseconds with = Mean(durations, durations.size());
  const Nanoseconds without = Mean(durations, usual);

  const double ratio = static_cast<double>(with.count()) / static_cast<double>(without.count());
  if (usual == durations.size() || without.count() == 0 || ratio <= kWorthAWord) {
    return {};
  }
  return fmt::format(
      "{} of {} took more than twice the median, up to {}: the mean, {}, is {:.0f} % above the {} "
      "without",
      durations.size() - usual, durations.size(), FormatDuration(durations.back()),
      FormatDuration(with), 100 * (ratio - 1), FormatDuration(without));
}

std::vector<std::string> FindOutliers(const Schedule& schedule, const Timeline& timeline,
                                      MicrobatchRange range) {
  std::map<std::pair<std::int32_t, OpKind>, std::vector<Nanoseconds>> durations;
  std::size_t index = 0;
  for (const Program& program : schedule.programs) {
    // Steps and predictions count with the micro-batch before them.
    bool counts = range.begin == 0;
    for (const Op& op : program) {
      if (TraitsOf(op.kind).has_microbatch) {
        counts = op.microbatch >= range.begin && op.microbatch < range.end;
      }
      const Span span = timeline.spans[index++];
      if (counts) {
        durations[{op.stage, op.kind}].push_back(span.end - span.start);
      }
    }
  }

  std::vector<std::string> sentences;
  for (auto& [place, of_kind] : durations) {
    const std::string text = DescribeOutliers(std::move(of_kind));
    if (!text.empty()) {
      sentences.push_back(fmt::format("unit {}, {}: {}", place.first, NameOf(place.second), text));
    }
  }
  return sentences;
}

}  // namespace stagecraft
