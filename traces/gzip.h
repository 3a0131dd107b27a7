#pragma once

#include <string>
#include <string_view>

namespace stagecraft {

/// gzip of `text`, the same bytes every time: no time stamp, file name or system in the header.
/// Throws `Error` if zlib fails, which it only does for lack of memory.
std::string Gzip(std::string_view text);

}  // namespace stagecraft
