#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "engine/ranks/descriptor.h"

namespace stagecraft {

// TCP connections. All functions throw an `Error` that says what was tried, also when a deadline
// passes.

using Deadline = std::chrono::steady_clock::time_point;

/// A socket that listens on one address of this machine. For port 0 the system chooses a port.
Descriptor ListenOn(const std::string& host, int port);

/// Waits for connections on a port that the system chooses.
class TcpListener {
 public:
  /// `host` is a name or number of this machine.
  explicit TcpListener(const std::string& host);

  int Port() const { return port_; }
  Descriptor Accept(Deadline deadline) const;

 private:
  Descriptor socket_;
  int port_ = 0;
};

Descriptor ConnectTcp(const std::string& host, int port, Deadline deadline);

/// The number of this machine's address from which it reaches `host`: where others can reach it.
std::string AddressTowards(const std::string& host, int port);

void SendAll(const Descriptor& socket, std::span<const std::byte> bytes, Deadline deadline);
/// Receives until `bytes` is full.
void ReceiveAll(const Descriptor& socket, std::span<std::byte> bytes, Deadline deadline);

}  // namespace stagecraft
