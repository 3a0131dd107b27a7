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
  /// The longest that one wait may take.
  std::chrono::nanoseconds deadline = std::chrono::minutes(1);
  std::int32_t ctas = 2;  ///< Blocks of the device that one communicator takes.
  /// An all-reduce goes in pieces of so many bytes, so that it needs little room.
  std::size_t piece_bytes = std::size_t{4} << 20;
  bool spins = false;  ///< Whether waits never sleep: this rank has a core to itself.
  /// How long tearing down after a failure may take before the process ends at once.
  std::chrono::nanoseconds abort_deadline = std::chrono::seconds(10);
  /// Ends the process with exit code 3, having said why.
  std::function<void(const std::string& why)> exit_at_once{};
};

/// What a transport over NCCL works with. All of it must outlive the transport.
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
  /// Connects this rank; all ranks of `plan` do so together. Throws what waits throw.
  NcclTransport(std::int32_t rank, const ExecutionPlan& plan, const NcclParts& parts,
                NcclOptions options);
  /// Tears down the communicators, unless `Finish` has.
  ~NcclTransport() override;
  NcclTransport(const NcclTransport&) = delete;
  NcclTransport& operator=(const NcclTransport&) = delete;

  void Send(std::int32_t to, const Tag& tag, Boundary tensor) override;
  void PostReceive(std::int32_t from, const Tag& tag, std::size_t bytes) override;
  /// Does not wait for the tensor: whoever uses it waits for its event.
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
    Boundary room{};  ///< Memory for the first transfer, and then for all-reduces.
  };
  /// A tensor on its way, in either direction.
  struct Parcel {
    std::int32_t peer = 0;
    Tag tag;
    Boundary tensor;
    Event done;
  };

  void FindLinks(const ExecutionPlan& plan);
  void Connect(Link& link);
  /// Uses the link once as a transfer will, since NCCL connects at the first use.
  void WarmUp(Link& link);
  Link& LinkOf(std::int32_t from, std::int32_t to) { return *edges_.at({from, to}); }
  std::int32_t MemberOf(const Link& link) const;
  /// Waits until NCCL has taken the last call. Throws if the call failed, or the job has.
  void Settle(const Link& link, Nccl::State state);
  /// Waits until `is_over()`, and looks after everything that may go wrong meanwhile. `what()` says
  /// what it waits for; it is called only if that does not come.
  template <typename IsOver, typename What>
  void WaitUntil(const IsOver& is_over, const What& what);
  void CheckPeers();
  void LetGoOfSent();
  /// Exchanges good-byes, and then finishes all communicators in the order of connecting.
  void Close();
  void AbortAll();

  std::int32_t rank_;
  SocketTransport& sockets_;
  Device& device_;
  Nccl& nccl_;
  NcclOptions options_;
  std::vector<std::unique_ptr<Link>> links_;  ///< In the order in which all ranks connect them.
  /// Links of transfers, by sender and receiver.
  std::map<std::pair<std::int32_t, std::int32_t>, Link*> edges_;
  std::map<std::int32_t, Link*> stages_;  ///< Links of replicated stages.
  std::deque<Parcel> sent_;               ///< Tensors whose transfer may still be running.
  std::deque<Parcel> posted_;             ///< Tensors that nobody has asked for.
  bool finishing_ = false;
  bool finished_ = false;
};

}  // namespace stagecraft
