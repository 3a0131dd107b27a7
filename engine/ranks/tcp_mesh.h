#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "engine/ranks/descriptor.h"
#include "engine/ranks/store.h"

namespace stagecraft {

struct MeshOptions {
  std::int32_t rank = 0;
  std::int32_t ranks = 1;
  std::set<std::pair<std::int32_t, std::int32_t>> pairs{};  ///< That talk, the lower rank first.
  std::uint64_t fingerprint = 0;  ///< Of the job: all ranks must run the same.
  std::string host =
      "127.0.0.1";       ///< Of this machine: what to listen on, and where others connect.
  std::string prefix{};  ///< Of the keys in the store; another one for each start.
  std::chrono::milliseconds deadline{60'000};
  /// Told of connections that were refused, which does no harm: strangers.
  std::function<void(const std::string&)> on_refused = [](const std::string&) {};
};

/// Connections of one rank.
struct Mesh {
  std::map<std::int32_t, Descriptor> tensors;   ///< By rank that it talks to.
  std::map<std::int32_t, Descriptor> controls;  ///< Of rank 0: to all others; of those: to rank 0.
};

/// Connects a rank with all that it talks to, and with rank 0. Each rank says in the store where it
/// listens; rank 0 leaves a secret there, which whoever connects must know, so that nobody who
/// merely finds the port takes part. What is read of a stranger is a greeting of fixed size.
///
///   rank 2 --> rank 0: "stagecraft", the secret, the job's fingerprint, 2, 0, what for
///   rank 0 --> rank 2: Y, or why not
///
/// Throws `Error` when the deadline passes, or a rank runs another job.
Mesh ConnectMesh(Store& store, const MeshOptions& options);

}  // namespace stagecraft
