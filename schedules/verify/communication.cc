#include "schedules/verify/communication.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "schedules/op_tables.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"

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

/// Counts per peer rank, cleared in the time that it took to fill them.
class PeerCounts {
 public:
  explicit PeerCounts(std::size_t ranks) : counts_(ranks, 0) {}

  std::int32_t Next(std::int32_t peer) {
    std::int32_t& count = counts_[peer];
    if (count == 0) {
      touched_.push_back(peer);
    }
    return count++;
  }

  void Clear() {
    for (const std::int32_t peer : touched_) {
      counts_[peer] = 0;
    }
    touched_.clear();
  }

 private:
  Table<std::int32_t> counts_;
  Table<std::int32_t> touched_;
};

class CommunicationCheck {
 public:
  CommunicationCheck(const Schedule& schedule, const Dependencies& dependencies,
                     const PairTable<PairPlaces>& pairs, Findings& findings)
      : schedule_(schedule), dependencies_(dependencies), pairs_(pairs), findings_(findings) {}

  void CheckOps() {
    for (std::int32_t rank = 0; rank < schedule_.programs.Count(); ++rank) {
      const Program& program = schedule_.programs[rank];
      for (std::int32_t i = 0; i < program.Count(); ++i) {
        const OpRef ref{rank, i};

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
    OpTable<std::int32_t> turn(schedule_, -1);
    PeerCounts counts(schedule_.programs.size());
    for (std::int32_t rank = 0; rank < schedule_.programs.Count(); ++rank) {
      const Program& program = schedule_.programs[rank];
      for (std::int32_t i = 0; i < program.Count(); ++i) {
        const OpRef recv = dependencies_.matching_recv[{rank, i}];
        if (TraitsOf(program[i].kind).is_send && recv) {
          turn[{rank, i}] = counts.Next(recv.rank);
        }
      }
      counts.Clear();
    }

    for (std::int32_t rank = 0; rank < schedule_.programs.Count(); ++rank) {
      CheckReceiver(rank, turn, counts);
      counts.Clear();
    }
  }

 private:
  bool IsRecv(OpRef ref) const { return TraitsOf(schedule_.At(ref).kind).is_recv; }

  /// The op that makes what `op` consumes, seen through its transfer.
  OpRef ProducerOf(OpRef ref) const {
    OpRef input = dependencies_.input[ref];
    while (input && IsCommunication(schedule_.At(input).kind)) {
      input = dependencies_.input[input];
    }
    return input;
  }

  void CheckSend(OpRef ref) {
    const OpRef producer = dependencies_.input[ref];
    if (!producer) {
      findings_.Add("paired", ref, "sends what no op produces");
    } else if (producer.rank != ref.rank) {
      findings_.Add(
          "paired", ref,
          fmt::format("expected on the rank of its producer, {}", Name(schedule_, producer)));
    } else if (producer.index > ref.index) {
      findings_.Add("paired", ref, fmt::format("before its producer, op {}", producer.index));
    }
    if (!dependencies_.matching_recv[ref]) {
      findings_.Add("paired", ref, "has no RECV of its own");
    }
  }

  void CheckRecv(OpRef ref, const Op& op) {
    const OpRef send = dependencies_.input[ref];
    if (!send) {
      findings_.Add("paired", ref, "has no SEND of its own");
    } else if (const OpRef first = dependencies_.matching_recv[send]; first != ref) {
      findings_.Add(
          "paired", ref,
          fmt::format("a second one; the first is {}, op {}", Name(schedule_, first), first.index));
    } else if (send.rank == ref.rank) {
      findings_.Add("paired", ref, "between ops of one rank; expected no SEND and RECV");
    }

    const PairPlaces& pair = pairs_[op];
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
    const OpRef input = dependencies_.input[ref];
    if (input && !IsRecv(input) && input.rank != ref.rank) {
      findings_.Add("paired", ref,
                    fmt::format("needs {}; expected {}RECV_{}{} before it on this rank",
                                Name(schedule_, ProducerOf(ref)), op.stage,
                                op.kind == OpKind::kForward ? 'F' : 'B', op.microbatch));
    }
  }

  void CheckReceiver(std::int32_t rank, const OpTable<std::int32_t>& turn, PeerCounts& counts) {
    const Program& program = schedule_.programs[rank];
    for (std::int32_t i = 0; i < program.Count(); ++i) {
      const OpRef ref{rank, i};
      if (!TraitsOf(program[i].kind).is_recv) {
        continue;
      }
      const OpRef send = dependencies_.input[ref];

      if (!send || dependencies_.matching_recv[send] != ref) {
        continue;
      }

      const std::int32_t expected = counts.Next(send.rank);
      if (turn[send] != expected) {
        findings_.Add(
            "channel-order", ref,
            fmt::format("the {} receive on the channel from rank {} to rank {} gets {}, but {} "
                        "needs {}, which is sent {}",
                        Ordinal(expected), send.rank, rank, SendName(send.rank, rank, expected),
                        ToString(schedule_.At(ref)), ToString(schedule_.At(send)),
                        Ordinal(turn[send])));
      }
    }
  }

  /// The SEND that is number `number` of a channel.
  std::string SendName(std::int32_t from, std::int32_t to, std::int32_t number) {
    if (sends_.empty()) {
      for (std::int32_t rank = 0; rank < schedule_.programs.Count(); ++rank) {
        for (std::int32_t i = 0; i < schedule_.programs[rank].Count(); ++i) {
          const OpRef send{rank, i};
          const OpRef receive = dependencies_.matching_recv[send];
          if (TraitsOf(schedule_.At(send).kind).is_send && receive) {
            sends_[{rank, receive.rank}].push_back(send);
          }
        }
      }
    }
    const Table<OpRef>& channel = sends_[{from, to}];
    return number < channel.Count() ? ToString(schedule_.At(channel[number])) : "missing";
  }

  const Schedule& schedule_;
  const Dependencies& dependencies_;
  const PairTable<PairPlaces>& pairs_;
  /// SENDs of each channel, in their order; made when one is to be named.
  std::map<std::pair<std::int32_t, std::int32_t>, Table<OpRef>> sends_;
  Findings& findings_;
};

/// The all-reduces that one set of ranks makes together, in the order of one of them.
struct GroupOrder {
  std::int32_t rank = -1;
  Table<std::int32_t> stages;
};

Table<std::int32_t> StagesOfGroup(const Program& program,
                                  const Table<Table<std::int32_t>>& ranks_of_stage,
                                  const Table<std::int32_t>& group) {
  Table<std::int32_t> stages;
  for (const Op& op : program) {
    if (op.kind == OpKind::kAllReduce && ranks_of_stage[op.stage] == group) {
      stages.push_back(op.stage);
    }
  }
  return stages;
}

}  // namespace

void CheckCommunication(const Schedule& schedule, const Dependencies& dependencies,
                        const PairTable<PairPlaces>& pairs, Findings& findings) {
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
  const Table<Table<std::int32_t>> ranks_of_stage = RanksOfStages(schedule);
  for (const Collective& collective : dependencies.collectives) {
    const std::size_t expected = ranks_of_stage[collective.stage].size();
    if (collective.members.size() < expected) {
      findings.Add("collective-order", collective.members.front(),
                   fmt::format("only {} of the {} ranks that hold stage {} reach it",
                               collective.members.size(), expected, collective.stage));
    }
  }

  // Ranks that share several stages come to their all-reduces in one order.
  std::map<Table<std::int32_t>, GroupOrder> groups;
  for (const Table<std::int32_t>& ranks : ranks_of_stage) {
    if (ranks.size() > 1) {
      groups[ranks];
    }
  }
  for (auto& [ranks, first] : groups) {
    for (const std::int32_t rank : ranks) {
      Table<std::int32_t> stages = StagesOfGroup(schedule.programs[rank], ranks_of_stage, ranks);
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
