#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <poll.h>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "engine/ranks/descriptor.h"
#include "engine/ranks/frame.h"
#include "engine/transport.h"

namespace stagecraft {

/// One rank's end over connected stream sockets, one per peer. A thread of its own moves bytes in
/// both directions, so that neither a sender nor a receiver waits for the other's compute. The
/// rank's thread moves what it can itself, which saves waking up that one.
///
///   rank's thread   Send --> queue of a peer --.                  .--> inbox of a peer --> Receive
///   either                                     '--> socket ... ---'
///
/// A peer whose socket ends, or that sends what is no frame, is lost: whoever waits for it then
/// gets an `Error` that names it.
class SocketTransport : public Transport {
 public:
  /// `waits_briefly`: see brief_wait.h.
  SocketTransport(std::int32_t rank, std::map<std::int32_t, Descriptor> sockets,
                  std::chrono::nanoseconds deadline, bool waits_briefly = false);
  /// Sends what is still queued, for at most the deadline.
  ~SocketTransport() override;
  SocketTransport(const SocketTransport&) = delete;
  SocketTransport& operator=(const SocketTransport&) = delete;

  void Send(std::int32_t to, const Tag& tag, Boundary tensor) override;
  // Nothing is done for a post: the thread reads ahead.
  void PostReceive(std::int32_t /*from*/, const Tag& /*tag*/, std::size_t /*bytes*/) override {}
  Received Receive(std::int32_t from, const Tag& tag) override;
  void AllReduce(std::span<const std::int32_t> members, std::int32_t stage,
                 std::span<double> values) override;
  /// Does not throw for a lost peer: only a wait for that peer does. See `CheckPeers`.
  void Check() override;
  void Abort() noexcept override;

  /// Throws `PeerLost` if nothing more comes from some peer, `Aborted` if the job has been ended.
  void CheckPeers();
  std::vector<std::int32_t> Peers() const;

 private:
  struct Parcel {
    Tag tag;
    Received received;
  };
  /// A frame on its way out, and how much of header and tensor has gone.
  struct Outgoing {
    FrameHeader header;
    Boundary tensor;
    std::size_t sent = 0;
  };
  struct Peer {
    Descriptor socket;
    std::deque<Outgoing> queue;
    std::deque<Parcel> inbox;
    std::string lost;  ///< Why nothing more will come; empty as long as something may.
    FrameHeader header{};
    std::size_t header_got = 0;
    Parcel incoming;
    std::size_t tensor_got = 0;
    bool in_tensor = false;
  };

  void MoveBytes();
  /// Lists what to poll: the wake-up pipe, then the sockets of `order`. False when all is over.
  bool ListSockets(std::vector<pollfd>& polled, std::vector<Peer*>& order);
  void Enqueue(Peer& peer, const Frame& frame, Boundary tensor);
  void WakeUp() noexcept;
  void Lose(Peer& peer, const std::string& why);
  void Write(Peer& peer);
  void Read(Peer& peer);
  void HandleHeader(Peer& peer);
  void FinishTensor(Peer& peer);
  bool AnythingQueued() const;

  std::int32_t rank_;
  std::chrono::nanoseconds deadline_;
  bool waits_briefly_;
  mutable std::mutex mutex_;  ///< Guards everything below.
  std::condition_variable changed_;
  std::map<std::int32_t, Peer> peers_;
  bool aborted_ = false;
  bool closing_ = false;
  std::map<std::int32_t, std::int32_t> turns_;  ///< How many all-reduces each stage has had.
  Descriptor wake_read_, wake_write_;
  std::thread mover_;
};

}  // namespace stagecraft
