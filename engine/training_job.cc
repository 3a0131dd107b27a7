#include "engine/training_job.h"

#include <memory>
#include <string>
#include <vector>

#include "engine/job_fingerprint.h"
#include "engine/ranks/brief_wait.h"
#include "engine/ranks/nccl_transport.h"
#include "engine/ranks/peer_job.h"
#include "engine/ranks/peers.h"
#include "engine/ranks/process_job.h"
#include "engine/ranks/tcp.h"
#include "engine/ranks/tcp_mesh.h"
#include "engine/ranks/thread_job.h"

namespace stagecraft {
namespace {

/// Runs the rank that this process is, connected with the others over TCP.
std::vector<std::string> RunLaunched(const TrainingSetup& setup, const LaunchEnvironment& launch,
                                     const TrainingRanks& ranks, const JobOptions& job) {
  // Rank 0 serves the store in which the ranks find each other, unless the launcher does.
  const std::unique_ptr<Store> store =
      setup.framework->ConnectStore({.host = launch.host,
                                     .port = launch.port,
                                     .serves = launch.rank == 0 && !launch.store_is_there});

  // A job on one machine stays on its loopback; others use the address that reaches the store.
  const bool is_local = launch.host == "127.0.0.1" || launch.host == "localhost";
  MeshOptions options{.rank = launch.rank,
                      .ranks = launch.ranks,
                      .pairs = PairsThatTalk(setup.plan->training),
                      .fingerprint = FingerprintOf(*setup.task, *setup.plan, setup.start)};
  options.host = is_local ? "127.0.0.1" : AddressTowards(launch.host, launch.port);
  options.prefix = "stagecraft/" + launch.run + "/";
  options.on_refused = ranks.on_refused;

  return RunAsPeer(setup.plan->training, TrainingWork(setup), job, launch.rank,
                   ConnectMesh(*store, options));
}

/// Connects GPUs of several processes.
ConnectDevices OverNccl(Framework& framework, const ExecutionPlan& plan,
                        const NcclOptions& options) {
  return [&framework, &plan, options](std::int32_t rank, SocketTransport& sockets, Device& device) {
    return std::make_unique<NcclTransport>(
        rank, plan, NcclParts{sockets, device, *framework.GetNccl()}, options);
  };
}

}  // namespace

std::vector<std::string> RunTrainingJob(TrainingSetup setup, const TrainingRanks& ranks,
                                        JobOptions job) {
  const ExecutionPlan& plan = setup.plan->training;
  std::int32_t ranks_here = plan.schedule.shape.ranks;
  setup.own_processes = ranks.launch || ranks.workers == Workers::kProcesses;
  if (ranks.launch) {
    setup.local = {ranks.launch->local_rank, ranks.launch->local_ranks};
    ranks_here = ranks.launch->local_ranks;
  }

  // Threads share their devices' memory; processes need NCCL, where they have devices.
  job.connect_devices =
      OverNccl(*setup.framework, plan, {.deadline = job.deadline, .spins = MaySpin(ranks_here)});

  if (ranks.launch) {
    return RunLaunched(setup, *ranks.launch, ranks, job);
  }
  const MakeWork work = TrainingWork(setup);
  return ranks.workers == Workers::kThreads ? RunAsThreads(plan, work, job)
                                            : RunAsProcesses(plan, work, job);
}

}  // namespace stagecraft
