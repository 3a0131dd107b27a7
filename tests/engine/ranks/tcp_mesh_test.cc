#include "engine/ranks/tcp_mesh.h"

#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "engine/ranks/tcp.h"
#include "schedules/diagnostic.h"

namespace stagecraft {
namespace {

/// Connects `ranks` ranks in a line, each in a thread; what each got or why not.
struct Line {
  std::vector<Mesh> meshes;
  std::vector<std::string> failures;
};

template <typename Change>
Line ConnectLine(Store& store, std::int32_t ranks, const Change& change) {
  Line line;
  line.meshes.resize(static_cast<std::size_t>(ranks));
  line.failures.resize(static_cast<std::size_t>(ranks));
  std::vector<std::jthread> threads;
  for (std::int32_t rank = 0; rank < ranks; ++rank) {
    threads.emplace_back([&, rank] {
      MeshOptions options{.rank = rank, .ranks = ranks, .fingerprint = 7};
      for (std::int32_t low = 0; low + 1 < ranks; ++low) {
        options.pairs.insert({low, low + 1});
      }
      options.deadline = std::chrono::seconds(20);
      change(options);
      try {
        line.meshes[static_cast<std::size_t>(rank)] = ConnectMesh(store, options);
      } catch (const Error& error) {
        line.failures[static_cast<std::size_t>(rank)] = error.what();
      }
    });
  }
  threads.clear();
  return line;
}

TEST(ConnectMesh, ConnectsWhoTalksAndEverybodyWithRankZero) {
  MemoryStore store;
  const Line line = ConnectLine(store, 4, [](MeshOptions&) {});
  for (std::size_t rank = 0; rank < 4; ++rank) {
    EXPECT_EQ(line.failures[rank], "");
    EXPECT_EQ(line.meshes[rank].tensors.size(), rank == 0 || rank == 3 ? 1U : 2U);
    EXPECT_EQ(line.meshes[rank].controls.size(), rank == 0 ? 3U : 1U);
  }
  // The two ends are of one connection.
  const Deadline soon = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  const std::byte sent[1] = {std::byte{42}};
  std::byte received[1] = {};
  SendAll(line.meshes[1].tensors.at(2), sent, soon);
  ReceiveAll(line.meshes[2].tensors.at(1), received, soon);
  EXPECT_EQ(received[0], sent[0]);
}

TEST(ConnectMesh, ARankThatRunsAnotherJobIsRefused) {
  MemoryStore store;
  const Line line = ConnectLine(
      store, 2, [](MeshOptions& options) { options.fingerprint = options.rank == 1 ? 8 : 7; });
  EXPECT_EQ(line.failures[0], "rank 1 has another schedule, model, data or options");
  EXPECT_NE(line.failures[1].find(
                "refused the connection: it has another schedule, model, data or options"),
            std::string::npos)
      << line.failures[1];
}

TEST(ConnectMesh, StrangersAreRefusedAndDoNoHarm) {
  MemoryStore store;
  std::mutex mutex;
  std::vector<std::string> refused;
  std::jthread stranger([&] {
    const std::string address = store.Get("address.0", std::chrono::seconds(20));
    const int port = std::stoi(address.substr(address.find(' ') + 1));
    const Deadline soon = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    const Descriptor silent = ConnectTcp("127.0.0.1", port, soon);
    const Descriptor loud = ConnectTcp("127.0.0.1", port, soon);
    std::vector<std::byte> noise(72, std::byte{'x'});
    SendAll(loud, noise, soon);
    std::byte answer[1] = {};
    ReceiveAll(loud, answer, soon);
    EXPECT_EQ(answer[0], std::byte{'N'});
  });
  const Line line = ConnectLine(store, 2, [&](MeshOptions& options) {
    if (options.rank == 1) {
      stranger.join();  // They come first.
    }
    options.on_refused = [&](const std::string& what) {
      const std::lock_guard lock(mutex);
      refused.push_back(what);
    };
  });
  EXPECT_EQ(line.failures, (std::vector<std::string>{"", ""}));
  EXPECT_NE(std::find(refused.begin(), refused.end(),
                      "refused a connection that does not know the job's secret"),
            refused.end());
}

TEST(ConnectMesh, SaysWhoHasNotCome) {
  MemoryStore store;
  MeshOptions options{.rank = 0, .ranks = 3};
  options.pairs = {{0, 1}};
  options.deadline = std::chrono::milliseconds(50);
  try {
    ConnectMesh(store, options);
    FAIL() << "expected a failure";
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()),
              "rank 1 has not connected: the deadline passed while waiting to be connected to");
  }
}

}  // namespace
}  // namespace stagecraft
