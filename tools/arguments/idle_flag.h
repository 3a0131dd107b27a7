#pragma once

#include <string>

namespace stagecraft {

/// A flag, and why it changes nothing; the reason is empty if it does change something.
struct IdleFlag {
  std::string flag;
  std::string reason;
};

}  // namespace stagecraft
