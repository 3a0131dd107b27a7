#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/ranks/descriptor.h"

namespace stagecraft {

/// The right to write one file, of one process of this machine at a time. It is the name of a
/// socket that nothing listens to, made of the file's folder and name: no file on the disk says it,
/// and it goes with the process, however that ends. Standard output, devices and pipes need none.
class OutputClaim {
 public:
  /// Throws `CommandFailure` (usage) if another process has it. A second claim of this process is
  /// fine, and so is a system that has no such sockets.
  explicit OutputClaim(const std::string& path);

  /// Equal for two paths to one file; empty for what needs no claim.
  const std::string& Key() const { return key_; }

 private:
  std::string key_;  ///< See `Key`.
  /// Has the claim's name, if this object holds the claim.
  Descriptor socket_;
};

/// Those of one command.
class OutputClaims {
 public:
  /// Throws `CommandFailure` (usage) if another process writes to `path`, or another flag of this
  /// command names the same file. Does nothing for an empty path.
  void Add(const std::string& flag, const std::string& path);

 private:
  /// The claims, each with the flag that named its file.
  std::vector<std::pair<std::string, OutputClaim>> claims_;
};

}  // namespace stagecraft
