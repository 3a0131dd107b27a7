#include "engine/process_job.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <map>
#include <optional>
#include <poll.h>
#include <set>
#include <string_view>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

#include "engine/control_message.h"
#include "engine/descriptor.h"
#include "engine/shared_positions.h"
#include "engine/socket_transport.h"

namespace stagecraft {
namespace {

using Clock = std::chrono::steady_clock;

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

/// Pairs of ranks, the lower one first, that exchange tensors or gradients.
std::set<std::pair<std::int32_t, std::int32_t>> PairsThatTalk(const ExecutionPlan& plan) {
  std::set<std::pair<std::int32_t, std::int32_t>> pairs;
  for (std::size_t rank = 0; rank < plan.dependencies.matching_recv.size(); ++rank) {
    const auto from = static_cast<std::int32_t>(rank);
    for (const OpRef recv : plan.dependencies.matching_recv[rank]) {
      if (recv) {
        pairs.insert(std::minmax(from, recv.rank));
      }
    }
  }
  for (const std::vector<std::int32_t>& members : plan.ranks_of_stage) {
    for (std::size_t i = 1; i < members.size(); ++i) {
      pairs.insert({members.front(), members[i]});
    }
  }
  return pairs;
}

/// What the launcher knows of one rank.
struct Child {
  pid_t process = -1;
  Descriptor control;
  std::string received;
  bool ready = false;
  bool told = false;  ///< Its D, F or A has come.
  bool ended = false;
  std::string body;  ///< Of its D.
};

/// The process of one rank, from the fork to its end.
class Worker {
 public:
  Worker(const ExecutionPlan& plan, const JobOptions& options, std::int32_t rank,
         std::atomic<std::int32_t>& position)
      : plan_(plan), options_(options), rank_(rank), position_(position) {}

  void Run(const MakeWork& make_work, std::map<std::int32_t, Descriptor> sockets, int control) {
    Failure failure{rank_, 0, "set-up", ""};
    try {
      SocketTransport transport(rank_, std::move(sockets), options_.deadline);
      try {
        if (!RunWork(make_work, transport, control)) {
          return;
        }
      } catch (const Aborted&) {
        throw;
      } catch (...) {
        transport.Abort();
        throw;
      }
      return;
    } catch (const JobError& error) {
      failure = error.GetFailure();
    } catch (const Aborted&) {
      SendMessage(control, 'A', "");
      return;
    } catch (const std::exception& error) {
      failure.reason = error.what();
    }
    SendMessage(control, 'F', PackFailure(failure));
  }

 private:
  /// False if the job was over before it began.
  bool RunWork(const MakeWork& make_work, Transport& transport, int control) {
    const std::unique_ptr<RankWork> work = make_work(rank_);
    SendMessage(control, 'R', "");
    Clock::time_point begin;
    if (recv(control, &begin, sizeof begin, MSG_WAITALL) != sizeof begin) {
      return false;
    }
    Recorder recorder(plan_.schedule);
    recorder.Begin(begin);
    Seat seat{.transport = transport,
              .recorder = options_.recorder != nullptr ? &recorder : nullptr,
              .position = &position_,
              .report = [control](std::string_view report) { SendMessage(control, 'P', report); }};
    work->Run(seat);
    SendMessage(control, 'D', recorder.Bytes(rank_) + work->Result());
    return true;
  }

  const ExecutionPlan& plan_;
  const JobOptions& options_;
  std::int32_t rank_;
  std::atomic<std::int32_t>& position_;
};

class Launcher {
 public:
  Launcher(const ExecutionPlan& plan, const MakeWork& make_work, const JobOptions& options)
      : plan_(plan),
        make_work_(make_work),
        options_(options),
        positions_(plan.schedule.shape.ranks),
        children_(static_cast<std::size_t>(plan.schedule.shape.ranks)) {}

  ~Launcher() {
    for (Child& child : children_) {
      if (child.process > 0 && !child.ended) {
        kill(child.process, SIGKILL);
        waitpid(child.process, nullptr, 0);
      }
    }
  }
  Launcher(const Launcher&) = delete;
  Launcher& operator=(const Launcher&) = delete;

  std::vector<std::string> Run() {
    Fork();
    while (std::any_of(children_.begin(), children_.end(),
                       [](const Child& child) { return !child.ended; })) {
      Listen();
      PassOnTheStop();
      StartWhenAllAreReady();
      EndTheOthersAfterAFailure();
    }
    ThrowTheCause();
    std::vector<std::string> results;
    for (std::size_t rank = 0; rank < children_.size(); ++rank) {
      const std::size_t spans = Recorder::BytesOf(plan_.schedule, static_cast<std::int32_t>(rank));
      if (options_.recorder != nullptr) {
        options_.recorder->Adopt(static_cast<std::int32_t>(rank), children_[rank].body);
      }
      results.push_back(children_[rank].body.substr(spans));
    }
    return results;
  }

 private:
  void Fork() {
    std::vector<std::map<std::int32_t, Descriptor>> sockets(children_.size());
    for (const auto& [low, high] : PairsThatTalk(plan_)) {
      SocketPair pair = MakeSocketPair();
      sockets[static_cast<std::size_t>(low)][high] = std::move(pair.first);
      sockets[static_cast<std::size_t>(high)][low] = std::move(pair.second);
    }
    for (std::size_t rank = 0; rank < children_.size(); ++rank) {
      SocketPair control = MakeSocketPair();
      const pid_t launcher = getpid();
      const pid_t process = fork();
      if (process < 0) {
        throw Error("no process: " + std::generic_category().message(errno));
      }
      if (process == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != launcher) {
          _exit(3);
        }
        std::map<std::int32_t, Descriptor> mine = std::move(sockets[rank]);
        sockets.clear();  // Else a peer that dies would not be missed.
        for (Child& child : children_) {
          child.control.Close();
        }
        control.first.Close();
        const auto index = static_cast<std::int32_t>(rank);
        Worker(plan_, options_, index, positions_.Of(index))
            .Run(make_work_, std::move(mine), control.second.Get());
        _exit(0);
      }
      children_[rank].process = process;
      children_[rank].control = std::move(control.first);
      sockets[rank].clear();
    }
  }

