#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/device.h"
#include "engine/executor.h"
#include "engine/transport.h"

namespace stagecraft {

class SocketTransport;

/// What a job gives a rank to work with.
struct Seat {
  Transport& transport;
  Recorder* recorder = nullptr;                   ///< For the ops of this rank; may be null.
  std::atomic<std::int32_t>* position = nullptr;  ///< Kept at the op that runs; may be null.
  /// The longest that one wait may take.
  std::chrono::nanoseconds deadline = std::chrono::minutes(1);
  /// Sends a report to whoever started the job.
  std::function<void(std::string_view)> report = [](std::string_view) {};
};

/// One rank's share of a job. Made, run and destroyed on the rank's own thread.
class RankWork {
 public:
  RankWork() = default;
  RankWork(const RankWork&) = delete;
  RankWork& operator=(const RankWork&) = delete;
  virtual ~RankWork() = default;

  /// Throws what `Executor::Run` throws.
  virtual void Run(Seat& seat) = 0;

  /// The device that it computes on, if it has one.
  virtual Device* GetDevice() { return nullptr; }

  /// The result, when it has run: bytes for whoever started the job.
  virtual std::string Result() { return {}; }
};

/// Connects the devices of a rank with those of others, in place of the sockets.
using ConnectDevices = std::function<std::unique_ptr<Transport>(
    std::int32_t rank, SocketTransport& sockets, Device& device)>;

using MakeWork = std::function<std::unique_ptr<RankWork>(std::int32_t rank)>;

struct JobOptions {
  /// The longest that one wait may take.
  std::chrono::nanoseconds deadline = std::chrono::minutes(1);
  Recorder* recorder = nullptr;  ///< Of all ranks; its time 0 is when all are ready.
  /// Called for each report of a rank, one at a time, in the order in which that rank made them.
  std::function<void(std::int32_t rank, std::string_view report)> on_report{};
  /// Becomes true when the job is to end early. Ranks of this process see it themselves; processes
  /// get a SIGTERM: Ctrl-C on a terminal has sent them a SIGINT already, which they may have
  /// taken.
  const std::atomic<bool>* stop = nullptr;
  ConnectDevices connect_devices{};  ///< Of ranks that are processes, if they have devices.
};

/// Makes what `rank` holds: one part for each stage of its placement.
using MakeParts = std::function<std::map<std::int32_t, StagePart>(std::int32_t rank)>;

/// Work that runs the program of `plan` once. The plan must live on.
MakeWork RunProgramOf(const ExecutionPlan& plan, MakeParts make_parts);

}  // namespace stagecraft
