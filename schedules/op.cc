#include "schedules/op.h"

#include <array>
#include <charconv>

namespace stagecraft {
namespace {

using enum OpKind;

/// What is true of a kind, as one set: the columns of the table below.
enum Trait : unsigned {
  kMicrobatch = 1U << 0U,
  kVersion = 1U << 1U,
  kHorizon = 1U << 2U,
  kReads = 1U << 3U,
  kAccumulates = 1U << 4U,
  kInputGradient = 1U << 5U,
  kSend = 1U << 6U,
  kRecv = 1U << 7U,
};
constexpr unsigned kCompute = kMicrobatch | kVersion | kHorizon | kReads;

constexpr OpTraits Traits(OpKind kind, std::string_view text, std::string_view meaning,
                          unsigned set) {
  return {.kind = kind,
          .text = text,
          .meaning = meaning,
          .has_microbatch = (set & kMicrobatch) != 0,
          .has_version = (set & kVersion) != 0,
          .has_horizon = (set & kHorizon) != 0,
          .reads_weights = (set & kReads) != 0,
          .accumulates = (set & kAccumulates) != 0,
          .gives_input_gradient = (set & kInputGradient) != 0,
          .is_send = (set & kSend) != 0,
          .is_recv = (set & kRecv) != 0};
}

void AppendNumber(std::string& out, std::int32_t number) {
  std::array<char, 12> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

}  // namespace

constexpr KindTable<OpTraits> kOpTraits = {{
    Traits(kForward, "F", "forward of one micro-batch", kCompute),
    Traits(kBackward, "B", "full backward, for input and weights",
           kCompute | kAccumulates | kInputGradient),
    Traits(kBackwardInput, "I", "backward for the input only", kCompute | kInputGradient),
    Traits(kBackwardWeight, "W", "backward for the weights only", kCompute | kAccumulates),
    Traits(kRecompute, "R", "forward again from the kept input", kCompute),
    Traits(kStep, "S", "optimizer step, version v to v + 1", kVersion),
    Traits(kPredict, "P", "prediction of later weights", kVersion | kHorizon),
    Traits(kAllReduce, "A", "all-reduce of the stage's gradient", kVersion),
    Traits(kSendForward, "SEND_F", "the stage's output leaves its rank", kMicrobatch | kSend),
    Traits(kRecvForward, "RECV_F", "the stage's input arrives", kMicrobatch | kRecv),
    Traits(kSendBackward, "SEND_B", "the gradient of the stage's input leaves",
           kMicrobatch | kSend),
    Traits(kRecvBackward, "RECV_B", "the gradient of the stage's output arrives",
           kMicrobatch | kRecv),
}};

static constexpr bool TraitsAreInKindOrder() {
  for (int i = 0; i < kOpKinds; ++i) {
    if (kOpTraits[static_cast<OpKind>(i)].kind != static_cast<OpKind>(i)) {
      return false;
    }
  }
  return true;
}
static_assert(TraitsAreInKindOrder());

std::span<const OpTraits> AllOpTraits() {
  return kOpTraits;
}

void AppendTo(std::string& out, const Op& op) {
  const OpTraits& traits = TraitsOf(op.kind);
  AppendNumber(out, op.stage);
  out += traits.text;

  if (traits.has_microbatch) {
    AppendNumber(out, op.microbatch);
  }
  if (traits.has_version) {
    out += '@';
    AppendNumber(out, op.version);
  }

  if (op.horizon != 0) {
    if (op.horizon > 0) {
      out += '+';
    }
    AppendNumber(out, op.horizon);
  }
}

std::string ToString(const Op& op) {
  std::string out;
  AppendTo(out, op);
  return out;
}

}  // namespace stagecraft
