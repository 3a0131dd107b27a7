#pragma once

#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "schedules/tables.h"

namespace stagecraft {

/// What an op does. Letters are those of torch.distributed.pipelining.
enum class OpKind : std::uint8_t {
  kForward,         ///< F: forward of one micro-batch.
  kBackward,        ///< B: full backward, gradient for input and weights.
  kBackwardInput,   ///< I: backward for the input only.
  kBackwardWeight,  ///< W: backward for the weights only.
  kRecompute,       ///< R: runs the forward again from the kept stage input.
  kStep,            ///< S: optimizer step, version v -> v + 1.
  kPredict,         ///< P: writes the weights expected `horizon` updates after `version`.
  kAllReduce,       ///< A: sums the accumulated gradient over the ranks that hold the stage.
  kSendForward,     ///< SEND_F: a stage's output leaves its rank.
  kRecvForward,     ///< RECV_F: a stage's input arrives.
  kSendBackward,    ///< SEND_B: the gradient for a stage's input leaves its rank.
  kRecvBackward,    ///< RECV_B: the gradient for a stage's output arrives.
};
inline constexpr int kOpKinds = 12;

/// One entry for every kind of op.
template <typename T>
using KindTable = EnumTable<OpKind, T, kOpKinds>;

/// One step of one rank's program; see design in schedules/README.md.
///
/// Fields that a kind does not use (see `TraitsOf`) are 0. `horizon` is the number of updates a
/// read or a prediction looks ahead of `version`; 0 reads the version itself, negative looks back.
/// A run of ops with `joined` set, and the op after it, form one cell: they start together and all
/// their results appear at the cell's end.
struct Op {
  OpKind kind = OpKind::kForward;
  bool joined = false;          ///< Runs as one cell with the next op of its rank.
  std::int16_t horizon = 0;     ///< Updates ahead of `version`.
  std::int32_t stage = 0;       ///< In [0, stages).
  std::int32_t microbatch = 0;  ///< In [0, microbatches), global over the whole schedule.
  std::int32_t version = 0;     ///< Updates applied to the weights read or stepped.

  friend auto operator<=>(const Op&, const Op&) = default;
};
static_assert(sizeof(Op) <= 16 && std::is_trivially_copyable_v<Op>);

/// Position of an op: `index` counts from 0 within the program of `rank`.
struct OpRef {
  std::int32_t rank = -1;
  std::int32_t index = -1;

  explicit operator bool() const { return rank >= 0; }
  friend auto operator<=>(const OpRef&, const OpRef&) = default;
};
inline constexpr OpRef kNoOp{};

/// What is true of every op of a kind: the one table that all parts ask.
struct OpTraits {
  OpKind kind;
  std::string_view text;      ///< `F`, `SEND_F`, ...
  std::string_view meaning;   ///< One short line for help texts.
  bool has_microbatch;        ///< The `microbatch` field is used.
  bool has_version;           ///< The `version` field is used.
  bool has_horizon;           ///< The `horizon` field is used.
  bool reads_weights;         ///< Runs on the weights of (version, horizon): F, B, I, W, R.
  bool accumulates;           ///< Adds a micro-batch's weight gradient to the stage: B, W.
  bool gives_input_gradient;  ///< Produces the gradient for the stage's input: B, I.
  bool is_send;
  bool is_recv;
};

extern const KindTable<OpTraits> kOpTraits;

inline const OpTraits& TraitsOf(OpKind kind) {
  return kOpTraits[kind];
}
std::span<const OpTraits> AllOpTraits();

inline bool IsCommunication(OpKind kind) {
  return kind >= OpKind::kSendForward;
}

/// F, B, I, W, R: the ops that process a micro-batch on a stage.
inline bool IsCompute(OpKind kind) {
  return kind <= OpKind::kRecompute;
}

/// A set of kinds of ops.
class OpKinds {
 public:
  static constexpr OpKinds All() {
    OpKinds all;
    all.bits_ = (1U << static_cast<unsigned>(kOpKinds)) - 1;
    return all;
  }

  constexpr void Add(OpKind kind) { bits_ |= 1U << static_cast<unsigned>(kind); }
  constexpr bool Has(OpKind kind) const {
    return ((bits_ >> static_cast<unsigned>(kind)) & 1U) != 0;
  }

 private:
  std::uint32_t bits_ = 0;
};

/// `0F3@2+3`, `0S@2`, `1RECV_F3`: the text form of one op, without joining.
std::string ToString(const Op& op);
void AppendTo(std::string& out, const Op& op);

}  // namespace stagecraft
