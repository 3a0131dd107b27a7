#include "engine/ranks/process_job.h"

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

#include "engine/ranks/control_room.h"
#include "engine/ranks/descriptor.h"
#include "engine/ranks/peers.h"
#include "engine/ranks/shared_positions.h"
#include "engine/ranks/worker.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"

namespace stagecraft {
namespace {

/// Two connected sockets.
struct SocketPair {
  Descriptor first, second;
};

SocketPair MakeSocketPair() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    throw Error("no socket pair: " + std::generic_category().message(errno));
  }
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

/// A forked process; killed when this goes, if it has not ended.
class ForkedProcess : public RankProcess {
 public:
  ForkedProcess(pid_t process, std::int32_t rank, const ExecutionPlan& plan,
                std::shared_ptr<SharedPositions> positions)
      : process_(process), rank_(rank), plan_(plan), positions_(std::move(positions)) {}
  ~ForkedProcess() override {
    if (process_ > 0) {
      kill(process_, SIGKILL);
      waitpid(process_, nullptr, 0);
    }
  }
  ForkedProcess(const ForkedProcess&) = delete;
  ForkedProcess& operator=(const ForkedProcess&) = delete;

  void Stop() override { kill(process_, SIGTERM); }
  void Kill() override { kill(process_, SIGKILL); }

  std::optional<Failure> HowItEnded() override {
    int status = 0;
    waitpid(std::exchange(process_, -1), &status, 0);
    if (!WIFSIGNALED(status)) {
      return std::nullopt;
    }
    const std::int32_t index = positions_->Of(rank_).load();
    const Program& program = plan_.schedule.programs[rank_];
    const std::string op = index < program.Count() ? ToString(program[index]) : "end";
    return Failure{rank_, index, op,
                   fmt::format("its process was ended by signal {} ({})", WTERMSIG(status),
                               strsignal(WTERMSIG(status)))};
  }

 private:
  pid_t process_;
  std::int32_t rank_;
  const ExecutionPlan& plan_;
  std::shared_ptr<SharedPositions> positions_;
};

}  // namespace

std::vector<std::string> RunAsProcesses(const ExecutionPlan& plan, const MakeWork& make_work,
                                        const JobOptions& options) {
  const std::int32_t ranks = plan.schedule.shape.ranks;
  const auto positions = std::make_shared<SharedPositions>(ranks);
  Table<std::map<std::int32_t, Descriptor>> sockets(ranks);
  for (const auto& [low, high] : PairsThatTalk(plan)) {
    SocketPair pair = MakeSocketPair();
    sockets[low][high] = std::move(pair.first);
    sockets[high][low] = std::move(pair.second);
  }

  Table<SocketPair> controls(ranks);
  for (SocketPair& control : controls) {
    control = MakeSocketPair();
  }

  ControlRoom room(plan, options);
  const pid_t launcher = getpid();
  for (std::int32_t rank = 0; rank < ranks; ++rank) {
    const pid_t process = fork();
    if (process < 0) {
      throw Error("no process: " + std::generic_category().message(errno));
    }
    if (process == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (getppid() != launcher) {
        _exit(3);
      }

      // A process holds no end but its own; else a peer that dies, or the launcher, would not be
      // missed.
      std::map<std::int32_t, Descriptor> mine = std::move(sockets[rank]);
      const Descriptor control = std::move(controls[rank].second);
      sockets.clear();
      controls.clear();
      room.CloseConnections();

      RunWorker(plan, make_work, options,
                {rank, std::move(mine), control.Get(), &positions->Of(rank)});
      _exit(0);
    }

    room.Add(std::move(controls[rank].first),
             std::make_unique<ForkedProcess>(process, rank, plan, positions));
    controls[rank].second.Close();
    sockets[rank].clear();
  }

  return room.Run();
}

}  // namespace stagecraft
