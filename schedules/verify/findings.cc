#include "schedules/verify/findings.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "schedules/check.h"
#include "schedules/diagram.h"
#include "schedules/verify.h"

namespace stagecraft {

int Findings::CountOne(std::string_view rule) {
  const auto count =
      std::find_if(counts_.begin(), counts_.end(), [&](const Count& c) { return c.rule == rule; });
  if (count != counts_.end()) {
    return count->found++;
  }
  STAGECRAFT_CHECK(std::any_of(Rules().begin(), Rules().end(),
                               [&](const Rule& known) { return known.id == rule; }),
                   "a finding needs a rule of the table");
  counts_.push_back({rule, 1});
  return 0;
}

void Findings::Add(std::string_view rule, OpRef op, std::string message) {
  const int before = CountOne(rule);
  if (before >= kMaxPerRule) {
    return;
  }
  Diagnostic& found = found_.emplace_back();
  found.where = fmt::format("rank {}, op {} ({})", op.rank, op.index, ToString(schedule_.At(op)));
  found.message = std::move(message);
  found.rule = rule;
  found.op = op;
  if (before == 0) {
    found.excerpt = RenderProgram(schedule_, op);
  }
}

void Findings::Add(std::string_view rule, std::string where, std::string message) {
  if (CountOne(rule) < kMaxPerRule) {
    Diagnostic& found = found_.emplace_back();
    found.where = std::move(where);
    found.message = std::move(message);
    found.rule = rule;
  }
}

std::vector<Diagnostic> Findings::Take() {
  for (const Count& count : counts_) {
    if (count.found > kMaxPerRule) {
      Diagnostic& rest = found_.emplace_back();
      rest.message = fmt::format("{} more of this kind", count.found - kMaxPerRule);
      rest.rule = count.rule;
    }
  }
  return std::move(found_);
}

std::string Name(const Schedule& schedule, OpRef op) {
  return fmt::format("{} on rank {}", ToString(schedule.At(op)), op.rank);
}

}  // namespace stagecraft
