#include "tools/file_access.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string_view>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "schedules/closest.h"
#include "tools/command.h"
#include "tools/output_claim.h"
#include "tools/terminal.h"

namespace stagecraft {
namespace {

namespace fs = std::filesystem;

/// The most that is read of one file, so that a device or a pipe without an end stops somewhere.
constexpr std::size_t kMaxFileBytes = std::size_t{1} << 30;

/// What the system says of an errno.
std::string Reason(int error) {
  return std::generic_category().message(error);
}

/// Closes its descriptor at the end of its scope.
class OpenFile {
 public:
  explicit OpenFile(int descriptor) : descriptor_(descriptor) {}
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  ~OpenFile() {
    if (descriptor_ >= 0) {
      close(descriptor_);
    }
  }
  int Get() const { return descriptor_; }
  /// 0, or the errno of closing: the last chance to hear that the disk is full.
  int Close() {
    const int result = close(descriptor_);
    descriptor_ = -1;
    return result == 0 ? 0 : errno;
  }

 private:
  int descriptor_;
};

/// Reads to the end, wherever that is: the size of a pipe is not known beforehand. `path` is what
/// messages call it.
std::string ReadAll(int descriptor, const std::string& path) {
  constexpr std::size_t kChunk = std::size_t{1} << 16;
  std::string text;
  std::size_t used = 0;

  while (true) {
    // Growing by half keeps the bytes of a large file from being copied again for each chunk.
    if (text.size() - used < kChunk) {
      text.resize(text.size() + std::max(kChunk, text.size() / 2));
    }

    const ssize_t got = read(descriptor, text.data() + used, text.size() - used);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      throw CommandFailure(ExitCode::kUsage, path, "cannot be read: " + Reason(errno));
    }
    if (got == 0) {
      break;
    }

    used += static_cast<std::size_t>(got);
    if (used > kMaxFileBytes) {
      throw CommandFailure(ExitCode::kUsage, path, "is larger than 1 GiB, the most that is read");
    }
  }

