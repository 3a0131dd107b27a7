#include "sim/transfer_index.h"

#include <cstddef>

#include "schedules/check.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"

namespace stagecraft {
namespace {

/// Lists the SENDs, and marks them and their RECVs.
void ListTransfers(const Schedule& schedule, const Dependencies& dependencies,
                   TransferIndex& index) {
  for (std::int32_t rank = 0; rank < schedule.programs.Count(); ++rank) {
    const Program& program = schedule.programs[rank];
    const TableView<const OpRef> matching_recv = dependencies.matching_recv.Of(rank);
    const TableView<std::int32_t> of_op = index.of_op.Of(rank);
    for (std::int32_t i = 0; i < program.Count(); ++i) {
      if (!TraitsOf(program[i].kind).is_send) {
        continue;
      }

      const OpRef recv = matching_recv[i];
      STAGECRAFT_CHECK(recv, "every SEND has its RECV in a verified schedule");
      of_op[i] = index.of_op[recv] = index.transfers.Count();
      index.transfers.push_back({.send = {rank, i}, .recv = recv});
    }
  }
}

/// Marks who waits for a RECV.
void MarkConsumers(const Schedule& schedule, const Dependencies& dependencies,
                   TransferIndex& index) {
  for (std::int32_t rank = 0; rank < schedule.programs.Count(); ++rank) {
    const Program& program = schedule.programs[rank];
    const TableView<const OpRef> inputs = dependencies.input.Of(rank);
    const TableView<std::int32_t> of_op = index.of_op.Of(rank);
    for (std::int32_t i = 0; i < program.Count(); ++i) {
      if (program[i].kind > OpKind::kBackwardInput || !inputs[i]) {
        continue;
      }

      STAGECRAFT_CHECK(inputs[i].rank == rank, "every edge between ranks has its SEND and RECV");
      const std::int32_t input = inputs[i].index;
      of_op[i] = TraitsOf(program[input].kind).is_recv ? of_op[input] : kNoTransfer;
    }
  }
}

}  // namespace

TransferIndex IndexTransfers(const Schedule& schedule, const Dependencies& dependencies) {
  const OpIds& ids = dependencies.input.Ids();
  TransferIndex index{.transfers = {}, .of_op = OpTable<std::int32_t>(ids, kNoTransfer)};
  index.transfers.reserve(ids.Size() / 2);  // There are as many RECVs.
  ListTransfers(schedule, dependencies, index);
  MarkConsumers(schedule, dependencies, index);
  return index;
}

}  // namespace stagecraft
