#pragma once

#include <string>

namespace stagecraft {

/// A flag, and why it changes nothing; the reason is empty if it does change something.
struct IdleFlag {
  std::string flag;  ///< As on the command line, such as `--step`.
  std::string reason;
};

}  // namespace stagecraft
