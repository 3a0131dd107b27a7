#pragma once

#include <string_view>

namespace stagecraft {

/// Prints the failed expression, its place and `message` to stderr and aborts.
[[noreturn]] void CheckFailed(const char* expression, const char* file, int line,
                              std::string_view message);

}  // namespace stagecraft

/// A bug in our own code, never bad input: always on, also in release builds.
#define STAGECRAFT_CHECK(condition, message)                                \
  do {                                                                      \
    if (!(condition)) {                                                     \
      ::stagecraft::CheckFailed(#condition, __FILE__, __LINE__, (message)); \
    }                                                                       \
  } while (false)
