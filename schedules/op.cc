#include "schedules/op.h"

#include <array>
#include <charconv>

namespace stagecraft {
namespace {

using enum OpKind;

// clang-format off
constexpr std::array<OpTraits, kOpKinds> kTraits = {{
    // kind            text      meaning                                  q     v      +h     reads  accum  igrad  send   recv
    {kForward,        "F",      "forward of one micro-batch",             true, true,  true,  true,  false, false, false, false},
    {kBackward,       "B",      "full backward, for input and weights",   true, true,  true,  true,  true,  true,  false, false},
    {kBackwardInput,  "I",      "backward for the input only",            true, true,  true,  true,  false, true,  false, false},
    {kBackwardWeight, "W",      "backward for the weights only",          true, true,  true,  true,  true,  false, false, false},
    {kRecompute,      "R",      "forward again from the kept input",      true, true,  true,  true,  false, false, false, false},
    {kStep,           "S",      "optimizer step, version v to v + 1",     false, true, false, false, false, false, false, false},
    {kPredict,        "P",      "prediction of later weights",            false, true, true,  false, false, false, false, false},
    {kAllReduce,      "A",      "all-reduce of the stage's gradient",     false, true, false, false, false, false, false, false},
    {kSendForward,    "SEND_F", "the stage's output leaves its rank",     true, false, false, false, false, false, true,  false},
    {kRecvForward,    "RECV_F", "the stage's input arrives",              true, false, false, false, false, false, false, true},
    {kSendBackward,   "SEND_B", "the gradient of the stage's input leaves", true, false, false, false, false, false, true, false},
    {kRecvBackward,   "RECV_B", "the gradient of the stage's output arrives", true, false, false, false, false, false, false, true},
}};
// clang-format on

constexpr bool TraitsAreInKindOrder() {
  for (std::size_t i = 0; i < kTraits.size(); ++i) {
    if (kTraits[i].kind != static_cast<OpKind>(i)) {
      return false;
    }
  }
  return true;
}
static_assert(TraitsAreInKindOrder());

void AppendNumber(std::string& out, std::int32_t number) {
  std::array<char, 12> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

}  // namespace

const OpTraits& TraitsOf(OpKind kind) {
  return kTraits[static_cast<std::size_t>(kind)];
}

std::span<const OpTraits> AllOpTraits() {
  return kTraits;
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