  void Listen() {
    std::vector<pollfd> polled;
    std::vector<std::int32_t> order;
    for (std::size_t rank = 0; rank < children_.size(); ++rank) {
      if (!children_[rank].ended) {
        polled.push_back({children_[rank].control.Get(), POLLIN, 0});
        order.push_back(static_cast<std::int32_t>(rank));
      }
    }
    constexpr int kMilliseconds = 100;  // Only to see whether the time of the others is over.
    poll(polled.data(), polled.size(), kMilliseconds);
    for (std::size_t i = 0; i < order.size(); ++i) {
      if (polled[i].revents != 0) {
        Read(order[i]);
      }
    }
  }

  void Read(std::int32_t rank) {
    Child& child = children_[static_cast<std::size_t>(rank)];
    char bytes[1 << 16];
    const ssize_t got = recv(child.control.Get(), bytes, sizeof bytes, 0);
    if (got > 0) {
      child.received.append(bytes, static_cast<std::size_t>(got));
      while (HandleMessage(rank, child)) {
      }
    } else if (got == 0 || errno != EINTR) {
      End(rank, child);
    }
  }

  bool HandleMessage(std::int32_t rank, Child& child) {
    std::optional<ControlMessage> message = TakeMessage(child.received);
    if (!message) {
      return false;
    }
    child.ready = child.ready || message->type == 'R';
    child.told = child.told || (message->type != 'R' && message->type != 'P');
    if (message->type == 'P' && options_.on_report) {
      options_.on_report(rank, message->body);
    } else if (message->type == 'D') {
      child.body = std::move(message->body);
    } else if (message->type == 'F') {
      Fail(UnpackFailure(rank, message->body));
    }
    return true;
  }

  /// The process has closed its end: it is over, or will be in a moment.
  void End(std::int32_t rank, Child& child) {
    int status = 0;
    waitpid(child.process, &status, 0);
    child.ended = true;
    child.control.Close();
    if (WIFSIGNALED(status) && !ended_by_us_) {
      const std::int32_t index = positions_.Of(rank).load();
      const std::vector<Op>& program = plan_.schedule.programs[static_cast<std::size_t>(rank)];
      const std::string op = static_cast<std::size_t>(index) < program.size()
                                 ? ToString(program[static_cast<std::size_t>(index)])
                                 : "end";
      killed_ = killed_ ? killed_ : failures_.size();
      Fail({rank, index, op,
            fmt::format("its process was ended by signal {} ({})", WTERMSIG(status),
                        strsignal(WTERMSIG(status)))});
    } else if (!child.told) {
      Fail({rank, 0, "end", "its process ended without a result"});
    }
  }

  void Fail(Failure failure) {
    if (failures_.empty()) {
      first_failure_ = Clock::now();
    }
    failures_.push_back(std::move(failure));
  }

  void StartWhenAllAreReady() {
    if (started_ || !std::all_of(children_.begin(), children_.end(),
                                 [](const Child& child) { return child.ready; })) {
      return;
    }
    started_ = true;
    const Clock::time_point begin = Clock::now();
    for (const Child& child : children_) {
      send(child.control.Get(), &begin, sizeof begin, MSG_NOSIGNAL);
    }
  }

  void PassOnTheStop() {
    if (told_to_stop_ || options_.stop == nullptr || !options_.stop->load()) {
      return;
    }
    told_to_stop_ = true;
    for (const Child& child : children_) {
      if (!child.ended) {
        kill(child.process, SIGTERM);
      }
    }
  }

  void EndTheOthersAfterAFailure() {
    if (failures_.empty()) {
      return;
    }
    for (Child& child : children_) {
      if (!started_ && !child.ended) {
        shutdown(child.control.Get(), SHUT_WR);  // It waits for the start.
      }
    }
    if (Clock::now() - first_failure_ > options_.deadline) {
      ended_by_us_ = true;
      for (const Child& child : children_) {
        if (!child.ended) {
          kill(child.process, SIGKILL);
        }
      }
    }
  }

  /// The first rank that was killed, else the first failure that is not another one's consequence.
  void ThrowTheCause() const {
    if (failures_.empty()) {
      return;
    }
    const auto cause = std::find_if(failures_.begin(), failures_.end(),
                                    [](const Failure& failure) { return !failure.consequence; });
    throw JobError(killed_                    ? failures_[*killed_]
                   : cause != failures_.end() ? *cause
                                              : failures_.front());
  }

  const ExecutionPlan& plan_;
  const MakeWork& make_work_;
  const JobOptions& options_;
  SharedPositions positions_;
  std::vector<Child> children_;
  bool started_ = false;
  bool ended_by_us_ = false;
  bool told_to_stop_ = false;
  std::vector<Failure> failures_;      ///< In the order in which they were heard of.
  std::optional<std::size_t> killed_;  ///< The first of them by a signal.
  Clock::time_point first_failure_;
};

}  // namespace

std::vector<std::string> RunAsProcesses(const ExecutionPlan& plan, const MakeWork& make_work,
                                        const JobOptions& options) {
  return Launcher(plan, make_work, options).Run();
}

}  // namespace stagecraft
