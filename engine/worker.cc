#include "engine/worker.h"

#include <memory>
#include <string_view>
#include <sys/socket.h>
#include <utility>

#include "engine/brief_wait.h"
#include "engine/control_message.h"
#include "engine/socket_transport.h"

namespace stagecraft {
namespace {

using Clock = std::chrono::steady_clock;

class Worker {
 public:
  Worker(const ExecutionPlan& plan, const MakeWork& make_work, const JobOptions& options,
         WorkerSeat& seat)
      : plan_(plan), make_work_(make_work), options_(options), seat_(seat) {}

  /// Throws what went wrong, having ended the job for the others.
  void Run() {
    SocketTransport transport(seat_.rank, std::move(seat_.sockets), options_.deadline,
                              MayWaitBriefly(plan_.schedule.shape.ranks));
    try {
      const std::unique_ptr<RankWork> work = make_work_(seat_.rank);
      SendMessage(seat_.control, 'R', "");
      Clock::time_point begin;
      if (recv(seat_.control, &begin, sizeof begin, MSG_WAITALL) != sizeof begin) {
        return;  // The job was over before it began.
      }
      Work(*work, transport, seat_.shares_clock ? begin : Clock::now());
    } catch (const Aborted&) {
      throw;
    } catch (...) {
      transport.Abort();
      throw;
    }
  }

 private:
  void Work(RankWork& work, Transport& transport, Clock::time_point begin) {
    Recorder recorder(plan_.schedule);
    recorder.Begin(begin);
    Seat seat{.transport = transport,
              .recorder = options_.recorder != nullptr ? &recorder : nullptr,
              .position = seat_.position,
              .report = [control = seat_.control](std::string_view report) {
                SendMessage(control, 'P', report);
              }};
    work.Run(seat);
    SendMessage(seat_.control, 'D', recorder.Bytes(seat_.rank) + work.Result());
  }

  const ExecutionPlan& plan_;
  const MakeWork& make_work_;
  const JobOptions& options_;
  WorkerSeat& seat_;
};

}  // namespace

std::optional<Failure> RunWorker(const ExecutionPlan& plan, const MakeWork& make_work,
                                 const JobOptions& options, WorkerSeat seat) {
  Failure failure{seat.rank, 0, "set-up", ""};
  try {
    Worker(plan, make_work, options, seat).Run();
    return std::nullopt;
  } catch (const JobError& error) {
    failure = error.GetFailure();
  } catch (const Aborted&) {
    SendMessage(seat.control, 'A', "");
    return std::nullopt;
  } catch (const std::exception& error) {
    failure.reason = error.what();
  }
  SendMessage(seat.control, 'F', PackFailure(failure));
  return failure;
}

}  // namespace stagecraft
