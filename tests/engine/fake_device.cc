#include "tests/engine/fake_device.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace stagecraft::test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kNoise = 0xfe;

struct FakeEvent : DeviceEvent {
  using DeviceEvent::DeviceEvent;
  struct State {
    std::atomic<bool> done{false};
    Clock::time_point time;
  };
  std::shared_ptr<State> state = std::make_shared<State>();
};

const FakeEvent& As(const DeviceEvent& event) {
  return dynamic_cast<const FakeEvent&>(event);
}

/// Updates on the compute stream.
class FakeWeights : public WeightMemory {
 public:
  explicit FakeWeights(FakeDevice& device) : device_(device) {}

  bool IsHost() const override { return false; }
  std::shared_ptr<std::byte> Allocate(std::size_t bytes) override {
    return memory_.emplace_back(HostMemory().Allocate(bytes));
  }
  void CopyIn(std::byte* to, std::span<const std::byte> from) override {
    Flush();
    HostMemory().CopyIn(to, from);
  }
  void CopyOut(std::span<std::byte> to, const std::byte* from) override {
    Flush();
    HostMemory().CopyOut(to, from);
  }
  void Copy(std::byte* to, const std::byte* from, std::size_t bytes) override {
    Launch([=] { HostMemory().Copy(to, from, bytes); });
  }
  void Step(const OptimizerOptions& options, const OptimizerBuffers<float>& buffers,
            const StepWork<float>& work) override {
    StepAs(options, buffers, work);
  }
  void Step(const OptimizerOptions& options, const OptimizerBuffers<double>& buffers,
            const StepWork<double>& work) override {
    StepAs(options, buffers, work);
  }
  void Predict(const OptimizerOptions& options, const OptimizerBuffers<float>& buffers,
               const PredictWork<float>& work) override {
    Launch([=] { HostMemory().Predict(options, buffers, work); });
  }
  void Predict(const OptimizerOptions& options, const OptimizerBuffers<double>& buffers,
               const PredictWork<double>& work) override {
    Launch([=] { HostMemory().Predict(options, buffers, work); });
  }

 private:
  template <typename T>
  void StepAs(const OptimizerOptions& options, const OptimizerBuffers<T>& buffers,
              StepWork<T> work) {
    if (work.prediction == nullptr) {
      Launch([=] { HostMemory().Step(options, buffers, work); });
      return;
    }
    Launch([=, prediction = *work.prediction]() mutable {
      work.prediction = &prediction;
      HostMemory().Step(options, buffers, work);
    });
  }
  void Launch(FakeDevice::Work work) { device_.Launch(device_.ComputeStream(), std::move(work)); }
  void Flush() {
    const std::shared_ptr<DeviceEvent> event = device_.Record(device_.ComputeStream());
    while (!device_.IsDone(*event)) {
      std::this_thread::yield();
    }
  }

  FakeDevice& device_;
  std::vector<std::shared_ptr<std::byte>> memory_;
};

template <typename T>
void Sum(const std::byte* gathered, std::int32_t members, std::int64_t elements, std::byte* sum) {
  const auto* const values = reinterpret_cast<const T*>(gathered);
  for (std::int64_t i = 0; i < elements; ++i) {
    double total = 0;
    for (std::int32_t member = 0; member < members; ++member) {
      const auto value = static_cast<double>(values[member * elements + i]);
      total = member == 0 ? value : total + value;
    }
    reinterpret_cast<T*>(sum)[i] = static_cast<T>(total);
  }
}

}  // namespace

FakeDevice::FakeDevice(std::int32_t number)
    : number_(number), weights_(std::make_unique<FakeWeights>(*this)) {
  compute_ = MakeStream();
}

FakeDevice::~FakeDevice() {
  if (!IsIdle()) {
    EndTheNoise();
    heap_->is_closing = true;
  }
  for (const std::unique_ptr<Line>& line : lines_) {
    const std::lock_guard lock(line->mutex);
    line->closing = true;
    line->changed.notify_all();
  }
  for (const std::unique_ptr<Line>& line : lines_) {
    line->thread.join();
  }
}

bool FakeDevice::IsIdle() {
  return std::all_of(lines_.begin(), lines_.end(), [](const std::unique_ptr<Line>& line) {
    const std::lock_guard lock(line->mutex);
    return line->work.empty() && !line->busy;
  });
}

Device::Stream FakeDevice::MakeStream() {
  Line& line = *lines_.emplace_back(std::make_unique<Line>());
  line.thread = std::thread([this, &line] { Run(line); });
  return &line;
}

void FakeDevice::Run(Line& line) {
  std::unique_lock lock(line.mutex);
  while (true) {
    line.changed.wait(lock, [&] { return line.closing || !line.work.empty(); });
    if (line.work.empty()) {
      return;
    }
    const Work work = std::move(line.work.front());
    line.work.pop_front();
    line.busy = true;
    lock.unlock();
    if (!heap_->is_closing) {
      work();
    }
    lock.lock();
    line.busy = false;
  }
}

void FakeDevice::Launch(Stream stream, Work work) {
  Line& line = *static_cast<Line*>(stream);
  const std::lock_guard lock(line.mutex);
  line.work.push_back(std::move(work));
  line.changed.notify_all();
}

std::shared_ptr<DeviceEvent> FakeDevice::Record(Stream stream) {
  auto event = std::make_shared<FakeEvent>(number_);
  Launch(stream, [state = event->state] {
    state->time = Clock::now();
    state->done = true;
  });
  return event;
}

void FakeDevice::Wait(Stream stream, const DeviceEvent& event) {
  Launch(stream, [heap = heap_, state = As(event).state] {
    while (!state->done && !heap->is_closing) {
      std::this_thread::yield();
    }
  });
}

bool FakeDevice::IsDone(const DeviceEvent& event) {
  return As(event).state->done;
}

Nanoseconds FakeDevice::Between(const DeviceEvent& from, const DeviceEvent& to) {
  return As(to).state->time - As(from).state->time;
}

Boundary FakeDevice::CopyHere(const Boundary& tensor) {
  Boundary copy = Allocate(tensor.bytes);
  Launch(compute_, [to = copy.data, from = tensor.data, bytes = tensor.bytes] {
    std::memcpy(to, from, bytes);
  });
  copy.ready = Record(compute_);
  return copy;
}

Boundary FakeDevice::Allocate(std::size_t bytes, Stream /*stream*/) {
  std::byte* const data = heap_->memory.emplace_back(new std::byte[bytes]).get();
  std::memset(data, kNoise, bytes);
  const auto end_as_noise = [heap = heap_, bytes](std::byte* memory) {
    if (!heap->is_quiet) {
      std::memset(memory, kNoise, bytes);
    }
  };
  return {std::shared_ptr<std::byte>(data, end_as_noise), data, bytes};
}

void FakeDevice::SumInOrder(const DeviceValues& gathered, std::int32_t members, std::byte* sum,
                            Stream stream) {
  Launch(stream, [=] {
    (gathered.type == ElementType::kFloat64 ? Sum<double> : Sum<float>)(gathered.data, members,
                                                                        gathered.elements, sum);
  });
}

}  // namespace stagecraft::test
