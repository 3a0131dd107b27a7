#include "traces/timeline.h"

#include <algorithm>

namespace stagecraft {

Nanoseconds Makespan(const Timeline& timeline) {
  Nanoseconds end{0};
  for (const Span& span : timeline.spans) {
    end = std::max(end, span.end);
  }
  for (const Transfer& transfer : timeline.transfers) {
    end = std::max(end, transfer.arrival);
  }
  return end;
}

}  // namespace stagecraft
