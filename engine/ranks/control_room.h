#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/ranks/descriptor.h"
#include "engine/ranks/job.h"
#include "schedules/tables.h"

namespace stagecraft {

/// What the control room can do about the process of a rank. This base class is a process that
/// somebody else has started: what happens to it shows in its connection, and nothing can be done.
class RankProcess {
 public:
  RankProcess() = default;
  RankProcess(const RankProcess&) = delete;
  RankProcess& operator=(const RankProcess&) = delete;
  virtual ~RankProcess() = default;

  /// Asks it to stop between two ops.
  virtual void Stop() {}
  /// Ends it at once, if that can be done from here.
  virtual void Kill() {}
  /// Called when its connection has ended: what ended it, if that is known.
  virtual std::optional<Failure> HowItEnded() { return std::nullopt; }
};

/// Starts all ranks of a job together, hears how they go, and ends them if one fails. One
/// connection per rank, over which come the messages of engine/ranks/control_message.h. A rank ends
/// its side when it is done; if all went well, it then gets a byte.
class ControlRoom {
 public:
  ControlRoom(const ExecutionPlan& plan, const JobOptions& options);

  /// Takes in the next rank: they come in their order.
  void Add(Descriptor control, std::unique_ptr<RankProcess> process);

  /// For a process that has been forked from this one: it holds no connection of the others.
  void CloseConnections();

  /// Waits until all ranks have ended, and returns their results. Throws a `JobError` with the
  /// cause if one failed: a rank that was killed counts before those that missed it, unless it had
  /// said before why it gives up, and those before their consequences.
  std::vector<std::string> Run();

 private:
  struct Member {
    Descriptor control;
    std::unique_ptr<RankProcess> process;
    std::string received;
    bool ready = false;    ///< It has said that it can start.
    bool done = false;     ///< It has sent its result.
    bool gave_up = false;  ///< It has failed or aborted: how it ends after that is no cause.
    bool ended = false;    ///< Its connection has.
    std::string body;      ///< The record and the result that it has sent.
  };

  void Listen();
  void Read(std::int32_t rank);
  bool HandleMessage(std::int32_t rank, Member& member);
  void End(std::int32_t rank, Member& member);
  void Fail(Failure failure);
  void PassOnTheStop();
  void StartWhenAllAreReady();
  void EndTheOthersAfterAFailure();
  void ThrowTheCause() const;

  const ExecutionPlan& plan_;
  const JobOptions& options_;
  Table<Member> members_;
  bool started_ = false;
  bool ended_by_us_ = false;
  bool told_to_stop_ = false;
  std::vector<Failure> failures_;      ///< In the order in which they were heard of.
  std::optional<std::size_t> killed_;  ///< The first of them that the rank could not tell itself.
  std::chrono::steady_clock::time_point first_failure_;
};

}  // namespace stagecraft
