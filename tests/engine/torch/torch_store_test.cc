#include "engine/torch/torch_store.h"

#include <thread>

#include <gtest/gtest.h>

#include "engine/ranks/tcp.h"
#include "schedules/diagnostic.h"

namespace stagecraft {
namespace {

TEST(TcpStore, WhatOneSetsTheOtherGets) {
  int port = 0;
  { port = TcpListener("127.0.0.1").Port(); }
  const std::unique_ptr<Store> server =
      ConnectTcpStore({.host = "127.0.0.1", .port = port, .serves = true});
  std::thread other([&] {
    const std::unique_ptr<Store> client = ConnectTcpStore({.host = "127.0.0.1", .port = port});
    client->Set("key", std::string("a\0b", 3));
  });
  EXPECT_EQ(server->Get("key", std::chrono::seconds(20)), std::string("a\0b", 3));
  other.join();
}

TEST(TcpStore, APortThatIsTakenIsNamed) {
  const TcpListener listener("127.0.0.1");
  try {
    ConnectTcpStore({.host = "127.0.0.1", .port = listener.Port(), .serves = true});
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("cannot listen on 127.0.0.1 port "),
              std::string::npos);
  }
}

}  // namespace
}  // namespace stagecraft
