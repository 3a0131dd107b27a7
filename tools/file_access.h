#pragma once

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace stagecraft {

/// The whole file; `-` is standard input. Throws `CommandFailure` (usage) if it cannot be read or
/// has more than 1 GiB.
std::string ReadFile(const std::string& path);

/// Writes the whole file or nothing: to a temporary name beside it, synced, then renamed over it.
/// `-` and `/dev/stdout` are standard output; another open descriptor (`/dev/fd/3`), a device or a
/// pipe is written directly. Throws `CommandFailure`: usage if the path cannot be used or another
/// process is writing to it (`OutputClaim`), failed if the writing does.
void WriteFile(const std::string& path, std::string_view bytes);

/// Whether what is written to `path` goes somewhere else than into a file of its own: to a
/// descriptor that is open already, a device or a pipe.
bool IsSpecialFile(const std::string& path);

/// Closes a `std::FILE`.
struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
/// Is closed at the end of its scope; a fault of the last write is not reported then.
using OpenedFile = std::unique_ptr<std::FILE, CloseFile>;

/// Opens `path`, empty, to be written line by line, and locks it as long as it is open. Throws
/// `CommandFailure` (usage) if it cannot be written, or another process has it locked.
OpenedFile OpenForLines(const std::string& path);

/// `name` if it names a file or contains a '/'; else the shipped profile of that name, looked for
/// in `share/stagecraft/profiles` and `traces/recorded` of the folders above the program. Throws
/// `CommandFailure` (usage) if there is none.
std::string FindProfile(const std::string& name);

/// What `FindProfile` finds by name, in order.
std::vector<std::string> ShippedProfileNames();

/// The shipped data of that name, looked for in `share/stagecraft/data` and `engine/data` likewise.
std::string FindData(const std::string& file);

}  // namespace stagecraft
