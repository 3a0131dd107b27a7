#include "engine/ranks/job.h"

#include <utility>

namespace stagecraft {
namespace {

class ProgramWork : public RankWork {
 public:
  ProgramWork(const ExecutionPlan& plan, std::int32_t rank, std::map<std::int32_t, StagePart> parts)
      : plan_(plan), rank_(rank), parts_(std::move(parts)) {}

  void Run(Seat& seat) override {
    const std::unique_ptr<OpClock> clock = MakeHostClock(seat.recorder);
    Executor(plan_, rank_, parts_, seat.transport, *clock, seat.position).Run();
  }

 private:
  const ExecutionPlan& plan_;
  std::int32_t rank_;
  std::map<std::int32_t, StagePart> parts_;
};

}  // namespace

MakeWork RunProgramOf(const ExecutionPlan& plan, MakeParts make_parts) {
  return [&plan, make_parts = std::move(make_parts)](std::int32_t rank) {
    return std::make_unique<ProgramWork>(plan, rank, make_parts(rank));
  };
}

}  // namespace stagecraft
