#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "schedules/diagnostic.h"

namespace stagecraft {

/// What a launcher of processes says in the environment: one process per rank.
struct LaunchEnvironment {
  std::string launcher;  ///< `torchrun`, `Open MPI` or `Slurm`.
  std::int32_t rank = 0;
  std::int32_t ranks = 1;
  std::int32_t local_rank = 0;     ///< Among those on its machine.
  std::int32_t local_ranks = 1;    ///< On its machine; 1 if the launcher does not say.
  std::string host = "127.0.0.1";  ///< Where the store is.
  std::int32_t port = 29500;
  bool store_is_there = false;  ///< The launcher runs the store itself; else rank 0 does.
  std::string run;              ///< Differs from one start to the next, also after a restart.
};

/// Nothing if no launcher has started this process. Errors if what it says makes no sense.
/// `variable`: the value of an environment variable, if it is set.
///
///   torchrun   RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR, MASTER_PORT,
///              TORCHELASTIC_*
///   Open MPI   OMPI_COMM_WORLD_RANK, _SIZE, _LOCAL_RANK, _LOCAL_SIZE } the store is at MASTER_ADDR
///   Slurm      SLURM_PROCID, SLURM_NTASKS, SLURM_LOCALID and         } and MASTER_PORT, if they
///              SLURM_NTASKS_PER_NODE in an srun step                 } are set
Result<std::optional<LaunchEnvironment>> ReadLaunchEnvironment(
    const std::function<std::optional<std::string>(const std::string& name)>& variable);

}  // namespace stagecraft
