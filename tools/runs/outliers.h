#pragma once

#include <string>
#include <vector>

#include "schedules/window.h"
#include "traces/timeline.h"

namespace stagecraft {

/// What a mean hides of durations: an outlier took more than twice the median, and it is worth a
/// word if the mean is more than 5 % above the one without outliers.
///
///   `1 of 48 took more than twice the median, up to 70 ms: the mean, 2.1 ms, is 300 % above the
///   520 us without it`
///
/// Empty if there is nothing to be said. O(n log n).
std::string DescribeOutliers(std::vector<Nanoseconds> durations);

/// A sentence for each stage and kind of op whose durations have outliers, such as `unit 3,
/// backward: ...`, over the ops that `MeasureStages` counts.
std::vector<std::string> FindOutliers(const Schedule& schedule, const Timeline& timeline,
                                      MicrobatchRange range);

}  // namespace stagecraft
