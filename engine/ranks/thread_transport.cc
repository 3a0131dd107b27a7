#include "engine/ranks/thread_transport.h"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <string>

#include <fmt/format.h>

#include "engine/failure.h"
#include "engine/ranks/brief_wait.h"

namespace stagecraft {

class ThreadHub::EndOfRank : public Transport {
 public:
  EndOfRank(ThreadHub& hub, std::int32_t rank) : hub_(hub), rank_(rank) {}

  void Send(std::int32_t to, const Tag& tag, Boundary tensor) override {
    Channel& channel = hub_.ChannelOf(rank_, to);
    {
      const std::lock_guard lock(channel.mutex);
      channel.parcels.push_back({tag, {std::move(tensor), std::chrono::steady_clock::now()}});
    }
    channel.arrived.notify_one();
  }

  // Senders never wait.
  void PostReceive(std::int32_t /*from*/, const Tag& /*tag*/, std::size_t /*bytes*/) override {}

  Received Receive(std::int32_t from, const Tag& tag) override {
    Channel& channel = hub_.ChannelOf(from, rank_);
    std::unique_lock lock(channel.mutex);
    // Tensors arrive in the order in which they were posted, but are not always used in it.
    auto found = channel.parcels.end();
    hub_.Wait(lock, channel.arrived, fmt::format("{} of rank {}", ToString(tag), from), [&] {
      found = std::find_if(channel.parcels.begin(), channel.parcels.end(),
                           [&](const Parcel& parcel) { return parcel.tag == tag; });
      return found != channel.parcels.end();
    });
    Received received = std::move(found->received);
    channel.parcels.erase(found);
    return received;
  }

  void AllReduce(std::span<const std::int32_t> members, std::int32_t stage,
                 std::span<double> values) override {
    std::unique_lock lock(hub_.meeting_mutex_);
    Meeting& meeting = hub_.meetings_[stage];
    const std::string what = fmt::format("the other replicas of stage {}", stage);
    const auto all = [&] { return members.size(); };

    // Those of the meeting before may still be on their way out.
    hub_.Wait(lock, hub_.meeting_changed_, what, [&] { return meeting.left == 0; });
    const auto mine = static_cast<std::size_t>(std::find(members.begin(), members.end(), rank_) -
                                               members.begin());
    meeting.given.resize(all());
    meeting.given[mine].assign(values.begin(), values.end());

    // The last one to come adds up for all.
    const std::int64_t turn = meeting.turn;
    if (++meeting.came == all()) {
      Finish(meeting);
    }
    hub_.Wait(lock, hub_.meeting_changed_, what, [&] { return meeting.turn != turn; });
    std::copy(meeting.sum.begin(), meeting.sum.end(), values.begin());

    if (--meeting.left == 0) {
      hub_.meeting_changed_.notify_all();
    }
  }

  void Check() override { hub_.Check(); }
  void Abort() noexcept override { hub_.Abort(); }

 private:
  void Finish(Meeting& meeting) {
    meeting.sum = meeting.given.front();
    for (std::size_t member = 1; member < meeting.given.size(); ++member) {
      std::transform(meeting.sum.begin(), meeting.sum.end(), meeting.given[member].begin(),
                     meeting.sum.begin(), std::plus<>());
    }
    meeting.left = meeting.came;
    meeting.came = 0;
    ++meeting.turn;
    hub_.meeting_changed_.notify_all();
  }

  ThreadHub& hub_;
  std::int32_t rank_;
};

ThreadHub::ThreadHub(std::int32_t ranks, std::chrono::nanoseconds deadline)
    : ranks_(ranks), deadline_(deadline), waits_briefly_(MayWaitBriefly(ranks)) {
  const auto count = static_cast<std::size_t>(ranks);
  channels_.resize(count * count);
  for (std::unique_ptr<Channel>& channel : channels_) {
    channel = std::make_unique<Channel>();
  }
}

std::unique_ptr<Transport> ThreadHub::End(std::int32_t rank) {
  return std::make_unique<EndOfRank>(*this, rank);
}

void ThreadHub::Abort() noexcept {
  aborted_ = true;
  for (const std::unique_ptr<Channel>& channel : channels_) {
    const std::lock_guard lock(channel->mutex);  // Whoever looked before it waits now.
    channel->arrived.notify_all();
  }
  const std::lock_guard lock(meeting_mutex_);
  meeting_changed_.notify_all();
}

template <typename Ready>
void ThreadHub::Wait(std::unique_lock<std::mutex>& lock, std::condition_variable& changed,
                     const std::string& what, const Ready& ready) {
  const auto is_over = [&] { return aborted_.load() || ready(); };
  const bool in_time =
      (waits_briefly_ && WaitBriefly(lock, is_over)) || changed.wait_for(lock, deadline_, is_over);
  Check();
  if (!in_time) {
    throw Error(fmt::format(
        "waited {} ms for {}; expected it within that deadline",
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline_).count(), what));
  }
}

}  // namespace stagecraft
