#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/executor.h"
#include "engine/ranks/nccl.h"
#include "engine/ranks/socket_transport.h"

namespace stagecraft {

struct NcclOptions {
  std::chrono::nanoseconds deadline = std::chrono::minutes(1);  ///< Of one wait.
  std::int32_t ctas = 2;  ///< Of a communicator: blocks that a transfer takes from computing.
  /// An all-reduce goes in pieces of so many bytes, so that it needs little room.
  std::size_t piece_bytes = std::size_t{4} << 20;
  bool spins = false;  ///< Whether waits never sleep: this rank has a core to itself.
  /// How long tearing down after a failure may take before the process ends at once.
  std::chrono::nanoseconds abort_deadline = std::chrono::seconds(10);
  /// Ends the process, exit code 3, having said why.
  std::function<void(const std::string& why)> exit_at_once{};
};

/// What a transport over NCCL works with; all must live on.
struct NcclParts {
  SocketTransport& sockets;
  Device& device;
  Nccl& nccl;
};

/// One rank's end over NCCL: tensors go from device to device. Sockets connect the same ranks, and
/// carry what NCCL cannot: who joins which communicator, that somebody has failed or is gone, the
/// good-byes.
///
///   rank 0 ==[0>1]==> rank 1 ==[1>2]==> rank 2     One communicator of two ranks, one stream and
///   rank 0 <==[1>0]== rank 1 <==[2>1]== rank 2     one FIFO for each pair of ranks and direction;
///          ---- sockets ----                       one communicator for each replicated stage.
///
/// All are connected and used once before the first op, in an order that is the same on all ranks.
/// A receive is posted when the program says so, into memory of its own, and whoever uses it waits
/// on the device, not here; what is sent is held until it has gone.
///
///   connecting --> ready --Finish--> finished        all waits look at the sockets, at NCCL's own
///       '-----------'---- a failure ----> aborted     state and at the clock
///
/// NCCL does not notice when a rank of the same machine dies: its socket tells. After a failure all
/// communicators are aborted, each on a thread of its own, since one may wait for another; if that
/// takes too long the process ends. None is revoked first (ncclCommRevoke): that only begins, and
/// an abort beside it frees what it still uses.
class NcclTransport : public Transport {
 public:
  /// Connects; all ranks of `plan` do so together. Throws as waits do.
  NcclTransport(std::int32_t rank, const ExecutionPlan& plan, const NcclParts& parts,
                NcclOptions options);
  /// Tears all down, if `Finish` has not.
  ~NcclTransport() override;
  NcclTransport(const NcclTransport&) = delete;
  NcclTransport& operator=(const NcclTransport&) = delete;

  void Send(std::int32_t to, const Tag& tag, Boundary tensor) override;
  void PostReceive(std::int32_t from, const Tag& tag, std::size_t bytes) override;
  /// Does not wait for the tensor: its event does.
  Received Receive(std::int32_t from, const Tag& tag) override;
  /// Numbers in main memory go over the sockets.
  void AllReduce(std::span<const std::int32_t> members, std::int32_t stage,
                 std::span<double> values) override;
  bool AllReduceOnDevice(std::span<const std::int32_t> members, std::int32_t stage,
                         const DeviceValues& values) override;
  void Check() override;
  void Finish() override;
  /// Tells the others; this rank's communicators are aborted when the transport goes, by the thread
  /// that uses them.
  void Abort() noexcept override;

 private:
  using Event = std::shared_ptr<DeviceEvent>;

  /// A communicator of this rank.
  struct Link {
    std::string name;                   ///< `0>1`, or `stage 2`.
    std::vector<std::int32_t> members;  ///< The sender and the receiver, or all replicas.
    Nccl::Comm comm = nullptr;
    Device::Stream stream = nullptr;
    bool is_edge = false;
    Boundary room{};  ///< For the first transfer, then for all-reduces.
  };
  /// What is on its way, in either direction.
  struct Parcel {
    std::int32_t peer = 0;
    Tag tag;
    Boundary tensor;
    Event done;
  };

  void FindLinks(const ExecutionPlan& plan);
  void Connect(Link& link);
  /// Uses it once as a transfer will: NCCL connects at the first use.
  void WarmUp(Link& link);
  Link& LinkOf(std::int32_t from, std::int32_t to) { return *edges_.at({from, to}); }
  std::int32_t MemberOf(const Link& link) const;
  /// Until the last call has been taken: throws if it failed, or the job does.
  void Settle(const Link& link, Nccl::State state);
  /// Until `is_over()`; looks after everything that may go wrong meanwhile. `what()` is the text of
  /// what it waits for, asked for only if it does not come.
  template <typename IsOver, typename What>
  void WaitUntil(const IsOver& is_over, const What& what);
  void CheckPeers();
  void LetGoOfSent();
  /// Good-byes, then all communicators in the order of connecting.
  void Close();
  void AbortAll();

  std::int32_t rank_;
  SocketTransport& sockets_;
  Device& device_;
  Nccl& nccl_;
  NcclOptions options_;
  std::vector<std::unique_ptr<Link>> links_;  ///< In the order in which all ranks connect them.
  std::map<std::pair<std::int32_t, std::int32_t>, Link*> edges_;  ///< By sender and receiver.
  std::map<std::int32_t, Link*> stages_;                          ///< Replicated ones.
  std::deque<Parcel> sent_;    ///< Tensors whose transfer may still be running.
  std::deque<Parcel> posted_;  ///< Tensors that nobody has asked for.
  bool finishing_ = false;
  bool finished_ = false;
};

}  // namespace stagecraft
