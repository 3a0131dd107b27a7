#include "engine/op_clock.h"

namespace stagecraft {
namespace {

class HostClock : public OpClock {
 public:
  explicit HostClock(Recorder& recorder) : recorder_(recorder) {}

  void Begin(OpRef /*op*/) override { begin_ = recorder_.Now(); }
  void End(OpRef op) override { recorder_.Record(op, {begin_, recorder_.Now()}); }

  void Mark(OpRef op) override {
    const Nanoseconds now = recorder_.Now();
    recorder_.Record(op, {now, now});
  }

  void Arrive(OpRef recv, const Received& received) override {
    recorder_.RecordArrival(recv, recorder_.At(received.arrival), received.tensor.bytes);
  }

  void Read(OpRef op, const Weights& weights, std::int32_t slot) override {
    recorder_.RecordRead(op, weights.Holds(slot).value_or(Recorder::kNoRead));
  }

 private:
  Recorder& recorder_;
  Nanoseconds begin_{0};  ///< Of the op that runs.
};

}  // namespace

std::unique_ptr<OpClock> MakeHostClock(Recorder* recorder) {
  if (recorder == nullptr) {
    return std::make_unique<OpClock>();
  }
  return std::make_unique<HostClock>(*recorder);
}

}  // namespace stagecraft
