#include "tools/output_claim.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <system_error>
#include <unistd.h>

#include <fmt/format.h>

#include "engine/hash.h"
#include "tools/command.h"
#include "tools/file_access.h"

namespace stagecraft {
namespace {

namespace fs = std::filesystem;

/// Device and inode of the folder, and the name of the file: equal for all paths to one file. Empty
/// if there is nothing to claim, or no such folder.
std::string KeyOf(const std::string& path) {
  if (path.empty() || path == "-" || IsSpecialFile(path)) {
    return {};
  }
  std::error_code error;
  const fs::path target =
      fs::is_symlink(path, error) ? fs::weakly_canonical(path, error) : fs::path(path);
  const fs::path folder = target.has_parent_path() ? target.parent_path() : ".";
  struct stat status {};
  if (stat(folder.c_str(), &status) != 0) {
    return {};
  }
  return fmt::format("{}:{}:{}", status.st_dev, status.st_ino, target.filename().string());
}

/// The address of a Unix domain socket, and how many of its bytes count.
struct Address {
  sockaddr_un name{};
  socklen_t size = 0;
};

/// An address in Linux's abstract namespace, whose names begin with a zero byte: no file system has
/// it, and it lasts as long as the socket.
Address AddressOf(const std::string& key) {
  const std::string text = fmt::format("stagecraft-output-{:016x}", HashOf(key));
  Address address;
  address.name.sun_family = AF_UNIX;
  std::copy(text.begin(), text.end(), address.name.sun_path + 1);
  address.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + text.size());
  return address;
}

Descriptor NewSocket() {
  return Descriptor(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

/// The process that holds the claim; 0 if that cannot be found out, for example because it has
/// ended.
pid_t HolderOf(const Address& address) {
  const Descriptor socket = NewSocket();
  ucred holder{};
  socklen_t size = sizeof holder;
  if (connect(socket.Get(), reinterpret_cast<const sockaddr*>(&address.name), address.size) != 0 ||
      getsockopt(socket.Get(), SOL_SOCKET, SO_PEERCRED, &holder, &size) != 0) {
    return 0;
  }
  return holder.pid;
}

}  // namespace

OutputClaim::OutputClaim(const std::string& path) : key_(KeyOf(path)) {
  if (key_.empty()) {
    return;
  }

  socket_ = NewSocket();
  const Address address = AddressOf(key_);
  if (bind(socket_.Get(), reinterpret_cast<const sockaddr*>(&address.name), address.size) == 0) {
    constexpr int kBacklog = 16;
    listen(socket_.Get(), kBacklog);  // So that other processes can ask who holds it.
    return;
  }

  // A system that has no such sockets goes without claims.
  if (errno != EADDRINUSE) {
    return;
  }

  // A second claim by this process is fine; `OutputClaims` looks after its own files.
  const pid_t holder = HolderOf(address);
  if (holder != getpid()) {
    throw CommandFailure(
        ExitCode::kUsage, path,
        fmt::format("is being written by another run{}; expected another file, or to start when "
                    "that run is over",
                    holder > 0 ? fmt::format(" (process {})", holder) : ""));
  }
}

void OutputClaims::Add(const std::string& flag, const std::string& path) {
  if (path.empty()) {
    return;
  }

  OutputClaim claim(path);

  // A process may claim a file twice, but two flags would write over each other.
  const auto same = std::find_if(claims_.begin(), claims_.end(), [&](const auto& other) {
    return !claim.Key().empty() && other.second.Key() == claim.Key();
  });

  if (same != claims_.end()) {
    throw CommandFailure(ExitCode::kUsage, path,
                         fmt::format("is the file of {} as well as of {}; expected one for each",
                                     same->first, flag));
  }
  claims_.emplace_back(flag, std::move(claim));
}

}  // namespace stagecraft
