#include "sim/transfer_index.h"

#include <cstddef>

#include "schedules/check.h"

namespace stagecraft {
namespace {

/// Lists the SENDs, and marks them and their RECVs.
void ListTransfers(const Schedule& schedule, const Dependencies& dependencies, const OpIds& ids,
                   TransferIndex& index) {
  std::size_t id = 0;
  for (std::size_t rank = 0; rank < schedule.programs.size(); ++rank) {
    const std::vector<Op>& program = schedule.programs[rank];
    const std::vector<OpRef>& matching_recv = dependencies.matching_recv[rank];
    for (std::size_t i = 0; i < program.size(); ++i, ++id) {
      if (!IsSend(program[i].kind)) {
        continue;
      }
      const OpRef recv = matching_recv[i];
      STAGECRAFT_CHECK(recv, "every SEND has its RECV in a verified schedule");
      const auto transfer = static_cast<std::int32_t>(index.transfers.size());
      index.of_op[id] = transfer;
      index.of_op[static_cast<std::size_t>(ids.Of(recv))] = transfer;
      index.transfers.push_back(
          {.send = {static_cast<std::int32_t>(rank), static_cast<std::int32_t>(i)}, .recv = recv});
    }
  }
}

/// Marks who waits for a RECV.
void MarkConsumers(const Schedule& schedule, const Dependencies& dependencies, const OpIds& ids,
                   TransferIndex& index) {
  for (std::size_t rank = 0; rank < schedule.programs.size(); ++rank) {
    const std::vector<Op>& program = schedule.programs[rank];
    const std::vector<OpRef>& inputs = dependencies.input[rank];
    std::int32_t* const of_op = index.of_op.data() + ids.Begin(static_cast<std::int32_t>(rank));
    for (std::size_t i = 0; i < program.size(); ++i) {
      if (program[i].kind > OpKind::kBackwardInput || !inputs[i]) {
        continue;
      }
      STAGECRAFT_CHECK(inputs[i].rank == static_cast<std::int32_t>(rank),
                       "every edge between ranks has its SEND and RECV");
      const auto input = static_cast<std::size_t>(inputs[i].index);
      of_op[i] = IsRecv(program[input].kind) ? of_op[input] : kNoTransfer;
    }
  }
}

}  // namespace

TransferIndex IndexTransfers(const Schedule& schedule, const Dependencies& dependencies) {
  const OpIds ids(schedule);
  TransferIndex index;
  index.of_op.assign(static_cast<std::size_t>(ids.Size()), kNoTransfer);
  index.transfers.reserve(static_cast<std::size_t>(ids.Size()) / 2);  // There are as many RECVs.
  ListTransfers(schedule, dependencies, ids, index);
  MarkConsumers(schedule, dependencies, ids, index);
  return index;
}

}  // namespace stagecraft
