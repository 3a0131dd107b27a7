#include "traces/chrome_trace.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "schedules/dependencies.h"
#include "schedules/fingerprint.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"
#include "traces/trace_counters.h"

namespace stagecraft {
namespace {

/// The rows of a rank, top to bottom.
enum class Lane : std::uint8_t { kCompute, kSend, kRecv, kUpdate };
template <typename T>
using LaneTable = EnumTable<Lane, T, 4>;
constexpr LaneTable<std::string_view> kLaneNames{{"compute", "send", "recv", "update"}};

Lane LaneOf(const Op& op) {
  if (IsCompute(op.kind)) {
    return Lane::kCompute;
  }
  if (TraitsOf(op.kind).is_send) {
    return Lane::kSend;
  }
  return TraitsOf(op.kind).is_recv ? Lane::kRecv : Lane::kUpdate;
}

/// Numbers the rows: 1001, 1002, ... on rank 0, 1011, ... on rank 1. Perfetto orders the threads of
/// a process by number and puts one that is numbered like its process on top, so all numbers are
/// larger than every rank.
class ThreadIds {
 public:
  explicit ThreadIds(std::int32_t ranks) {
    while (base_ < ranks) {
      base_ *= 10;
    }
  }
  std::int64_t Of(std::int64_t rank, Lane lane) const {
    return base_ + 10 * rank + 1 + static_cast<std::int64_t>(lane);
  }