  text.resize(used);
  return text;
}

/// Writes all of `bytes`, however few each call takes. Returns 0, or the errno that stopped it.
int WriteAll(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written < 0) {
      return errno;
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

/// The N of /dev/fd/N and its like, which name a descriptor of this process. Such a file must not
/// be opened anew: it would then have a second position to write at, and two writers would write
/// over each other.
std::optional<int> DescriptorOf(std::string_view path) {
  if (path == "/dev/stdout" || path == "/dev/stderr") {
    return path == "/dev/stdout" ? STDOUT_FILENO : STDERR_FILENO;
  }
  for (const std::string_view folder : {"/dev/fd/", "/proc/self/fd/"}) {
    int number = 0;
    if (path.starts_with(folder)) {
      const char* const end = path.data() + path.size();
      const auto [rest, error] = std::from_chars(path.data() + folder.size(), end, number);
      return error == std::errc() && rest == end ? std::optional(number) : std::nullopt;
    }
  }
  return std::nullopt;
}

/// The path cannot be opened for writing: bad usage.
[[noreturn]] void ThrowUnusable(const std::string& path, int error) {
  throw CommandFailure(ExitCode::kUsage, path, "cannot be written: " + Reason(error));
}

/// The path was opened, but writing went wrong: a failure while running.
[[noreturn]] void ThrowFailed(const std::string& path, int error) {
  throw CommandFailure(ExitCode::kFailed, path, "writing failed: " + Reason(error));
}

/// Writes to a device, a pipe or an open descriptor, where nothing can be renamed. That the reader
/// has gone (EPIPE) is no fault.
void WriteDirectly(const std::string& path, std::string_view bytes) {
  const std::optional<int> descriptor = DescriptorOf(path);
  OpenFile file(descriptor ? fcntl(*descriptor, F_DUPFD_CLOEXEC, 0)
                           : open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (file.Get() < 0) {
    ThrowUnusable(path, errno);
  }
  const int error = WriteAll(file.Get(), bytes);
  if (error != 0 && error != EPIPE) {
    ThrowFailed(path, error);
  }
}

/// Writes all of `target` or leaves it as it was; `path` is what messages call it.
void WriteThenRename(const std::string& path, const std::string& target, std::string_view bytes) {
  const std::string temporary = fmt::format("{}.{}.tmp", target, getpid());
  OpenFile file(open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (file.Get() < 0) {
    ThrowUnusable(path, errno);
  }

  // The bytes reach the disk before the name does, so that a crash leaves the old file or the new
  // one.
  int error = WriteAll(file.Get(), bytes);
  if (error == 0 && fsync(file.Get()) != 0) {
    error = errno;
  }

  // Closing may be the first to hear of a full disk; of several faults the first one counts.
  const int close_error = file.Close();
  error = error != 0 ? error : close_error;
  if (error == 0 && std::rename(temporary.c_str(), target.c_str()) != 0) {
    error = errno;
  }

  if (error != 0) {
    unlink(temporary.c_str());
    ThrowFailed(path, error);
  }
}

}  // namespace

std::string ReadFile(const std::string& path) {
  if (path == "-") {
    return ReadAll(STDIN_FILENO, "standard input");
  }
  const OpenFile file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.Get() < 0) {
    throw CommandFailure(ExitCode::kUsage, path, "cannot be opened: " + Reason(errno));
  }
  return ReadAll(file.Get(), path);
}

bool IsSpecialFile(const std::string& path) {
  if (DescriptorOf(path)) {
    return true;
  }
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  return !error && fs::exists(status) && !fs::is_regular_file(status) && !fs::is_directory(status);
}

OpenedFile OpenForLines(const std::string& path) {
  // An open descriptor is duplicated, so that closing the file leaves it open.
  const std::optional<int> descriptor = DescriptorOf(path);
  OpenedFile file;
  if (descriptor) {
    file.reset(fdopen(fcntl(*descriptor, F_DUPFD_CLOEXEC, 0), "w"));
  } else {
    // Opened to append, since it may be another's: it is emptied once it is locked.
    file.reset(std::fopen(path.c_str(), "ae"));
  }
  if (!file) {
    ThrowUnusable(path, errno);
  }

  if (!IsSpecialFile(path)) {
    // Beside the claim (`OutputClaim`), for writers that it cannot see: those that come by a hard
    // link, from another machine or from a container.
    if (flock(fileno(file.get()), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
      throw CommandFailure(ExitCode::kUsage, path,
                           "is being written by another run; expected another file, or to start "
                           "when that run is over");
    }
    if (ftruncate(fileno(file.get()), 0) != 0) {
      ThrowUnusable(path, errno);
    }
  }

  return file;
}

void WriteFile(const std::string& path, std::string_view bytes) {
  if (path == "-" || DescriptorOf(path) == STDOUT_FILENO) {
    PrintData(bytes);
    return;
  }

  std::error_code error;
  if (path.empty() || fs::is_directory(path, error)) {
    throw CommandFailure(ExitCode::kUsage, path,
                         "cannot be written: expected the name of a file, got a folder");
  }

  if (IsSpecialFile(path)) {
    WriteDirectly(path, bytes);
    return;
  }

  // Until the new file has its name, no other run may write to it.
  const OutputClaim claim(path);

  // A symbolic link stays, and the file it leads to is replaced.
  const bool is_link = fs::is_symlink(path, error);
  const fs::path target = is_link ? fs::weakly_canonical(path, error) : fs::path(path);
  WriteThenRename(path, target.string(), bytes);
}

namespace {

/// Those of `folders` that exist in a folder above the program, nearest first: in an installation,
/// or among the sources of a build.
std::vector<fs::path> ShippedFolders(const std::vector<const char*>& folders) {
  std::vector<fs::path> found;
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);

  // A build has its program in build/PRESET/tools, three folders below the sources.
  constexpr int kLevels = 5;
  fs::path above = program.parent_path();
  for (int level = 0; level < kLevels && !above.empty(); ++level) {
    for (const char* folder : folders) {
      if (fs::is_directory(above / folder, error)) {
        found.push_back(above / folder);
      }
    }
    above = above.parent_path();
  }
  return found;
}

/// As they are installed, and as they lie among the sources.
constexpr std::array<const char*, 2> kProfileFolders = {"share/stagecraft/profiles",
                                                        "traces/recorded"};

/// Names of the shipped profiles, and the path of each; of two with one name the nearer one.
std::map<std::string, std::string, std::less<>> FindShippedProfiles() {
  constexpr std::string_view kEnding = ".profile.json";
  std::map<std::string, std::string, std::less<>> profiles;
  std::error_code error;
  for (const fs::path& folder : ShippedFolders({kProfileFolders.begin(), kProfileFolders.end()})) {
    for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
      const std::string file = entry.path().filename().string();
      if (file.ends_with(kEnding)) {
        profiles.emplace(file.substr(0, file.size() - kEnding.size()), entry.path().string());
      }
    }
  }
  return profiles;
}

/// The same, looked for once: they do not change while the program runs.
const std::map<std::string, std::string, std::less<>>& ShippedProfiles() {
  static const auto profiles = FindShippedProfiles();
  return profiles;
}

/// What to expect in place of `name`: the shipped profiles, or where they would have to be.
std::string ProfileHint(const std::string& name) {
  const std::vector<std::string> shipped = ShippedProfileNames();
  if (shipped.empty()) {
    std::error_code error;
    return fmt::format(
        "none is shipped with this program: they belong into {} in a folder above {}; give the "
        "path "
        "of a *.profile.json file, or install the program with `cmake --install`",
        fmt::join(kProfileFolders, " or "), fs::read_symlink("/proc/self/exe", error).string());
  }
  const std::vector<std::string_view> names(shipped.begin(), shipped.end());
  return fmt::format("expected one of {}{}", fmt::join(names, ", "), DidYouMean(name, names));
}

}  // namespace

std::vector<std::string> ShippedProfileNames() {
  std::vector<std::string> names;
  for (const auto& [name, path] : ShippedProfiles()) {
    names.push_back(name);
  }
  return names;
}

std::string FindProfile(const std::string& name) {
  std::error_code error;
  if (name.find('/') != std::string::npos || name == "-" || fs::exists(name, error)) {
    return name;
  }
  const auto& profiles = ShippedProfiles();
  if (const auto found = profiles.find(name); found != profiles.end()) {
    return found->second;
  }
  throw CommandFailure(
      ExitCode::kUsage, "--profile",
      fmt::format("'{}' is neither a file nor a shipped profile; {}", name, ProfileHint(name)));
}

std::string FindData(const std::string& file) {
  std::error_code error;
  for (const fs::path& folder : ShippedFolders({"share/stagecraft/data", "engine/data"})) {
    if (fs::exists(folder / file, error)) {
      return (folder / file).string();
    }
  }
  throw CommandFailure(ExitCode::kUsage, file,
                       "is not there: expected it in share/stagecraft/data or engine/data above "
                       "the program; is the installation complete?");
}

}  // namespace stagecraft
