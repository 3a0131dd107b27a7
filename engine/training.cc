#include "engine/training.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <map>
#include <set>
#include <thread>
#include <utility>

#include "engine/device_queue.h"
#include "engine/evaluation_stage.h"
#include "engine/model/initial_weights.h"
#include "engine/ranks/brief_wait.h"
#include "schedules/check.h"
#include "schedules/schedule.h"

namespace stagecraft {
namespace {

/// What a rank holds of one stage beside its `StagePart`.
struct HeldStage {
  StageLayout layout;
  std::shared_ptr<std::byte> statistics;
  WeightStore* weights = nullptr;
  ModelStage* stage = nullptr;
  std::int64_t first_update = 0;  ///< Updates made before this run.
  bool told_of_not_finite = false;
  std::chrono::steady_clock::time_point told{};  ///< When `kUpdates` was reported last.
};

class TrainingRank : public RankWork {
 public:
  TrainingRank(const TrainingSetup& setup, std::int32_t rank) : setup_(setup), rank_(rank) {
    const std::int32_t ranks = Plan().schedule.shape.ranks;
    const auto [local_rank, local_ranks] = setup.local.value_or(std::pair(rank, ranks));
    device_ =
        setup.framework->PrepareThread({rank, ranks, local_rank, local_ranks, setup.own_processes});
    training_ = setup.task->training();
    if (setup.task->evaluation) {
      evaluation_ = setup.task->evaluation();
    }
    start_ = setup.start != nullptr ? PositionOf(*setup.start) : 0;
    for (const std::int32_t stage : Plan().schedule.placement[rank]) {
      Hold(stage);
    }
  }

  void Run(Seat& seat) override {
    seat_ = &seat;

    try {
      for (std::int32_t round = 0; round < setup_.plan->rounds; ++round) {
        if (round > 0) {
          Rewind();
        }
        RunRound(setup_.plan->PausesBehind(round));
      }
    } catch (const Aborted&) {
      if (!WasStopped()) {
        throw;
      }
      stopped_ = true;
      seat.transport.Abort();  // Else whoever waits for this rank would miss it.
    }
  }

  Device* GetDevice() override { return device_.get(); }

  std::string Result() override {
    if (device_) {
      // Else the copies of weights would wait for it without a deadline.
      WaitForDevice(*device_, seat_->deadline);
    }
    return stopped_ ? Part(FirstUnapplied(), false, false)
                    : Part(start_ + MicrobatchesOfRound(), true, true);
  }

 private:
  const ExecutionPlan& Plan() const { return setup_.plan->training; }
  const Program& ProgramOfRank() const { return Plan().schedule.programs[rank_]; }
  std::int64_t MicrobatchesOfRound() const { return Plan().schedule.shape.microbatches; }

  /// This rank's part of a snapshot whose training goes on with micro-batch `position`.
  std::string Part(std::int64_t position, bool drained, bool has_older) {
    Snapshot snapshot;
    for (auto& [stage, held] : held_) {
      SaveStage(MemoryOf(stage, held), snapshot);
      if (has_older) {
        for (const LiveWeights::Older older : Live(setup_.plan->end, stage).older) {
          SaveOlder(MemoryOf(stage, held), older, snapshot);
        }
      }
    }

    if (!snapshot.state) {
      snapshot.state.emplace();  // A rank without stages.
    }
    SetPosition(snapshot, position, drained);
    if (setup_.task->microbatches_per_epoch > 0) {
      SetEpoch(snapshot, setup_.task->microbatches_per_epoch);
    }

    const std::string weights = WriteSafetensors(snapshot.weights);
    const auto size = static_cast<std::uint64_t>(weights.size());
    return std::string(reinterpret_cast<const char*>(&size), sizeof size) + weights +
           WriteSafetensors(*snapshot.state);
  }

