#include "schedules/verify/communication.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace stagecraft {
namespace {

/// `1st` for 0, `2nd` for 1, `11th` for 10.
std::string Ordinal(std::int32_t index) {
  const std::int64_t number = std::int64_t{index} + 1;
  const bool is_teen = number % 100 / 10 == 1;
  const std::int64_t digit = is_teen ? 0 : number % 10;
  return fmt::format("{}{}", number,
                     digit == 1   ? "st"
                     : digit == 2 ? "nd"
                     : digit == 3 ? "rd"
                                  : "th");
}

template <typename T>
T& At(std::vector<std::vector<T>>& table, OpRef ref) {
  return table[static_cast<std::size_t>(ref.rank)][static_cast<std::size_t>(ref.index)];
}

template <typename T>
const T& At(const std::vector<std::vector<T>>& table, OpRef ref) {
  return table[static_cast<std::size_t>(ref.rank)][static_cast<std::size_t>(ref.index)];
}

/// Counts per peer rank, cleared in the time that it took to fill them.
class PeerCounts {
 public:
  explicit PeerCounts(std::size_t ranks) : counts_(ranks, 0) {}

  std::int32_t Next(std::int32_t peer) {
    std::int32_t& count = counts_[static_cast<std::size_t>(peer)];
    if (count == 0) {
      touched_.push_back(peer);
    }
    return count++;
  }

  void Clear() {
    for (const std::int32_t peer : touched_) {
      counts_[static_cast<std::size_t>(peer)] = 0;
    }
    touched_.clear();
  }

 private:
  std::vector<std::int32_t> counts_;
  std::vector<std::int32_t> touched_;
};

class CommunicationCheck {
 public:
  CommunicationCheck(const Schedule& schedule, const Dependencies& dependencies,
                     const std::vector<PairPlaces>& pairs, Findings& findings)
      : schedule_(schedule), dependencies_(dependencies), pairs_(pairs), findings_(findings) {}

  void CheckOps() {
    for (std::size_t rank = 0; rank < schedule_.programs.size(); ++rank) {
      const std::vector<Op>& program = schedule_.programs[rank];
      for (std::size_t i = 0; i < program.size(); ++i) {
        const OpRef ref{static_cast<std::int32_t>(rank), static_cast<std::int32_t>(i)};
        const OpTraits& traits = TraitsOf(program[i].kind);
        if (traits.is_send) {
          CheckSend(ref);
        } else if (traits.is_recv) {
          CheckRecv(ref, program[i]);
        } else if (program[i].kind == OpKind::kForward || traits.gives_input_gradient) {
          CheckEdge(ref, program[i]);
        }
      }
    }
  }

  /// The k-th SEND of each channel against its k-th RECV.
  void CheckChannels() {
    std::vector<std::vector<std::int32_t>> turn(schedule_.programs.size());
    PeerCounts counts(schedule_.programs.size());
    for (std::size_t rank = 0; rank < schedule_.programs.size(); ++rank) {
      const std::vector<Op>& program = schedule_.programs[rank];
      turn[rank].resize(program.size(), -1);
      for (std::size_t i = 0; i < program.size(); ++i) {
        const OpRef recv = dependencies_.matching_recv[rank][i];
        if (TraitsOf(program[i].kind).is_send && recv) {
          turn[rank][i] = counts.Next(recv.rank);
        }
      }
      counts.Clear();
    }
    for (std::size_t rank = 0; rank < schedule_.programs.size(); ++rank) {
      CheckReceiver(static_cast<std::int32_t>(rank), turn, counts);
      counts.Clear();
    }
  }

 private:
  bool IsRecv(OpRef ref) const { return TraitsOf(schedule_.At(ref).kind).is_recv; }

  /// The op that makes what `op` consumes, seen through its transfer.
  OpRef ProducerOf(OpRef ref) const {
    OpRef input = At(dependencies_.input, ref);
    while (input && IsCommunication(schedule_.At(input).kind)) {
      input = At(dependencies_.input, input);
    }
    return input;
  }

  void CheckSend(OpRef ref) {
    const OpRef producer = At(dependencies_.input, ref);
    if (!producer) {
      findings_.Add("paired", ref, "sends what no op produces");
    } else if (producer.rank != ref.rank) {
      findings_.Add(
          "paired", ref,
          fmt::format("expected on the rank of its producer, {}", Name(schedule_, producer)));
    } else if (producer.index > ref.index) {
      findings_.Add("paired", ref, fmt::format("before its producer, op {}", producer.index));
    }
    if (!At(dependencies_.matching_recv, ref)) {
      findings_.Add("paired", ref, "has no RECV of its own");
    }
  }

  void CheckRecv(OpRef ref, const Op& op) {
    const OpRef send = At(dependencies_.input, ref);
    if (!send) {
      findings_.Add("paired", ref, "has no SEND of its own");
    } else if (const OpRef first = At(dependencies_.matching_recv, send); first != ref) {
      findings_.Add(
          "paired", ref,
          fmt::format("a second one; the first is {}, op {}", Name(schedule_, first), first.index));
    } else if (send.rank == ref.rank) {
      findings_.Add("paired", ref, "between ops of one rank; expected no SEND and RECV");
    }
    const PairPlaces& pair = pairs_[static_cast<std::size_t>(op.stage) *
                                        static_cast<std::size_t>(schedule_.shape.microbatches) +
                                    static_cast<std::size_t>(op.microbatch)];
    const OpRef consumer = op.kind == OpKind::kRecvForward ? pair.forward : pair.backward;
    if (!consumer) {
      findings_.Add("paired", ref, "receives what no op consumes");
    } else if (consumer.rank != ref.rank) {
      findings_.Add(
          "paired", ref,
          fmt::format("expected on the rank of its consumer, {}", Name(schedule_, consumer)));
    } else if (consumer.index < ref.index) {
      findings_.Add("paired", ref, fmt::format("behind its consumer, op {}", consumer.index));
    }
  }

