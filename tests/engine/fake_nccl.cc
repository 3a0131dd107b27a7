#include "tests/engine/fake_nccl.h"

#include <cstring>
#include <new>
#include <stdexcept>
#include <sys/mman.h>

namespace stagecraft::test {
namespace {

constexpr std::int32_t kPolls = 3;

}  // namespace

FakeFabric::FakeFabric() {
  void* const memory =
      mmap(nullptr, sizeof(Memory), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    throw std::bad_alloc();
  }
  memory_ = new (memory) Memory;
}

FakeFabric::~FakeFabric() {
  munmap(memory_, sizeof(Memory));
}

std::vector<std::string> FakeNccl::Calls() const {
  const std::lock_guard lock(mutex_);
  return calls_;
}

Nccl::State FakeNccl::Call(const std::string& what, Member& member) {
  const std::string call = what + " " + std::to_string(member.number);
  faults_.before_call(call);
  const std::lock_guard lock(mutex_);
  if (member.polls > 0) {
    throw std::logic_error(call + " before the last call was done");
  }
  calls_.push_back(call);
  if (static_cast<std::int32_t>(calls_.size()) - 1 == faults_.fail_call) {
    return State::kFailed;
  }
  member.polls = kPolls;
  return State::kInProgress;
}

Nccl::Id FakeNccl::MakeId() {
  Id id{};
  const std::int32_t number = fabric_.Get().next++;
  std::memcpy(id.data(), &number, sizeof number);
  return id;
}

Nccl::State FakeNccl::Connect(Comm* comm, const Id& id, std::int32_t rank, std::int32_t ranks,
                              std::int32_t /*ctas*/) {
  auto member = std::make_shared<Member>();
  std::memcpy(&member->number, id.data(), sizeof member->number);
  member->rank = rank;
  member->ranks = ranks;
  member->connecting = true;
  members_.push_back(member);
  *comm = member.get();
  const State state = Call("connect", *member);
  ++Shared(*member).connected;
  return state;
}

Nccl::State FakeNccl::StateOf(Comm comm) {
  Member& member = *static_cast<Member*>(comm);
  if (member.connecting && Shared(member).connected < member.ranks) {
    return State::kInProgress;
  }
  member.connecting = false;
  const std::lock_guard lock(mutex_);
  if (member.polls > 0) {
    --member.polls;
    return State::kInProgress;
  }
  return State::kDone;
}

std::string FakeNccl::Fault(Comm /*comm*/) {
  return "it was told to fail";
}

Nccl::State FakeNccl::Send(Comm comm, const std::byte* data, std::size_t bytes, std::int32_t to,
                           Device::Stream stream) {
  auto& member = *static_cast<Member*>(comm);
  const State state = Call("send", member);
  if (to != 1 || member.rank != 0) {
    throw std::logic_error("an edge goes from its first member to its second");
  }
  if (state == State::kInProgress) {
    device_.Launch(stream,
                   [at = member.shared_from_this(), &slot = Shared(member).slots[0], data, bytes] {
                     std::memcpy(slot.bytes, data, bytes);
                     ++slot.put;
                     while (slot.taken < slot.put && !at->aborted) {
                       std::this_thread::yield();
                     }
                   });
  }
  return state;
}

Nccl::State FakeNccl::Receive(Comm comm, std::byte* data, std::size_t bytes, std::int32_t from,
                              Device::Stream stream) {
  auto& member = *static_cast<Member*>(comm);
  const State state = Call("receive", member);
  if (from != 0 || member.rank != 1) {
    throw std::logic_error("an edge goes from its first member to its second");
  }
  if (state == State::kInProgress) {
    device_.Launch(stream,
                   [at = member.shared_from_this(), &slot = Shared(member).slots[0], data, bytes] {
                     while (slot.put == slot.taken && !at->aborted) {
                       std::this_thread::yield();
                     }
                     if (!at->aborted) {
                       std::memcpy(data, slot.bytes, bytes);
                       ++slot.taken;
                     }
                   });
  }
  return state;
}

Nccl::State FakeNccl::AllGather(Comm comm, const std::byte* data, std::byte* gathered,
                                std::size_t bytes, Device::Stream stream) {
  auto& member = *static_cast<Member*>(comm);
  const State state = Call("gather " + std::to_string(bytes) + " of", member);
  if (state == State::kInProgress) {
    device_.Launch(
        stream, [at = member.shared_from_this(), &shared = Shared(member), data, gathered, bytes] {
          FakeFabric::Slot& mine = shared.slots[at->rank];
          std::memcpy(mine.bytes, data, bytes);
          const std::int64_t turn = ++mine.put;
          for (std::int32_t other = 0; other < at->ranks; ++other) {
            while (shared.slots[other].put < turn && !at->aborted) {
              std::this_thread::yield();
            }
            std::memcpy(gathered + static_cast<std::size_t>(other) * bytes,
                        shared.slots[other].bytes, bytes);
            ++shared.slots[other].taken;
          }
          while (mine.taken < turn * at->ranks && !at->aborted) {
            std::this_thread::yield();
          }
        });
  }
  return state;
}

Nccl::State FakeNccl::Finalize(Comm comm) {
  return Call("finalize", *static_cast<Member*>(comm));
}

void FakeNccl::Destroy(Comm comm) {
  Call("destroy", *static_cast<Member*>(comm));
}

void FakeNccl::Abort(Comm comm) {
  auto& member = *static_cast<Member*>(comm);
  {
    const std::lock_guard lock(mutex_);
    calls_.push_back("abort " + std::to_string(member.number));
  }
  faults_.in_abort();
  ++aborts_begun_;
  while ((faults_.abort_hangs && !aborts_released_) || aborts_begun_ < faults_.aborts_that_meet) {
    std::this_thread::yield();
  }
  device_.EndTheNoise();
  member.aborted = true;
}

}  // namespace stagecraft::test