  void Hold(std::int32_t stage) {
    const TrainingTask& task = *setup_.task;
    HeldStage& held = held_[stage];
    const std::vector<TensorShape> shapes = StageInputs(task.model, task.sample);
    held.layout = LayoutOf(task.model, stage);

    // The buffers, in the device's memory if there is one.
    WeightMemory& memory = device_ ? device_->Weights() : HostMemory();
    auto weights = std::make_unique<WeightStore>(WeightStoreOptions{
        task.type, held.layout.elements, NeedsOf(Plan().schedule, Plan().slots, rank_, stage),
        task.optimizer, task.learning_rate, training_->SamplesOfFirst(), &memory});
    held.weights = weights.get();
    held.statistics =
        memory.Allocate(static_cast<std::size_t>(held.layout.buffer_elements * BytesOf(task.type)));

    // What they hold at first: initial values, over which a snapshot's go.
    const LiveWeights& live = Live(setup_.plan->begin, stage);
    STAGECRAFT_CHECK(live.older.empty() || setup_.start != nullptr,
                     "only a snapshot has older versions");
    weights->MoveNewestTo(live.newest);
    Fill(memory, weights->Slot(live.newest), held.layout.elements, [&](std::byte* values) {
      FillInitialWeights(task.model, stage, task.seed, task.type, values);
    });
    Fill(memory, held.statistics.get(), held.layout.buffer_elements,
         [&](std::byte* values) { FillInitialBuffers(held.layout, task.type, values); });
    if (setup_.start != nullptr) {
      LoadStage(*setup_.start, MemoryOf(stage, held));
      for (const LiveWeights::Older older : live.older) {
        LoadOlder(*setup_.start, MemoryOf(stage, held), older);
      }
    }

    held.first_update = weights->Updates();

    const auto index = static_cast<std::size_t>(stage);
    auto model_stage = setup_.framework->MakeStage(
        {.stage = stage,
         .stages = Plan().schedule.shape.stages,
         .layers = task.model.stages[index],
         .layout = held.layout,
         .first_layer = FirstLayerOf(task.model, stage),
         .input_sample = shapes[index],
         .output_sample = shapes[index + 1],
         .type = task.type,
         .loss = task.loss,
         .seed = task.seed,
         .weights = held.weights,
         .device = device_.get(),
         .statistics = held.statistics.get(),
         .training = training_.get(),
         .evaluation = evaluation_.get(),
         .on_result = [this](const MicrobatchResult& result) { Report(result); }});

    held.stage = model_stage.get();
    held.stage->StartAt(start_);
    parts_[stage] = {std::move(model_stage), std::move(weights)};
    evaluation_parts_[stage] = {std::make_unique<EvaluationStage>(held.stage, held.weights),
                                nullptr};
  }

  /// Lets `fill` write `elements` values in main memory, and puts them to `to`.
  template <typename FillValues>
  void Fill(WeightMemory& memory, std::byte* to, std::int64_t elements, const FillValues& fill) {
    std::vector<std::byte> values(static_cast<std::size_t>(elements * BytesOf(setup_.task->type)));
    fill(values.data());
    memory.CopyIn(to, values);
  }

  const LiveWeights& Live(const std::vector<LiveWeights>& all, std::int32_t stage) const {
    return *std::find_if(all.begin(), all.end(), [&](const LiveWeights& live) {
      return live.rank == rank_ && live.stage == stage;
    });
  }

  StageMemory MemoryOf(std::int32_t stage, HeldStage& held) const {
    return {stage, &held.layout, setup_.task->type, held.weights, held.statistics.get()};
  }

  /// The same program once more: its version 0 is the newest now.
  void Rewind() {
    start_ += MicrobatchesOfRound();
    for (auto& [stage, held] : held_) {
      held.weights->MoveNewestTo(Live(setup_.plan->begin, stage).newest);
      held.stage->StartAt(start_);
    }
  }

