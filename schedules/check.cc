#include "schedules/check.h"

#include <cstdio>
#include <cstdlib>

namespace stagecraft {

void CheckFailed(const char* expression, const char* file, int line, std::string_view message) {
  std::fprintf(stderr, "%s:%d: check failed: %s: %.*s\n", file, line, expression,
               static_cast<int>(message.size()), message.data());
  std::abort();
}

}  // namespace stagecraft