 private:
  std::int64_t base_ = 1000;
};

/// Nanoseconds as microseconds without loss: 1500 is `1.5`. Requires: not negative.
void AppendMicroseconds(fmt::memory_buffer& out, Nanoseconds time) {
  constexpr std::int64_t kPerMicrosecond = 1000;
  const std::int64_t whole = time.count() / kPerMicrosecond;
  std::int64_t rest = time.count() % kPerMicrosecond;
  fmt::format_to(std::back_inserter(out), "{}", whole);
  if (rest == 0) {
    return;
  }
  int digits = 3;
  while (rest % 10 == 0) {
    rest /= 10;
    --digits;
  }
  fmt::format_to(std::back_inserter(out), ".{:0{}}", rest, digits);
}

/// A JSON string; bytes that are not UTF-8 are replaced.
std::string Quoted(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

class TraceWriter {
 public:
  TraceWriter(const Schedule& schedule, const Timeline& timeline, std::span<const StageSizes> sizes)
      : schedule_(schedule),
        timeline_(timeline),
        ids_(schedule),
        dependencies_(FindDependencies(schedule)),
        threads_(schedule.shape.ranks),
        counters_(schedule, timeline, sizes),
        consumer_(schedule) {}

  std::string Write() {
    const FingerprintPair fingerprints = FingerprintsOf(schedule_);
    Put("{{\"displayTimeUnit\":\"ms\",\"otherData\":{{\"schedule\":{},\"fingerprint\":\"{}\","
        "\"lowered_fingerprint\":\"{}\"}},\n",
        Quoted(schedule_.name), fingerprints.schedule, fingerprints.lowered);
    Put("\"traceEvents\":[");

    for (std::int32_t rank = 0; rank < schedule_.shape.ranks; ++rank) {
      Names(rank);
    }
    for (std::int32_t rank = 0; rank < schedule_.shape.ranks; ++rank) {
      Slices(rank);
    }

    FindConsumers();
    for (std::size_t i = 0; i < timeline_.transfers.size(); ++i) {
      Arrow(i);
    }
    for (std::int32_t rank = 0; rank < schedule_.shape.ranks; ++rank) {
      Counters(rank);
    }

    Put("\n]}}\n");
    return fmt::to_string(out_);
  }

 private:
  /// Appends to the text; a brace of the JSON is doubled in `format`.
  template <typename... Args>
  void Put(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
  }

  /// Starts an event: phase, process and, unless it is 0, thread.
  void Begin(char phase, std::int32_t rank, std::int64_t thread) {
    Put("{}\n{{\"ph\":\"{}\",\"pid\":{}", first_ ? "" : ",", phase, rank);
    if (thread != 0) {
      Put(",\"tid\":{}", thread);
    }
    first_ = false;
  }

  /// Names a row and says where it stands; thread 0 is the rank as a whole.
  void Metadata(std::int32_t rank, std::int64_t thread, std::string_view name,
                std::int64_t sort_index) {
    const std::string_view what = thread == 0 ? "process" : "thread";
    Begin('M', rank, thread);
    Put(",\"name\":\"{}_name\",\"args\":{{\"name\":\"{}\"}}}}", what, name);
    Begin('M', rank, thread);
    Put(",\"name\":\"{}_sort_index\",\"args\":{{\"sort_index\":{}}}}}", what, sort_index);
  }

  /// Names the rank, and those of its rows that have ops.
  void Names(std::int32_t rank) {
    const std::vector<std::int32_t>& stages = schedule_.placement[rank];
    Metadata(rank, 0,
             fmt::format("rank {} (stage{} {})", rank, stages.size() == 1 ? "" : "s",
                         stages.empty() ? "none" : fmt::format("{}", fmt::join(stages, ", "))),
             rank);

    // A row without ops would be drawn empty.
    LaneTable<bool> used{};
    for (const Op& op : schedule_.programs[rank]) {
      used[LaneOf(op)] = true;
    }
    for (const Lane lane : {Lane::kCompute, Lane::kSend, Lane::kRecv, Lane::kUpdate}) {
      if (used[lane]) {
        Metadata(rank, threads_.Of(rank, lane), kLaneNames[lane], static_cast<std::int64_t>(lane));
      }
    }
  }

  void Slices(std::int32_t rank) {
    const Program& program = schedule_.programs[rank];
    for (std::int32_t index = 0; index < program.Count(); ++index) {
      Slice({rank, index});
    }
  }

  /// Where the slice of an op is drawn: its span, or a part of it inside the members before it.
  Span DrawnSpan(OpRef ref) const {
    constexpr Nanoseconds kInset{2};
    const Span span = timeline_.spans[ids_.Of(ref)];
    const Program& program = schedule_.programs[ref.rank];
    const std::int32_t first = CellBegin(program, ref.index);
    const std::int32_t members = CellEnd(program, ref.index) - first;
    if (members == 1 || span.end - span.start < 2 * kInset * members) {
      return span;
    }
    const Nanoseconds inset = kInset * (ref.index - first);
    return {span.start + inset, span.end - inset};
  }

  void Slice(OpRef ref) {
    const Op& op = schedule_.At(ref);
    const OpTraits& traits = TraitsOf(op.kind);
    const Span span = DrawnSpan(ref);
    Begin('X', ref.rank, threads_.Of(ref.rank, LaneOf(op)));
    Put(",\"cat\":\"{}\",\"name\":\"{}", kLaneNames[LaneOf(op)], traits.text);

    const bool with_stage = schedule_.placement[ref.rank].size() > 1;
    if (traits.has_microbatch) {
      // Perfetto colours by the name without its last digits: by kind, or by kind and stage.
      with_stage ? Put("{}:{}", op.stage, op.microbatch) : Put("{}", op.microbatch);
    } else {
      with_stage ? Put("{}@{}", op.stage, op.version) : Put("@{}", op.version);
    }

    Put("\",\"ts\":");
    AppendMicroseconds(out_, span.start);
    Put(",\"dur\":");
    AppendMicroseconds(out_, span.end - span.start);

    Arguments(ref, op, traits);
    Put("}}");
  }

  void Arguments(OpRef ref, const Op& op, const OpTraits& traits) {
    Put(",\"args\":{{\"stage\":{}", op.stage);
    // Only what an op of this kind has.
    if (traits.has_microbatch) {
      Put(",\"micro_batch\":{}", op.microbatch);
    }
    if (traits.has_version) {
      Put(",\"version\":{}", op.version);
    }
    if (traits.has_horizon) {
      Put(",\"horizon\":{}", op.horizon);
    }

    const std::int32_t staleness = counters_.StalenessOf(ref);
    if (staleness >= 0) {
      Put(",\"staleness\":{}", staleness);
    }
    Put("}}");
  }

  /// Fills `consumer_`: the first op that uses what a RECV received.
  void FindConsumers() {
    for (std::int32_t rank = 0; rank < schedule_.shape.ranks; ++rank) {
      const TableView<const OpRef> inputs = dependencies_.input.Of(rank);
      for (std::int32_t index = 0; index < inputs.Count(); ++index) {
        const OpRef input = inputs[index];
        if (input && !consumer_[input]) {
          consumer_[input] = {rank, index};
        }
      }
    }
  }

  bool TakesTime(OpRef ref) const {
    if (!ref) {
      return false;
    }
    const Span& span = timeline_.spans[ids_.Of(ref)];
    return span.end > span.start;
  }

  /// Which slice an arrow of `transfer` leaves; `kNoOp` if none can be bound.
  OpRef ArrowStart(const Transfer& transfer) const {
    const OpRef producer = dependencies_.input[transfer.send];
    if (TakesTime(producer)) {
      return producer;
    }
    return TakesTime(transfer.send) ? transfer.send : kNoOp;
  }

  void Arrow(std::size_t index) {
    const Transfer& transfer = timeline_.transfers[index];
    const OpRef from = ArrowStart(transfer);
    const OpRef to = consumer_[transfer.recv];
    if (!from || !TakesTime(to)) {
      return;
    }

    constexpr Nanoseconds kInside{1};  // Arrows end inside slices: on the edges, viewers disagree.
    const Nanoseconds leaves = DrawnSpan(from).end - kInside;
    const Span target = DrawnSpan(to);
    const Nanoseconds enters =
        target.end - target.start > kInside ? target.start + kInside : target.start;
    // Clocks of measured ranks may be apart.
    if (leaves >= enters) {
      return;
    }

    const bool forward = schedule_.At(transfer.send).kind == OpKind::kSendForward;
    ArrowEnd('s', from, leaves, forward, index);
    ArrowEnd('f', to, enters, forward, index);
  }

  void ArrowEnd(char phase, OpRef ref, Nanoseconds time, bool forward, std::size_t index) {
    Begin(phase, ref.rank, threads_.Of(ref.rank, LaneOf(schedule_.At(ref))));
    Put(",\"cat\":\"transfer\",\"name\":\"{}\",\"id\":{}{},\"ts\":",
        forward ? "activation" : "gradient", index + 1, phase == 'f' ? ",\"bp\":\"e\"" : "");
    AppendMicroseconds(out_, time);
    Put("}}");
  }

  /// A sample holds until the next one of its series.
  void Counters(std::int32_t rank) {
    for (const CounterSeries& series : counters_.Of(rank)) {
      for (const CounterSample& sample : series.samples) {
        Begin('C', rank, 0);
        Put(",\"cat\":\"counter\",\"name\":\"{}\",\"ts\":", series.name);
        AppendMicroseconds(out_, sample.time);
        Put(",\"args\":{{\"{}\":{}}}}}", series.unit, sample.value);
      }
    }
  }

  const Schedule& schedule_;
  const Timeline& timeline_;
  OpIds ids_;
  Dependencies dependencies_;
  ThreadIds threads_;
  TraceCounters counters_;
  OpTable<OpRef> consumer_;  ///< By RECV: the op that uses what it received.
  fmt::memory_buffer out_;
  bool first_ = true;  ///< Whether no event has been written.
};

}  // namespace

std::string ChromeTrace(const Schedule& schedule, const Timeline& timeline,
                        std::span<const StageSizes> sizes) {
  return TraceWriter(schedule, timeline, sizes).Write();
}

}  // namespace stagecraft