  /// That of the device if there is one, else the program's. `recorder` may be null.
  std::unique_ptr<OpClock> MakeClock(Recorder* recorder) const {
    if (!device_) {
      return MakeHostClock(recorder);
    }
    const std::int32_t here = setup_.local ? setup_.local->second : Plan().schedule.shape.ranks;
    const DeviceQueueOptions options{.deadline = seat_->deadline, .spins = MaySpin(here)};
    return std::make_unique<DeviceQueue>(*device_, seat_->transport, recorder, options);
  }

  void RunRound(bool pauses_behind) {
    const std::unique_ptr<OpClock> clock = MakeClock(seat_->recorder);
    Executor executor(Plan(), rank_, parts_, seat_->transport, *clock, seat_->position);
    ReportClock();

    for (const Drain& pause : setup_.plan->pauses) {
      // Op by op, so that a stop is noticed between two of them.
      const std::int32_t end = pause.end[rank_];
      while (executor.Next() < end) {
        if (setup_.stop != nullptr && setup_.stop->load()) {
          seat_->transport.Abort();  // Wakes up who waits; they see that it was meant.
          next_ = executor.Next();
          throw Aborted("stopped");
        }

        executor.RunUntil(executor.Next() + 1);
        next_ = executor.Next();
        TellOfStep(ProgramOfRank()[next_ - 1]);
      }
      ReportClock();  // While it is at work.

      // All has run then; results come before the updates they are of.
      executor.Drain();
      for (auto& [stage, held] : held_) {
        TellUpdates(stage, held);
      }
      if (pauses_behind || &pause != &setup_.plan->pauses.back()) {
        Pause(executor, start_ + pause.microbatches);
      }
    }
  }

  void Pause(Executor& executor, std::int64_t position) {
    ShareStatistics(executor);
    if (setup_.plan->tells_snapshots) {
      TrainingReport report{.kind = TrainingReport::Kind::kSnapshot, .pause = pauses_};
      report.updates.rank = rank_;
      seat_->report(std::string(BytesOf(report)) + Part(position, true, false));
    }
    if (setup_.plan->evaluation) {
      Evaluate();
    }
    ++pauses_;
  }

  /// Running statistics of a replicated stage: each replica has gathered its own, from its own
  /// micro-batches. All go on with those of the first, which are what a snapshot has.
  void ShareStatistics(Executor& executor) {
    for (auto& [stage, held] : held_) {
      const bool is_replicated = Plan().ranks_of_stage[stage].size() > 1;
      if (is_replicated && held.layout.buffer_elements > 0) {
        WeightMemory& memory = held.weights->Memory();
        const DeviceValues place{held.statistics.get(), held.layout.buffer_elements,
                                 setup_.task->type};
        std::vector<double> values = ReadNumbers(memory, place);
        executor.ShareFirst(stage, values);
        WriteNumbers(memory, place, values);
      }
    }
  }

  void Evaluate() {
    evaluating_ = true;
    const std::unique_ptr<OpClock> clock = MakeClock(nullptr);
    Executor executor(*setup_.plan->evaluation, rank_, evaluation_parts_, seat_->transport, *clock);
    executor.Run();
    executor.Drain();
    ReportAll();
    evaluating_ = false;
  }

  void ReportClock() {
    if (const auto clock = device_ ? device_->Clock() : std::nullopt) {
      const TrainingReport report{
          .kind = TrainingReport::Kind::kClock, .pause = pauses_, .result = {}, .clock = *clock};
      seat_->report(BytesOf(report));
    }
  }

  void TellOfStep(const Op& op) {
    constexpr std::chrono::milliseconds kSeldom(100);
    if (op.kind != OpKind::kStep || (device_ && !setup_.plan->tells_updates)) {
      return;
    }
    HeldStage& held = held_.at(op.stage);
    const bool is_news = !held.told_of_not_finite && FirstNotFinite(held);
    if (is_news || std::chrono::steady_clock::now() - held.told >= kSeldom) {
      TellUpdates(op.stage, held);
    }
  }

