#include "engine/device_queue.h"

#include <utility>

#include <fmt/format.h>

#include "engine/failure.h"
#include "engine/ranks/brief_wait.h"
#include "schedules/check.h"

namespace stagecraft {
namespace {

using Clock = std::chrono::steady_clock;

/// Distances are known to one in 2^24: so that is less than a tenth of a microsecond.
constexpr Nanoseconds kFarFromAnchor = std::chrono::seconds(1);

std::int64_t Milliseconds(std::chrono::nanoseconds time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
}

}  // namespace

void WaitForDevice(Device& device, std::chrono::nanoseconds deadline) {
  const std::shared_ptr<DeviceEvent> end = device.Record(device.ComputeStream());
  const PollPause pause(/*spins=*/false);
  while (!device.IsDone(*end)) {
    if (pause.Waited() > deadline) {
      throw Error(fmt::format(
          "the device has not run what it was given within {} ms; expected it to end by then",
          Milliseconds(deadline)));
    }
    pause.Wait();
  }
}

DeviceQueue::DeviceQueue(Device& device, Transport& transport, Recorder* recorder,
                         DeviceQueueOptions options)
    : device_(device), transport_(transport), recorder_(recorder), options_(options) {
  if (recorder_ != nullptr) {
    SetAnchor();
  }
}

void DeviceQueue::Begin(OpRef op) {
  while (spans_ >= options_.lead) {
    Take();
  }
  transport_.Check();
  given_.op = op;
  given_.begin = recorder_ != nullptr ? device_.Record(device_.ComputeStream()) : nullptr;
}

void DeviceQueue::End(OpRef op) {
  STAGECRAFT_CHECK(given_.op == op, "an op ends before the next one begins");
  given_.end = device_.Record(device_.ComputeStream());
  entries_.push_back(std::move(given_));
  ++spans_;
}

void DeviceQueue::Mark(OpRef op) {
  if (recorder_ != nullptr) {
    const Event now = device_.Record(device_.ComputeStream());
    entries_.push_back({op, now, now});
  }
}

void DeviceQueue::Arrive(OpRef recv, const Received& received) {
  const Boundary& tensor = received.tensor;
  if (!tensor.ready) {
    return;
  }
  device_.Wait(device_.ComputeStream(), *tensor.ready);
  if (recorder_ != nullptr) {
    const Device::Stream arrivals = device_.ArrivalStream();
    device_.Wait(arrivals, *tensor.ready);
    const Event there = device_.Record(arrivals);
    entries_.push_back({recv, there, there, true, tensor.bytes});
  }
}

void DeviceQueue::Read(OpRef op, const Weights& weights, std::int32_t slot) {
  if (recorder_ != nullptr) {
    recorder_->RecordRead(op, weights.Holds(slot).value_or(Recorder::kNoRead));
  }
}

void DeviceQueue::CatchUp() {
  while (!entries_.empty()) {
    Take();
  }
  transport_.Check();
}

void DeviceQueue::Drain() {
  CatchUp();
  if (recorder_ != nullptr) {
    SetAnchor();
  }
}

void DeviceQueue::Take() {
  const Entry entry = std::move(entries_.front());
  WaitFor(*entry.end, entry.op);
  entries_.pop_front();
  const bool is_mark = entry.begin == entry.end;
  spans_ -= is_mark ? 0 : 1;
  if (recorder_ == nullptr) {
    return;
  }

  const Nanoseconds begin = TimeOf(entry.begin);
  if (entry.arrives) {
    recorder_->RecordArrival(entry.op, begin, entry.bytes);
  } else {
    recorder_->Record(entry.op, {begin, is_mark ? begin : TimeOf(entry.end)});
  }
}

void DeviceQueue::WaitFor(const DeviceEvent& event, OpRef op) {
  const PollPause pause(options_.spins);
  while (!device_.IsDone(event)) {
    transport_.Check();
    if (pause.Waited() > options_.deadline) {
      throw OpError(op.index, fmt::format("the device has not run this op within {} ms; expected "
                                          "it to end by then",
                                          Milliseconds(options_.deadline)));
    }
    pause.Wait();
  }
}

void DeviceQueue::SetAnchor() {
  constexpr int kTries = 5;  // The quickest of them is the surest.
  Nanoseconds shortest = Nanoseconds::max();
  for (int i = 0; i < kTries; ++i) {
    const Clock::time_point before = Clock::now();
    Event event = device_.Record(device_.ComputeStream());
    WaitFor(*event, {});
    const Nanoseconds took = Clock::now() - before;
    if (took < shortest) {
      shortest = took;
      anchor_ = std::move(event);
      anchor_time_ = before + std::chrono::duration_cast<Clock::duration>(took / 2);
    }
  }
}

Nanoseconds DeviceQueue::TimeOf(const Event& event) {
  const Nanoseconds distance = device_.Between(*anchor_, *event);
  const Clock::time_point time =
      anchor_time_ + std::chrono::duration_cast<Clock::duration>(distance);
  if (distance > kFarFromAnchor) {
    anchor_ = event;
    anchor_time_ = time;
  }
  return recorder_->At(time);
}

}  // namespace stagecraft
