#include "engine/ranks/nccl_transport.h"

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <set>
#include <thread>
#include <unistd.h>

#include <fmt/format.h>

#include "engine/ranks/brief_wait.h"
#include "engine/ranks/peers.h"
#include "schedules/check.h"

namespace stagecraft {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kWarmUpBytes = 8;

/// What goes over the sockets between the ops, which have no such numbers.
Tag IdTag(std::size_t link) {
  return {OpKind::kSendForward, static_cast<std::int32_t>(link), -1};
}
constexpr Tag kGoodBye{OpKind::kSendForward, 0, -2};

/// Ends the process if it lives too long.
class HardExit {
 public:
  HardExit(std::chrono::nanoseconds deadline, std::function<void()> exit)
      : thread_([this, deadline, exit = std::move(exit)] {
          std::unique_lock lock(mutex_);
          if (!changed_.wait_for(lock, deadline, [&] { return is_over_; })) {
            exit();
          }
        }) {}
  ~HardExit() {
    {
      const std::lock_guard lock(mutex_);
      is_over_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  HardExit(const HardExit&) = delete;
  HardExit& operator=(const HardExit&) = delete;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_over_ = false;
  std::thread thread_;
};

void ExitWith3(const std::string& why) {
  std::fprintf(stderr, "stagecraft: %s\n", why.c_str());
  constexpr int kFailed = 3;
  _exit(kFailed);
}

}  // namespace

NcclTransport::NcclTransport(std::int32_t rank, const ExecutionPlan& plan, const NcclParts& parts,
                             NcclOptions options)
    : rank_(rank),
      sockets_(parts.sockets),
      device_(parts.device),
      nccl_(parts.nccl),
      options_(std::move(options)) {
  if (!options_.exit_at_once) {
    options_.exit_at_once = ExitWith3;
  }
  FindLinks(plan);

  // All ranks connect the links in the same order, or they would wait for each other for ever.
  try {
    for (const std::unique_ptr<Link>& link : links_) {
      if (std::find(link->members.begin(), link->members.end(), rank_) != link->members.end()) {
        Connect(*link);
        WarmUp(*link);
      }
    }
  } catch (...) {
    sockets_.Abort();
    AbortAll();
    throw;
  }
}

NcclTransport::~NcclTransport() {
  if (!finished_) {
    AbortAll();
  }
}

void NcclTransport::FindLinks(const ExecutionPlan& plan) {
  for (const auto& [from, to] : DirectedPairs(plan)) {
    links_.push_back(std::make_unique<Link>(Link{fmt::format("{}>{}", from, to), {from, to}}));
    links_.back()->is_edge = true;
    edges_[{from, to}] = links_.back().get();
  }
  for (std::size_t stage = 0; stage < plan.ranks_of_stage.size(); ++stage) {
    if (plan.ranks_of_stage[stage].size() > 1) {
      links_.push_back(
          std::make_unique<Link>(Link{fmt::format("stage {}", stage), plan.ranks_of_stage[stage]}));
      stages_[static_cast<std::int32_t>(stage)] = links_.back().get();
    }
  }

  // Along the chain the last rank would wait for all others, a second or so for each.
  std::vector<std::vector<std::int32_t>> groups;
  for (const std::unique_ptr<Link>& link : links_) {
    groups.push_back(link->members);
  }
  const std::vector<std::int32_t> rounds = MeetingRounds(groups);

  std::vector<std::pair<std::int32_t, std::unique_ptr<Link>>> ordered;
  for (std::size_t i = 0; i < links_.size(); ++i) {
    ordered.emplace_back(rounds[i], std::move(links_[i]));
  }
  std::stable_sort(ordered.begin(), ordered.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::transform(ordered.begin(), ordered.end(), links_.begin(),
                 [](auto& each) { return std::move(each.second); });
}

std::int32_t NcclTransport::MemberOf(const Link& link) const {
  return static_cast<std::int32_t>(std::find(link.members.begin(), link.members.end(), rank_) -
                                   link.members.begin());
}

void NcclTransport::Connect(Link& link) {
  const std::int32_t member = MemberOf(link);
  const auto number =
      static_cast<std::size_t>(std::find_if(links_.begin(), links_.end(),
                                            [&](const auto& each) { return each.get() == &link; }) -
                               links_.begin());

  // The first member makes the identity of the communicator, and the sockets carry it to the
  // others.
  Nccl::Id id{};
  if (member == 0) {
    id = nccl_.MakeId();
    for (std::size_t other = 1; other < link.members.size(); ++other) {
      Boundary message = MakeBoundary(id.size());
      std::memcpy(message.data, id.data(), id.size());
      sockets_.Send(link.members[other], IdTag(number), std::move(message));
    }
  } else {
    const Boundary message = sockets_.Receive(link.members.front(), IdTag(number)).tensor;
    if (message.bytes != id.size()) {
      throw Error(fmt::format("rank {} sent {} bytes to join {}; expected {}", link.members.front(),
                              message.bytes, link.name, id.size()));
    }
    std::memcpy(id.data(), message.data, id.size());
  }

  link.stream = device_.MakeStream();
  Settle(link, nccl_.Connect(&link.comm, id, member, static_cast<std::int32_t>(link.members.size()),
                             options_.ctas));
}

void NcclTransport::WarmUp(Link& link) {
  // Kept in the link: if waiting fails, the transfer goes on in this memory until NCCL is aborted.
  const std::size_t most = link.is_edge ? kWarmUpBytes : options_.piece_bytes;
  link.room = device_.Allocate(most * (link.members.size() + 1), link.stream);
  const Boundary& room = link.room;

  if (!link.is_edge) {
    // NCCL connects each of its algorithms at the first use, and the size of a piece decides which.
    for (const std::size_t bytes : {kWarmUpBytes, most}) {
      Settle(link, nccl_.AllGather(link.comm, room.data, room.data + most, bytes, link.stream));
    }
  } else if (MemberOf(link) == 0) {
    Settle(link, nccl_.Send(link.comm, room.data, kWarmUpBytes, 1, link.stream));
  } else {
    Settle(link, nccl_.Receive(link.comm, room.data, kWarmUpBytes, 0, link.stream));
  }

  const Event done = device_.Record(link.stream);
  WaitUntil([&] { return device_.IsDone(*done); },
            [&] { return fmt::format("the first transfer of {}", link.name); });
  link.room = {};
}

void NcclTransport::Settle(const Link& link, Nccl::State state) {
  if (state == Nccl::State::kInProgress) {
    const auto is_over = [&] {
      state = nccl_.StateOf(link.comm);
      return state != Nccl::State::kInProgress;
    };
    WaitUntil(is_over, [&] { return fmt::format("NCCL on {}", link.name); });
  }
  if (state == Nccl::State::kFailed) {
    throw Error(fmt::format("NCCL on {}: {}", link.name, nccl_.Fault(link.comm)));
  }
}

template <typename IsOver, typename What>
void NcclTransport::WaitUntil(const IsOver& is_over, const What& what) {
  const PollPause pause(options_.spins);
  while (!is_over()) {
    CheckPeers();
    if (pause.Waited() > options_.deadline) {
      throw Error(fmt::format(
          "waited {} ms for {}; expected it within that deadline",
          std::chrono::duration_cast<std::chrono::milliseconds>(options_.deadline).count(),
          what()));
    }
    pause.Wait();
  }
}

void NcclTransport::Send(std::int32_t to, const Tag& tag, Boundary tensor) {
  LetGoOfSent();
  const Link& link = LinkOf(rank_, to);
  STAGECRAFT_CHECK(tensor.ready != nullptr, "what a device sends is in its memory");
  device_.Wait(link.stream, *tensor.ready);
  Settle(link, nccl_.Send(link.comm, tensor.data, tensor.bytes, 1, link.stream));
  sent_.push_back({to, tag, std::move(tensor), device_.Record(link.stream)});
}

void NcclTransport::LetGoOfSent() {
  const auto is_done = [&](const Parcel& parcel) { return device_.IsDone(*parcel.done); };
  std::erase_if(sent_, is_done);
}

void NcclTransport::PostReceive(std::int32_t from, const Tag& tag, std::size_t bytes) {
  if (bytes == 0) {
    throw Error(fmt::format("nobody knows how large {} of rank {} is; expected its stage to",
                            ToString(tag), from));
  }
  const Link& link = LinkOf(from, rank_);
  Boundary tensor = device_.Allocate(bytes, link.stream);
  Settle(link, nccl_.Receive(link.comm, tensor.data, bytes, 0, link.stream));
  tensor.ready = device_.Record(link.stream);
  posted_.push_back({from, tag, tensor, tensor.ready});
}

Received NcclTransport::Receive(std::int32_t from, const Tag& tag) {
  const auto found = std::find_if(posted_.begin(), posted_.end(), [&](const Parcel& parcel) {
    return parcel.peer == from && parcel.tag == tag;
  });
  if (found == posted_.end()) {
    throw Error(fmt::format("{} of rank {} was not posted; expected its RECV before its use",
                            ToString(tag), from));
  }
  Received received{std::move(found->tensor), Clock::now()};
  posted_.erase(found);
  return received;
}

void NcclTransport::AllReduce(std::span<const std::int32_t> members, std::int32_t stage,
                              std::span<double> values) {
  sockets_.AllReduce(members, stage, values);
}

bool NcclTransport::AllReduceOnDevice(std::span<const std::int32_t> members, std::int32_t stage,
                                      const DeviceValues& values) {
  Link& link = *stages_.at(stage);
  const auto count = static_cast<std::int32_t>(members.size());
  const std::int64_t size = BytesOf(values.type);
  const std::int64_t most = std::max<std::int64_t>(
      static_cast<std::int64_t>(options_.piece_bytes) / size, 1);  // Elements of a piece.
  if (!link.room.owner) {
    link.room = device_.Allocate(
        static_cast<std::size_t>(std::min(most, values.elements) * size * count), link.stream);
  }

  device_.Wait(link.stream, *device_.Record(device_.ComputeStream()));
  for (std::int64_t begin = 0; begin < values.elements; begin += most) {
    const std::int64_t elements = std::min(most, values.elements - begin);
    std::byte* const piece = values.data + begin * size;
    Settle(link, nccl_.AllGather(link.comm, piece, link.room.data,
                                 static_cast<std::size_t>(elements * size), link.stream));
    device_.SumInOrder({link.room.data, elements, values.type}, count, piece, link.stream);
  }
  device_.Wait(device_.ComputeStream(), *device_.Record(link.stream));
  return true;
}

void NcclTransport::CheckPeers() {
  if (finishing_) {
    sockets_.Check();
  } else {
    sockets_.CheckPeers();
  }
}

void NcclTransport::Check() {
  CheckPeers();
  for (const std::unique_ptr<Link>& link : links_) {
    if (link->comm != nullptr && nccl_.StateOf(link->comm) == Nccl::State::kFailed) {
      throw Error(fmt::format("NCCL on {}: {}", link->name, nccl_.Fault(link->comm)));
    }
  }
}

void NcclTransport::Finish() {
  try {
    sockets_.Check();
    Close();
  } catch (const Aborted&) {  // Some ranks were asked to stop: what there is here can be saved.
    AbortAll();
  }
  finished_ = true;
}

void NcclTransport::Close() {
  STAGECRAFT_CHECK(posted_.empty(), "a rank uses all that it receives");
  WaitUntil(
      [&] {
        LetGoOfSent();
        return sent_.empty();
      },
      [] { return "what was sent to arrive"; });

  // A good-bye from each peer says that it needs no more either.
  const std::vector<std::int32_t> peers = sockets_.Peers();
  for (const std::int32_t peer : peers) {
    sockets_.Send(peer, kGoodBye, {});
  }
  for (const std::int32_t peer : peers) {
    sockets_.Receive(peer, kGoodBye);
  }

  // From here on the others may be gone at any time.
  finishing_ = true;
  for (const std::unique_ptr<Link>& link : links_) {
    if (link->comm != nullptr) {
      Settle(*link, nccl_.Finalize(link->comm));
      nccl_.Destroy(std::exchange(link->comm, nullptr));
    }
  }
}

void NcclTransport::Abort() noexcept {
  sockets_.Abort();
}

void NcclTransport::AbortAll() {
  const HardExit timer(options_.abort_deadline, [this] {
    options_.exit_at_once(fmt::format(
        "rank {}: NCCL has not ended within {} ms after the job failed; the process ends now",
        rank_,
        std::chrono::duration_cast<std::chrono::milliseconds>(options_.abort_deadline).count()));
  });

  std::vector<Nccl::Comm> comms;
  for (const std::unique_ptr<Link>& link : links_) {
    if (link->comm != nullptr) {
      comms.push_back(std::exchange(link->comm, nullptr));
    }
  }

  std::vector<std::jthread> threads;
  threads.reserve(comms.size());
  for (const Nccl::Comm comm : comms) {
    threads.emplace_back([this, comm] { nccl_.Abort(comm); });
  }
}

}  // namespace stagecraft