  /// F, B or I: what it consumes from another rank comes through a RECV.
  void CheckEdge(OpRef ref, const Op& op) {
    const OpRef input = At(dependencies_.input, ref);
    if (input && !IsRecv(input) && input.rank != ref.rank) {
      findings_.Add("paired", ref,
                    fmt::format("needs {}; expected {}RECV_{}{} before it on this rank",
                                Name(schedule_, ProducerOf(ref)), op.stage,
                                op.kind == OpKind::kForward ? 'F' : 'B', op.microbatch));
    }
  }

  void CheckReceiver(std::int32_t rank, const std::vector<std::vector<std::int32_t>>& turn,
                     PeerCounts& counts) {
    const std::vector<Op>& program = schedule_.programs[static_cast<std::size_t>(rank)];
    for (std::size_t i = 0; i < program.size(); ++i) {
      const OpRef ref{rank, static_cast<std::int32_t>(i)};
      if (!TraitsOf(program[i].kind).is_recv) {
        continue;
      }
      const OpRef send = At(dependencies_.input, ref);
      if (!send || At(dependencies_.matching_recv, send) != ref) {
        continue;
      }
      const std::int32_t expected = counts.Next(send.rank);
      if (At(turn, send) != expected) {
        findings_.Add(
            "channel-order", ref,
            fmt::format("the {} receive on the channel from rank {} to rank {} gets {}, but {} "
                        "needs {}, which is sent {}",
                        Ordinal(expected), send.rank, rank, SendName(send.rank, rank, expected),
                        ToString(schedule_.At(ref)), ToString(schedule_.At(send)),
                        Ordinal(At(turn, send))));
      }
    }
  }

  /// The SEND that is number `number` of a channel.
  std::string SendName(std::int32_t from, std::int32_t to, std::int32_t number) {
    if (sends_.empty()) {
      for (std::size_t rank = 0; rank < schedule_.programs.size(); ++rank) {
        for (std::size_t i = 0; i < schedule_.programs[rank].size(); ++i) {
          const OpRef receive = TraitsOf(schedule_.programs[rank][i].kind).is_send
                                    ? dependencies_.matching_recv[rank][i]
                                    : kNoOp;
          if (receive) {
            sends_[{static_cast<std::int32_t>(rank), receive.rank}].push_back(i);
          }
        }
      }
    }
    const std::vector<std::size_t>& channel = sends_[{from, to}];
    const auto at = static_cast<std::size_t>(number);
    return at < channel.size()
               ? ToString(schedule_.programs[static_cast<std::size_t>(from)][channel[at]])
               : "missing";
  }

  const Schedule& schedule_;
  const Dependencies& dependencies_;
  const std::vector<PairPlaces>& pairs_;
  /// SENDs of each channel, in their order; made when one is to be named.
  std::map<std::pair<std::int32_t, std::int32_t>, std::vector<std::size_t>> sends_;
  Findings& findings_;
};

/// The all-reduces that one set of ranks makes together, in the order of one of them.
struct GroupOrder {
  std::int32_t rank = -1;
  std::vector<std::int32_t> stages;
};

std::vector<std::int32_t> StagesOfGroup(
    const std::vector<Op>& program, const std::vector<std::vector<std::int32_t>>& ranks_of_stage,
    const std::vector<std::int32_t>& group) {
  std::vector<std::int32_t> stages;
  for (const Op& op : program) {
    if (op.kind == OpKind::kAllReduce &&
        ranks_of_stage[static_cast<std::size_t>(op.stage)] == group) {
      stages.push_back(op.stage);
    }
  }
  return stages;
}

}  // namespace

void CheckCommunication(const Schedule& schedule, const Dependencies& dependencies,
                        const std::vector<PairPlaces>& pairs, Findings& findings) {
  if (!HasCommunication(schedule)) {
    return;
  }
  CommunicationCheck check(schedule, dependencies, pairs, findings);
  check.CheckOps();
  check.CheckChannels();
}

void CheckCollectives(const Schedule& schedule, const Dependencies& dependencies,
                      Findings& findings) {
  if (dependencies.collectives.empty()) {
    return;
  }
  const std::vector<std::vector<std::int32_t>> ranks_of_stage = RanksOfStages(schedule);
  for (const Collective& collective : dependencies.collectives) {
    const std::size_t expected = ranks_of_stage[static_cast<std::size_t>(collective.stage)].size();
    if (collective.members.size() < expected) {
      findings.Add("collective-order", collective.members.front(),
                   fmt::format("only {} of the {} ranks that hold stage {} reach it",
                               collective.members.size(), expected, collective.stage));
    }
  }
  std::map<std::vector<std::int32_t>, GroupOrder> groups;
  for (const std::vector<std::int32_t>& ranks : ranks_of_stage) {
    if (ranks.size() > 1) {
      groups[ranks];
    }
  }
  for (auto& [ranks, first] : groups) {
    for (const std::int32_t rank : ranks) {
      std::vector<std::int32_t> stages =
          StagesOfGroup(schedule.programs[static_cast<std::size_t>(rank)], ranks_of_stage, ranks);
      if (first.rank < 0) {
        first = {rank, std::move(stages)};
      } else if (stages.size() == first.stages.size() && stages != first.stages) {
        findings.Add("collective-order", fmt::format("rank {}", rank),
                     fmt::format("makes the all-reduces it shares with rank {} in another order",
                                 first.rank));
      }
    }
  }
}

}  // namespace stagecraft
