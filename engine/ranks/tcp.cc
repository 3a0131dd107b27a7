#include "engine/ranks/tcp.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <fcntl.h>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <system_error>
#include <thread>

#include <fmt/format.h>

#include "schedules/diagnostic.h"

namespace stagecraft {
namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void Fail(const std::string& what, int error) {
  throw Error(what + ": " + std::generic_category().message(error));
}

struct FreeAddresses {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};

std::unique_ptr<addrinfo, FreeAddresses> Resolve(const std::string& host, int port, int flags) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  addrinfo* list = nullptr;
  const int error = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
  if (error != 0) {
    throw Error(fmt::format("'{}' is not the name of a machine: {}", host, gai_strerror(error)));
  }
  return std::unique_ptr<addrinfo, FreeAddresses>(list);
}

/// Waits until the socket is ready for `events`. Throws when the deadline passes.
void Await(const Descriptor& socket, short events, Deadline deadline, const char* what) {
  while (true) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    pollfd polled{socket.Get(), events, 0};
    const int ready = poll(&polled, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));

    if (ready > 0) {
      return;
    }
    if (ready == 0) {
      throw Error(std::string("the deadline passed while waiting to ") + what);
    }
    if (errno != EINTR) {
      Fail(std::string("cannot wait to ") + what, errno);
    }
  }
}

void SendAtOnce(const Descriptor& socket) {
  const int on = 1;  // Small tensors must not wait for the answer to the one before.
  setsockopt(socket.Get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/// Connected, or why not.
int TryConnect(const addrinfo& address, Deadline deadline, Descriptor& connected) {
  Descriptor candidate(socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!candidate) {
    return errno;
  }

  // A socket that does not block may connect later: then it says whether that went well.
  if (connect(candidate.Get(), address.ai_addr, address.ai_addrlen) != 0) {
    if (errno != EINPROGRESS) {
      return errno;
    }

    Await(candidate, POLLOUT, deadline, "connect");
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(candidate.Get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
      return error;
    }
  }

  fcntl(candidate.Get(), F_SETFL, fcntl(candidate.Get(), F_GETFL) & ~O_NONBLOCK);
  SendAtOnce(candidate);
  connected = std::move(candidate);
  return 0;
}

}  // namespace

Descriptor ListenOn(const std::string& host, int port) {
  const auto addresses = Resolve(host, port, AI_PASSIVE);
  Descriptor listener(socket(addresses->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;  // Else the port of a job that has just ended could not be used again.
  constexpr int kWaiting = 128;
  if (!listener || setsockopt(listener.Get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      bind(listener.Get(), addresses->ai_addr, addresses->ai_addrlen) != 0 ||
      listen(listener.Get(), kWaiting) != 0) {
    Fail(fmt::format("cannot listen on {} port {}", host, port), errno);
  }
  return listener;
}

TcpListener::TcpListener(const std::string& host) : socket_(ListenOn(host, 0)) {
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  getsockname(socket_.Get(), reinterpret_cast<sockaddr*>(&bound), &size);
  port_ = ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(bound).sin6_port
                                            : reinterpret_cast<const sockaddr_in&>(bound).sin_port);
}

Descriptor TcpListener::Accept(Deadline deadline) const {
  Await(socket_, POLLIN, deadline, "be connected to");
  Descriptor accepted(accept4(socket_.Get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!accepted) {
    Fail("cannot take a connection", errno);
  }
  SendAtOnce(accepted);
  return accepted;
}

Descriptor ConnectTcp(const std::string& host, int port, Deadline deadline) {
  const auto addresses = Resolve(host, port, 0);
  int error = 0;
  while (true) {  // Whoever is to listen may not do so yet.
    for (const addrinfo* address = addresses.get(); address != nullptr;
         address = address->ai_next) {
      Descriptor connected;
      error = TryConnect(*address, deadline, connected);
      if (error == 0) {
        return connected;
      }
    }

    if (Clock::now() >= deadline) {
      Fail(fmt::format("cannot connect to {} port {}", host, port), error);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

std::string AddressTowards(const std::string& host, int port) {
  const auto addresses = Resolve(host, port, 0);
  const Descriptor probe(socket(addresses->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_storage own{};
  socklen_t size = sizeof own;
  if (!probe || connect(probe.Get(), addresses->ai_addr, addresses->ai_addrlen) != 0 ||
      getsockname(probe.Get(), reinterpret_cast<sockaddr*>(&own), &size) != 0) {
    Fail(fmt::format("there is no way to {}", host), errno);
  }
  char number[NI_MAXHOST];
  getnameinfo(reinterpret_cast<const sockaddr*>(&own), size, number, sizeof number, nullptr, 0,
              NI_NUMERICHOST);
  return number;
}

void SendAll(const Descriptor& socket, std::span<const std::byte> bytes, Deadline deadline) {
  while (!bytes.empty()) {
    Await(socket, POLLOUT, deadline, "send");
    const ssize_t sent = send(socket.Get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EINTR) {
      Fail("cannot send", errno);
    }
    bytes = bytes.subspan(static_cast<std::size_t>(std::max<ssize_t>(sent, 0)));
  }
}

void ReceiveAll(const Descriptor& socket, std::span<std::byte> bytes, Deadline deadline) {
  while (!bytes.empty()) {
    Await(socket, POLLIN, deadline, "receive");
    const ssize_t got = recv(socket.Get(), bytes.data(), bytes.size(), 0);
    if (got == 0) {
      throw Error("the other end closed the connection");
    }
    if (got < 0 && errno != EINTR) {
      Fail("cannot receive", errno);
    }
    bytes = bytes.subspan(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  }
}

}  // namespace stagecraft
