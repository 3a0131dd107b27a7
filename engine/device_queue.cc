#include "engine/device_queue.h"

#include <thread>
#include <utility>

#include <fmt/format.h>

#include "engine/brief_wait.h"
#include "engine/failure.h"

namespace stagecraft {
namespace {

using Clock = std::chrono::steady_clock;

/// Distances are known to one in 2^24: so that is less than a tenth of a microsecond.
constexpr Nanoseconds kFarFromAnchor = std::chrono::seconds(1);

}  // namespace

DeviceQueue::DeviceQueue(Device& device, Transport& transport, Recorder* recorder,
                         DeviceQueueOptions options)
    : device_(device), transport_(transport), recorder_(recorder), options_(options) {
  if (recorder_ != nullptr) {
    arrivals_ = device_.MakeStream();
    SetAnchor();
  }
}

void DeviceQueue::Begin(OpRef op) {
  while (spans_ >= options_.lead) {
    Take();
  }
  transport_.Check();
  begin_ = recorder_ != nullptr ? device_.Record(device_.ComputeStream()) : nullptr;
  static_cast<void>(op);
}

void DeviceQueue::End(OpRef op) {
  entries_.push_back({op, std::move(begin_), device_.Record(device_.ComputeStream())});
  ++spans_;
}

void DeviceQueue::Mark(OpRef op) {
  if (recorder_ != nullptr) {
    const Event now = device_.Record(device_.ComputeStream());
    entries_.push_back({op, now, now});
  }
}

void DeviceQueue::Arrive(OpRef recv, const Boundary& tensor) {
  if (!tensor.ready) {
    return;
  }
  device_.Wait(device_.ComputeStream(), *tensor.ready);
  if (recorder_ != nullptr) {
    device_.Wait(arrivals_, *tensor.ready);
    const Event there = device_.Record(arrivals_);
    entries_.push_back({recv, there, there, true, tensor.bytes});
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
  const Clock::time_point begin = Clock::now();
  while (!device_.IsDone(event)) {
    transport_.Check();
    const Clock::time_point now = Clock::now();
    if (now - begin > options_.deadline) {
      throw OpError(
          op.index,
          fmt::format(
              "the device has not run this op within {} ms; expected it to end by then",
              std::chrono::duration_cast<std::chrono::milliseconds>(options_.deadline).count()));
    }
    if (now - begin > kBriefWait) {
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    } else {
      std::this_thread::yield();
    }
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
