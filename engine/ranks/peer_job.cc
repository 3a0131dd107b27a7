#include "engine/ranks/peer_job.h"

#include <cerrno>
#include <memory>
#include <optional>
#include <sys/socket.h>
#include <system_error>
#include <thread>
#include <utility>

#include "engine/ranks/control_room.h"
#include "engine/ranks/worker.h"

namespace stagecraft {
namespace {

void RunDistantRank(const ExecutionPlan& plan, const MakeWork& make_work, const JobOptions& options,
                    std::int32_t rank, Mesh mesh) {
  const Descriptor control = std::move(mesh.controls.at(0));
  std::optional<Failure> failure = RunWorker(
      plan, make_work, options, {rank, std::move(mesh.tensors), control.Get(), nullptr, false});
  shutdown(control.Get(), SHUT_WR);  // Nothing more comes from here.
  char verdict = 0;
  const bool is_fine = recv(control.Get(), &verdict, 1, MSG_WAITALL) == 1;
  if (failure && !failure->consequence) {
    throw JobError(*std::move(failure));
  }
  if (failure || !is_fine) {
    throw Error("the job ended early; rank 0 says why");
  }
}

std::vector<std::string> RunRankZero(const ExecutionPlan& plan, const MakeWork& make_work,
                                     const JobOptions& options, Mesh mesh) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    throw Error("no socket pair: " + std::generic_category().message(errno));
  }
  Descriptor near(ends[0]);
  Descriptor far(ends[1]);

  ControlRoom room(plan, options);
  room.Add(std::move(near), std::make_unique<RankProcess>());
  for (auto& [rank, control] : mesh.controls) {
    room.Add(std::move(control), std::make_unique<RankProcess>());
  }

  const std::jthread own([&] {
    RunWorker(plan, make_work, options, {0, std::move(mesh.tensors), far.Get(), nullptr, true});
    far.Close();
  });
  try {
    return room.Run();
  } catch (...) {
    room.CloseConnections();  // Else the own rank might wait for somebody to listen.
    throw;
  }
}

}  // namespace

std::vector<std::string> RunAsPeer(const ExecutionPlan& plan, const MakeWork& make_work,
                                   const JobOptions& options, std::int32_t rank, Mesh mesh) {
  if (rank == 0) {
    return RunRankZero(plan, make_work, options, std::move(mesh));
  }
  RunDistantRank(plan, make_work, options, rank, std::move(mesh));
  return {};
}

}  // namespace stagecraft
