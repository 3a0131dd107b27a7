#include "engine/ranks/tcp.h"

#include <array>
#include <thread>

#include <gtest/gtest.h>

#include "schedules/diagnostic.h"

namespace stagecraft {
namespace {

Deadline In(std::chrono::milliseconds time) {
  return std::chrono::steady_clock::now() + time;
}

TEST(Tcp, BytesArriveInBothDirections) {
  const TcpListener listener("127.0.0.1");
  std::thread other([&] {
    const Descriptor socket = ConnectTcp("localhost", listener.Port(), In(std::chrono::minutes(1)));
    std::array<std::byte, 3> bytes{};
    ReceiveAll(socket, bytes, In(std::chrono::minutes(1)));
    SendAll(socket, bytes, In(std::chrono::minutes(1)));
  });
  const Descriptor socket = listener.Accept(In(std::chrono::minutes(1)));
  const std::array<std::byte, 3> sent{std::byte{1}, std::byte{2}, std::byte{3}};
  SendAll(socket, sent, In(std::chrono::minutes(1)));
  std::array<std::byte, 3> bytes{};
  ReceiveAll(socket, bytes, In(std::chrono::minutes(1)));
  EXPECT_EQ(bytes, sent);
  other.join();
}

std::string FailureOf(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "none";
}

TEST(Tcp, WhatCannotBeDoneIsSaid) {
  const TcpListener listener("127.0.0.1");
  EXPECT_EQ(FailureOf([&] { listener.Accept(In(std::chrono::milliseconds(1))); }),
            "the deadline passed while waiting to be connected to");
  int free_port = 0;
  { free_port = TcpListener("127.0.0.1").Port(); }
  EXPECT_NE(FailureOf([&] {
              ConnectTcp("127.0.0.1", free_port, In(std::chrono::milliseconds(50)));
            }).find("cannot connect to 127.0.0.1 port "),
            std::string::npos);
  EXPECT_EQ(FailureOf([] {
              TcpListener("no such machine");
            }).rfind("'no such machine' is not the name of a machine: ", 0),
            0U);
}

TEST(Tcp, AnEndOfTheConnectionIsSaid) {
  const TcpListener listener("127.0.0.1");
  { const Descriptor gone = ConnectTcp("127.0.0.1", listener.Port(), In(std::chrono::minutes(1))); }
  const Descriptor socket = listener.Accept(In(std::chrono::minutes(1)));
  std::array<std::byte, 1> bytes{};
  EXPECT_EQ(FailureOf([&] { ReceiveAll(socket, bytes, In(std::chrono::minutes(1))); }),
            "the other end closed the connection");
}

TEST(Tcp, TheAddressTowardsThisMachineIsItsOwn) {
  EXPECT_EQ(AddressTowards("127.0.0.1", 80), "127.0.0.1");
}

}  // namespace
}  // namespace stagecraft
