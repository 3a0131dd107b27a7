#include "engine/ranks/socket_transport.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fcntl.h>
#include <sys/socket.h>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "engine/failure.h"
#include "engine/ranks/brief_wait.h"

namespace stagecraft {
namespace {

void SetNonBlocking(int descriptor) {
  fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK);
}

std::string Reason(int error) {
  return std::generic_category().message(error);
}

Boundary Pack(std::span<const double> values) {
  Boundary tensor = MakeBoundary(values.size_bytes());
  std::memcpy(tensor.data, values.data(), values.size_bytes());
  return tensor;
}

}  // namespace

SocketTransport::SocketTransport(std::int32_t rank, std::map<std::int32_t, Descriptor> sockets,
                                 std::chrono::nanoseconds deadline, bool waits_briefly)
    : rank_(rank), deadline_(deadline), waits_briefly_(waits_briefly) {
  for (auto& entry : sockets) {
    SetNonBlocking(entry.second.Get());
    peers_[entry.first].socket = std::move(entry.second);
  }
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
    throw Error("no pipe: " + Reason(errno));
  }
  wake_read_ = Descriptor(ends[0]);
  wake_write_ = Descriptor(ends[1]);
  mover_ = std::thread([this] { MoveBytes(); });
}

SocketTransport::~SocketTransport() {
  {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, deadline_, [&] { return !AnythingQueued(); });
    closing_ = true;
  }
  WakeUp();
  mover_.join();
}

void SocketTransport::Send(std::int32_t to, const Tag& tag, Boundary tensor) {
  {
    const std::lock_guard lock(mutex_);
    Peer& peer = peers_.at(to);
    const Frame frame{Frame::Type::kTensor, tag, tensor.bytes};
    Enqueue(peer, frame, std::move(tensor));
    if (peer.socket) {
      Write(peer);
    }
    if (peer.queue.empty()) {
      return;
    }
  }
  WakeUp();  // The rest is for the mover.
}

Received SocketTransport::Receive(std::int32_t from, const Tag& tag) {
  std::unique_lock lock(mutex_);
  Peer& peer = peers_.at(from);
  auto found = peer.inbox.end();
  const auto is_over = [&] {
    found = std::find_if(peer.inbox.begin(), peer.inbox.end(),
                         [&](const Parcel& parcel) { return parcel.tag == tag; });
    return aborted_ || found != peer.inbox.end() || !peer.lost.empty();
  };

  // While it waits, this thread moves bytes itself, which is quicker than waking the one beside it.
  const auto move_and_see = [&] {
    for (auto& [rank, other] : peers_) {
      if (other.socket && !other.queue.empty()) {
        Write(other);
      }
    }
    if (peer.socket) {
      Read(peer);
    }
    return is_over();
  };

  const bool in_time = is_over() || (waits_briefly_ && WaitBriefly(lock, move_and_see)) ||
                       changed_.wait_for(lock, deadline_, is_over);
  if (aborted_) {
    throw Aborted("another rank ended the job");
  }

  if (found == peer.inbox.end() && in_time) {
    throw PeerLost(fmt::format("waited for {}, but rank {} {}", ToString(tag), from, peer.lost));
  }
  if (found == peer.inbox.end()) {
    const auto waited = std::chrono::duration_cast<std::chrono::milliseconds>(deadline_);
    throw Error(fmt::format("waited {} ms for {} of rank {}; expected it within that deadline",
                            waited.count(), ToString(tag), from));
  }

  Received received = std::move(found->received);
  peer.inbox.erase(found);
  return received;
}

void SocketTransport::AllReduce(std::span<const std::int32_t> members, std::int32_t stage,
                                std::span<double> values) {
  const Tag tag{OpKind::kAllReduce, stage, turns_[stage]++};
  const auto take = [&](std::int32_t from) {
    Boundary tensor = Receive(from, tag).tensor;
    if (tensor.bytes != values.size_bytes()) {
      throw Error(fmt::format("rank {} gave {} bytes to {}; expected {}", from, tensor.bytes,
                              ToString(tag), values.size_bytes()));
    }
    return tensor;
  };

  // The first member adds up in the order of the ranks, and gives all of them the sum.
  const std::int32_t leader = members.front();
  if (rank_ != leader) {
    Send(leader, tag, Pack(values));
    std::memcpy(values.data(), take(leader).data, values.size_bytes());
    return;
  }

  for (const std::int32_t member : members.subspan(1)) {
    const Boundary tensor = take(member);
    for (std::size_t i = 0; i < values.size(); ++i) {
      double value = 0;
      std::memcpy(&value, tensor.data + i * sizeof value, sizeof value);
      values[i] += value;
    }
  }

  for (const std::int32_t member : members.subspan(1)) {
    Send(member, tag, Pack(values));
  }
}

void SocketTransport::Check() {
  const std::lock_guard lock(mutex_);
  if (aborted_) {
    throw Aborted("another rank ended the job");
  }
}

void SocketTransport::CheckPeers() {
  const std::lock_guard lock(mutex_);
  if (aborted_) {
    throw Aborted("another rank ended the job");
  }
  for (const auto& [rank, peer] : peers_) {
    if (!peer.lost.empty()) {
      throw PeerLost(fmt::format("rank {} {}", rank, peer.lost));
    }
  }
}

std::vector<std::int32_t> SocketTransport::Peers() const {
  std::vector<std::int32_t> peers;
  const std::lock_guard lock(mutex_);
  for (const auto& entry : peers_) {
    peers.push_back(entry.first);
  }
  return peers;
}

