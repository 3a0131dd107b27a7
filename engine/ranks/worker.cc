#include "engine/ranks/worker.h"

#include <memory>
#include <string_view>
#include <sys/socket.h>
#include <utility>

#include "engine/ranks/brief_wait.h"
#include "engine/ranks/clock_offset.h"
#include "engine/ranks/control_message.h"
#include "engine/ranks/socket_transport.h"

namespace stagecraft {
namespace {

using Clock = std::chrono::steady_clock;

class Worker {
 public:
  Worker(const ExecutionPlan& plan, const MakeWork& make_work, const JobOptions& options,
         WorkerSeat& seat)
      : plan_(plan), make_work_(make_work), options_(options), seat_(seat) {}

  /// What went wrong, having ended the job for the others and told the control room.
  std::optional<Failure> Run() {
    SocketTransport sockets(seat_.rank, std::move(seat_.sockets), options_.deadline,
                            MayWaitBriefly(plan_.schedule.shape.ranks));
    std::unique_ptr<RankWork> work;
    std::unique_ptr<Transport> devices;  // Goes first, after the failure has been told.
    Failure failure{seat_.rank, 0, "set-up", ""};

    try {
      work = make_work_(seat_.rank);
      if (options_.connect_devices && work->GetDevice() != nullptr) {
        devices = options_.connect_devices(seat_.rank, sockets, *work->GetDevice());
      }

      const Clock::duration ahead =
          seat_.shares_clock ? Clock::duration(0) : MeasureClockOffset(seat_.control);

      SendMessage(seat_.control, ControlKind::kReady);
      Clock::time_point begin;
      if (recv(seat_.control, &begin, sizeof begin, MSG_WAITALL) == sizeof begin) {
        failure.op = "end";
        Work(*work, devices ? *devices : sockets, begin - ahead);
      }  // Else the job was over before it began.
      return std::nullopt;
    } catch (const Aborted&) {
      SendMessage(seat_.control, ControlKind::kAborted);
      return std::nullopt;
    } catch (const JobError& error) {
      failure = error.GetFailure();
    } catch (const PeerLost& error) {
      failure.reason = error.what();
      failure.consequence = true;
    } catch (const std::exception& error) {
      failure.reason = error.what();
    }

    sockets.Abort();
    SendMessage(seat_.control, ControlKind::kFailed, PackFailure(failure));
    return failure;
  }

 private:
  void Work(RankWork& work, Transport& transport, Clock::time_point begin) {
    Recorder recorder(plan_.schedule);
    recorder.Begin(begin);
    Seat seat{.transport = transport,
              .recorder = options_.recorder != nullptr ? &recorder : nullptr,
              .position = seat_.position,
              .deadline = options_.deadline,
              .report = [control = seat_.control](std::string_view report) {
                SendMessage(control, ControlKind::kReport, report);
              }};
    work.Run(seat);
    transport.Finish();
    SendMessage(seat_.control, ControlKind::kDone, recorder.Bytes(seat_.rank) + work.Result());
  }

  const ExecutionPlan& plan_;
  const MakeWork& make_work_;
  const JobOptions& options_;
  WorkerSeat& seat_;
};

}  // namespace

std::optional<Failure> RunWorker(const ExecutionPlan& plan, const MakeWork& make_work,
                                 const JobOptions& options, WorkerSeat seat) {
  return Worker(plan, make_work, options, seat).Run();
}

}  // namespace stagecraft