  std::optional<std::int64_t> FirstNotFinite(const HeldStage& held) {
    if (device_) {
      WaitForDevice(*device_, seat_->deadline);
    }
    return held.weights->FirstNotFinite();
  }

  void TellUpdates(std::int32_t stage, HeldStage& held) {
    const std::optional<std::int64_t> not_finite = FirstNotFinite(held);
    held.stage->ReportAll();
    held.told_of_not_finite = not_finite.has_value();
    held.told = std::chrono::steady_clock::now();
    TrainingReport report{.kind = TrainingReport::Kind::kUpdates, .pause = pauses_};
    report.updates = {rank_, stage, held.weights->Updates() - held.first_update,
                      not_finite ? *not_finite - held.first_update : -1};
    seat_->report(BytesOf(report));
  }

  void ReportAll() {
    for (auto& [stage, held] : held_) {
      held.stage->ReportAll();
    }
  }

  void Report(const MicrobatchResult& result) {
    const TrainingReport report{
        evaluating_ ? TrainingReport::Kind::kEvaluation : TrainingReport::Kind::kTraining, pauses_,
        result};
    seat_->report(BytesOf(report));
  }

  /// Whoever is told that the job is over may hear of the stop only a moment later.
  bool WasStopped() const {
    if (setup_.stop == nullptr) {
      return false;
    }
    for (int i = 0; i < 100 && !setup_.stop->load(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return setup_.stop->load();
  }

  /// The first micro-batch of the data whose gradient some stage of this rank has not applied.
  std::int64_t FirstUnapplied() const {
    std::set<std::pair<std::int32_t, std::int32_t>> missing;  // Micro-batch, stage.
    std::set<std::pair<std::int32_t, std::int32_t>> added;

    // A step applies what its stage has added up by then.
    for (std::int32_t i = 0; i < ProgramOfRank().Count(); ++i) {
      const Op& op = ProgramOfRank()[i];
      if (TraitsOf(op.kind).accumulates) {
        missing.insert({op.microbatch, op.stage});
        if (i < next_) {
          added.insert({op.microbatch, op.stage});
        }
      } else if (op.kind == OpKind::kStep && i < next_) {
        std::erase_if(added, [&](const auto& work) {
          return work.second == op.stage && missing.erase(work) > 0;
        });
      }
    }

    return start_ + (missing.empty() ? MicrobatchesOfRound() : missing.begin()->first);
  }

  TrainingSetup setup_;
  std::int32_t rank_;
  std::unique_ptr<Device> device_;  ///< Outlives what it holds; null in main memory.
  std::unique_ptr<BatchSource> training_, evaluation_;
  std::map<std::int32_t, HeldStage> held_;  ///< By stage; stays where it is.
  std::map<std::int32_t, StagePart> parts_, evaluation_parts_;
  Seat* seat_ = nullptr;
  std::int64_t start_ = 0;   ///< The data's number of the schedule's micro-batch 0.
  std::int32_t next_ = 0;    ///< Op that comes next.
  std::int32_t pauses_ = 0;  ///< So far.
  bool evaluating_ = false;
  bool stopped_ = false;
};

}  // namespace

MakeWork TrainingWork(const TrainingSetup& setup) {
  return [setup](std::int32_t rank) { return std::make_unique<TrainingRank>(setup, rank); };
}

Snapshot ReadTrainingResult(const std::vector<std::string>& results) {
  std::vector<Snapshot> parts;
  for (const std::string& result : results) {
    std::uint64_t size = 0;
    std::memcpy(&size, result.data(), sizeof size);
    const std::string_view bytes = std::string_view(result).substr(sizeof size);
    parts.push_back({OrThrow(ReadSafetensors(bytes.substr(0, size), "result")),
                     OrThrow(ReadSafetensors(bytes.substr(size), "result"))});
  }
  return Join(std::move(parts));
}

}  // namespace stagecraft
