#include "engine/thread_job.h"

#include <barrier>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "engine/thread_transport.h"

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

void RunAsThreads(const ExecutionPlan& plan, const MakeParts& make_parts,
                  const ThreadJobOptions& options) {
  const std::int32_t ranks = plan.schedule.shape.ranks;
  ThreadHub hub(ranks, options.deadline);
  FirstFailure failure;
  std::barrier ready(ranks, [&]() noexcept {
    if (options.recorder != nullptr) {
      options.recorder->Begin();
    }
  });
  const auto run_rank = [&](std::int32_t rank) {
    std::map<std::int32_t, StagePart> parts;
    try {
      parts = make_parts(rank);
    } catch (const std::exception& error) {
      failure.Report({rank, 0, "set-up", error.what()});
      hub.Abort();
    }
    ready.arrive_and_wait();
    const std::unique_ptr<Transport> end = hub.End(rank);
    try {
      Executor(plan, rank, parts, *end, options.recorder).Run();
    } catch (const JobError& error) {
      failure.Report(error.GetFailure());
    } catch (const Aborted&) {  // Whoever ended the job has reported why.
    }
  };
  std::vector<std::jthread> threads;
  threads.reserve(static_cast<std::size_t>(ranks));
  for (std::int32_t rank = 0; rank < ranks; ++rank) {
    threads.emplace_back(run_rank, rank);
  }
  threads.clear();  // Joins.
  failure.ThrowIfAny();
}

}  // namespace stagecraft