void SocketTransport::Abort() noexcept {
  {
    const std::lock_guard lock(mutex_);
    for (auto& [rank, peer] : peers_) {
      Enqueue(peer, {Frame::Type::kAbort, {}, 0}, {});
    }
    aborted_ = true;
    changed_.notify_all();
  }
  WakeUp();
}

void SocketTransport::Enqueue(Peer& peer, const Frame& frame, Boundary tensor) {
  if (peer.lost.empty()) {
    peer.queue.push_back({Encode(frame), std::move(tensor)});
  }
}

void SocketTransport::WakeUp() noexcept {
  const char byte = 0;
  // If the pipe is full the thread has been woken up already.
  [[maybe_unused]] const ssize_t written = write(wake_write_.Get(), &byte, 1);
}

bool SocketTransport::AnythingQueued() const {
  return std::any_of(peers_.begin(), peers_.end(),
                     [](const auto& entry) { return !entry.second.queue.empty(); });
}

void SocketTransport::Lose(Peer& peer, const std::string& why) {
  peer.lost = why;
  peer.queue.clear();
  peer.socket.Close();
  changed_.notify_all();
}

void SocketTransport::MoveBytes() {
  std::vector<pollfd> polled;
  std::vector<Peer*> order;
  while (ListSockets(polled, order)) {
    poll(polled.data(), polled.size(), -1);
    char bytes[64];
    while (read(wake_read_.Get(), bytes, sizeof bytes) > 0) {
    }

    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < order.size(); ++i) {
      const short events = polled[i + 1].revents;
      if ((events & POLLOUT) != 0) {
        Write(*order[i]);
      }
      if ((events & (POLLIN | POLLHUP | POLLERR)) != 0 && order[i]->socket) {
        Read(*order[i]);
      }
    }
  }
}

bool SocketTransport::ListSockets(std::vector<pollfd>& polled, std::vector<Peer*>& order) {
  polled.assign(1, {wake_read_.Get(), POLLIN, 0});
  order.clear();
  const std::lock_guard lock(mutex_);
  for (auto& [rank, peer] : peers_) {
    if (peer.socket) {
      const int writing = peer.queue.empty() ? 0 : POLLOUT;
      polled.push_back({peer.socket.Get(), static_cast<short>(POLLIN | writing), 0});
      order.push_back(&peer);
    }
  }
  return !closing_;
}

void SocketTransport::Write(Peer& peer) {
  while (!peer.queue.empty()) {
    Outgoing& frame = peer.queue.front();
    const bool in_header = frame.sent < kFrameBytes;
    const std::byte* const data = in_header ? frame.header.data() + frame.sent
                                            : frame.tensor.data + (frame.sent - kFrameBytes);
    const std::size_t size =
        in_header ? kFrameBytes - frame.sent : kFrameBytes + frame.tensor.bytes - frame.sent;

    const ssize_t sent = size > 0 ? send(peer.socket.Get(), data, size, MSG_NOSIGNAL) : 0;
    if (sent < 0) {
      if (errno != EAGAIN && errno != EINTR) {
        const std::string why = "is gone: " + Reason(errno);
        Read(peer);  // Its last words may be why it left.
        if (peer.socket) {
          Lose(peer, why);
        }
      }
      return;
    }

    frame.sent += static_cast<std::size_t>(sent);
    if (frame.sent == kFrameBytes + frame.tensor.bytes) {
      peer.queue.pop_front();
      changed_.notify_all();
    }
  }
}

void SocketTransport::Read(Peer& peer) {
  while (peer.socket) {
    std::byte* const data = peer.in_tensor ? peer.incoming.received.tensor.data + peer.tensor_got
                                           : peer.header.data() + peer.header_got;
    const std::size_t size = peer.in_tensor ? peer.incoming.received.tensor.bytes - peer.tensor_got
                                            : kFrameBytes - peer.header_got;

    const ssize_t got = recv(peer.socket.Get(), data, size, 0);
    if (got <= 0) {
      if (got == 0) {
        Lose(peer, "has ended");
      } else if (errno != EAGAIN && errno != EINTR) {
        Lose(peer, "is gone: " + Reason(errno));
      }
      return;
    }

    std::size_t& count = peer.in_tensor ? peer.tensor_got : peer.header_got;
    count += static_cast<std::size_t>(got);
    if (peer.in_tensor && peer.tensor_got == peer.incoming.received.tensor.bytes) {
      FinishTensor(peer);
    } else if (!peer.in_tensor && peer.header_got == kFrameBytes) {
      HandleHeader(peer);
    }
  }
}

void SocketTransport::HandleHeader(Peer& peer) {
  peer.header_got = 0;
  const std::optional<Frame> frame = Decode(peer.header);
  if (!frame) {
    Lose(peer, "sent something that is no frame");
    return;
  }

  if (frame->type == Frame::Type::kAbort) {
    aborted_ = true;
    changed_.notify_all();
    return;
  }

  peer.incoming = {frame->tag, {MakeBoundary(frame->bytes), {}}};
  peer.tensor_got = 0;
  peer.in_tensor = true;
  if (frame->bytes == 0) {
    FinishTensor(peer);
  }
}

void SocketTransport::FinishTensor(Peer& peer) {
  peer.in_tensor = false;
  peer.incoming.received.arrival = std::chrono::steady_clock::now();
  peer.inbox.push_back(std::move(peer.incoming));
  changed_.notify_all();
}

}  // namespace stagecraft
