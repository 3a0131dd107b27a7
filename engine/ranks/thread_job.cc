#include "engine/ranks/thread_job.h"

#include <barrier>
#include <cstddef>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "engine/ranks/thread_transport.h"
#include "schedules/tables.h"

namespace stagecraft {
namespace {

/// Keeps the first failure of a job.
class FirstFailure {
 public:
  void Report(Failure failure) {
    const std::lock_guard lock(mutex_);
    if (!failure_) {
      failure_ = std::move(failure);
    }
  }

  void ThrowIfAny() const {
    if (failure_) {
      throw JobError(*failure_);
    }
  }

 private:
  std::mutex mutex_;
  std::optional<Failure> failure_;
};

}  // namespace

std::vector<std::string> RunAsThreads(const ExecutionPlan& plan, const MakeWork& make_work,
                                      const JobOptions& options) {
  const std::int32_t ranks = plan.schedule.shape.ranks;
  ThreadHub hub(ranks, options.deadline);
  FirstFailure failure;
  Table<std::string> results(ranks);
  std::mutex report_mutex;

  // All are set up when the time begins.
  std::barrier ready(ranks, [&]() noexcept {
    if (options.recorder != nullptr) {
      options.recorder->Begin();
    }
  });

  const auto run_rank = [&](std::int32_t rank) {
    std::unique_ptr<RankWork> work;
    try {
      work = make_work(rank);
    } catch (const std::exception& error) {
      failure.Report({rank, 0, "set-up", error.what()});
      hub.Abort();
    }
    ready.arrive_and_wait();
    if (!work) {
      return;
    }

    const std::unique_ptr<Transport> end = hub.End(rank);
    Seat seat{.transport = *end, .recorder = options.recorder, .deadline = options.deadline};
    if (options.on_report) {
      seat.report = [&, rank](std::string_view report) {
        const std::lock_guard lock(report_mutex);
        options.on_report(rank, report);
      };
    }

    try {
      work->Run(seat);
      results[rank] = work->Result();
    } catch (const JobError& error) {
      failure.Report(error.GetFailure());
    } catch (const Aborted&) {  // Whoever ended the job has reported why.
    } catch (const std::exception& error) {
      failure.Report({rank, 0, "end", error.what()});
      hub.Abort();
    }
  };

  std::vector<std::jthread> threads;
  threads.reserve(static_cast<std::size_t>(ranks));
  for (std::int32_t rank = 0; rank < ranks; ++rank) {
    threads.emplace_back(run_rank, rank);
  }
  threads.clear();  // Joins.
  failure.ThrowIfAny();
  return results;
}

}  // namespace stagecraft
