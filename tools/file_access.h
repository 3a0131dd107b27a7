#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace stagecraft {

/// The whole file; `-` is standard input. Throws `CommandFailure` (usage) if it cannot be read or
/// has more than 1 GiB.
std::string ReadFile(const std::string& path);

/// Writes the whole file or nothing: to a temporary name beside it, synced, then renamed over it.
/// `-` is standard output; a device or pipe is written directly. Throws `CommandFailure`: usage if
/// the path cannot be used, failed if the writing does.
void WriteFile(const std::string& path, std::string_view bytes);

/// `name` if it names a file or contains a '/'; else the shipped profile of that name, looked for
/// in `share/stagecraft/profiles` and `traces/recorded` of the folders above the program. Throws
/// `CommandFailure` (usage) if there is none.
std::string FindProfile(const std::string& name);

/// What `FindProfile` finds by name, in order.
std::vector<std::string> ShippedProfileNames();

/// The shipped data of that name, looked for in `share/stagecraft/data` and `engine/data` likewise.
std::string FindData(const std::string& file);

}  // namespace stagecraft
