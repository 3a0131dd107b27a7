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
  std::set<std::pair<std::int32_t, std::int32_t>>
      pairs{};                     ///< Pairs that talk, the lower rank first.
  std::uint64_t fingerprint = 0;   ///< Of the job, which must be the same on all ranks.
  std::string host = "127.0.0.1";  ///< Of this machine: listened on, and told to others.
  std::string prefix{};            ///< Of the keys in the store; differs with each start.
  std::chrono::milliseconds deadline{60'000};
  /// Called when a stranger's connection was refused, which does no harm.
  std::function<void(const std::string&)> on_refused = [](const std::string&) {};
};

/// The connections of one rank.
struct Mesh {
  std::map<std::int32_t, Descriptor> tensors;  ///< By the rank at the other end.
  std::map<std::int32_t, Descriptor>
      controls;  ///< By rank: rank 0 has all others, they have rank 0.
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
