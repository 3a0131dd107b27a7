#include "sim/cycle.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <vector>

#include "schedules/op_tables.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"

namespace stagecraft {
namespace {

constexpr std::int64_t kMissing = std::numeric_limits<std::int64_t>::min();

/// Start of every compute op, in rows over the micro-batches: one per kind and stage.
class Starts {
 public:
  Starts(const Schedule& schedule, const Timeline& timeline)
      : microbatches_(schedule.shape.microbatches) {
    std::int32_t id = 0;

    for (const Program& program : schedule.programs) {
      for (const Op& op : program) {
        const std::int64_t start = timeline.spans[id++].start.count();
        if (!IsCompute(op.kind)) {
          continue;
        }
        PairTable<std::int64_t>& rows = rows_[op.kind];
        if (rows.empty()) {
          rows = PairTable<std::int64_t>(schedule.shape, kMissing);
        }
        rows[op] = start;
      }
    }
  }

  std::int32_t Microbatches() const { return microbatches_; }

  /// When a micro-batch begins.
  std::int64_t Begin(std::int32_t q) const { return rows_[OpKind::kForward](0, q); }

  template <typename Visit>
  void ForEachRow(const Visit& visit) const {
    for (const PairTable<std::int64_t>& rows : rows_) {
      for (std::int32_t stage = 0; stage < rows.Stages(); ++stage) {
        visit(rows.Of(stage));
      }
    }
  }

 private:
  std::int32_t microbatches_;
  KindTable<PairTable<std::int64_t>> rows_;  ///< Empty for kinds that are not there.
};

/// A bijection that spreads its argument over all bits.
std::uint64_t Mix(std::uint64_t x) {
  x ^= x >> 32U;
  x *= 0x9e3779b97f4a7c15ULL;
  x ^= x >> 29U;
  x *= 0xd6e8feb86659fd93ULL;
  return x ^ (x >> 32U);
}

/// Per micro-batch a fingerprint of its ops' starts, relative to its begin. Where they are equal
/// the starts most likely are; `Holds` makes sure.
Table<std::uint64_t> Shapes(const Starts& starts) {
  Table<std::uint64_t> shapes(starts.Microbatches(), 0);
  std::uint64_t salt = 0;
  starts.ForEachRow([&](TableView<const std::int64_t> row) {
    salt += 0x2545f4914f6cdd1dULL;
    for (std::int32_t q = 0; q < shapes.Count(); ++q) {
      const std::int64_t since = row[q] == kMissing ? kMissing : row[q] - starts.Begin(q);
      shapes[q] += Mix(salt ^ static_cast<std::uint64_t>(since));
    }
  });
  return shapes;
}

/// z[i]: how many symbols from i on equal those from 0 on. The Z algorithm, O(size).
Table<std::int32_t> CommonPrefixes(const Table<std::uint64_t>& text) {
  Table<std::int32_t> z(text.Count(), 0);
  std::int32_t begin = 0;
  std::int32_t end = 0;
  for (std::int32_t i = 1; i < text.Count(); ++i) {
    if (i < end) {
      z[i] = std::min(end - i, z[i - begin]);
    }

    while (i + z[i] < text.Count() && text[z[i]] == text[i + z[i]]) {
      ++z[i];
    }
    if (i + z[i] > end) {
      begin = i;
      end = i + z[i];
    }
  }
  return z;
}

/// Micro-batches [begin, end) that look like those a period later.
struct Run {
  std::int32_t begin = 0;
  std::int32_t end = 0;
};

/// Finds, for any period, the run around the middle.
class RunFinder {
 public:
  explicit RunFinder(const Starts& starts)
      : shapes_(Shapes(starts)), middle_((shapes_.Count() - 1) / 2) {
    Table<std::uint64_t> symbols;  // A shape, and how long after it the next one begins.
    symbols.reserve(shapes_.Count());
    for (std::int32_t q = 0; q + 1 < shapes_.Count(); ++q) {
      const std::int64_t gap = starts.Begin(q + 1) - starts.Begin(q);
      symbols.push_back(Mix(shapes_[q]) + Mix(static_cast<std::uint64_t>(gap)));
    }
    const auto middle = symbols.begin() + std::min(middle_, symbols.Count());
    right_ = CommonPrefixes({middle, symbols.end()});
    Table<std::uint64_t> reversed(std::make_reverse_iterator(middle), symbols.rend());
    reversed.push_back(0);
    reversed.insert(reversed.end(), symbols.rbegin(), symbols.rend());
    left_ = CommonPrefixes(reversed);
  }

  Run Of(std::int32_t period) const {
    const std::int32_t right = period < right_.Count() ? right_[period] : 0;
    // Behind the separator, symbol i stands at the place `middle_ + size - i`.
    const std::int32_t symbols = shapes_.Count() - 1;
    const std::int32_t at = middle_ + 1 + symbols - (middle_ + period);
    const std::int32_t left = middle_ + period <= symbols ? std::min(left_[at], middle_) : 0;
    Run run{middle_ - left, middle_ + right};
    // The gaps up to the next one agree, so it belongs to the run if its shape does too.
    if (run.end + period < shapes_.Count() && shapes_[run.end] == shapes_[run.end + period]) {
      ++run.end;
    }
    return run;
  }

 private:
  Table<std::uint64_t> shapes_;
  std::int32_t middle_;
  Table<std::int32_t> right_;  ///< Per period: symbols from the middle on that repeat.
  Table<std::int32_t> left_;   ///< The same before the middle, in reverse.
};

bool Holds(const Starts& starts, Run run, std::int32_t period, std::int64_t time) {
  bool holds = true;
  starts.ForEachRow([&](TableView<const std::int64_t> row) {
    for (std::int32_t q = run.begin; q < run.end; ++q) {
      const std::int64_t expected = row[q] == kMissing ? kMissing : row[q] + time;
      holds &= row[q + period] == expected;
    }
  });
  return holds;
}

}  // namespace

std::optional<Cycle> FindCycle(const Schedule& schedule, const Timeline& timeline) {
  const Starts starts(schedule, timeline);
  const std::int32_t microbatches = starts.Microbatches();
  const RunFinder finder(starts);

  // The shortest period that holds for more than half of the run.
  for (std::int32_t period = 1; period <= microbatches / 2; ++period) {
    const Run run = finder.Of(period);
    const std::int32_t length = run.end - run.begin;
    if (length < period || 2 * (length + period) < microbatches) {
      continue;
    }

    const std::int64_t time = starts.Begin(run.begin + period) - starts.Begin(run.begin);
    if (time > 0 && Holds(starts, run, period, time)) {
      return Cycle{period, Nanoseconds(time)};
    }
  }
  return std::nullopt;
}

}  // namespace stagecraft
