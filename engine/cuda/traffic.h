#pragma once

#include <memory>

namespace stagecraft {

/// Copies within the current GPU's memory, one after the other on a stream of their own, for as
/// long as it lives: what transfers do to the ops beside them, at their worst.
class Traffic {
 public:
  Traffic();
  ~Traffic();
  Traffic(const Traffic&) = delete;
  Traffic& operator=(const Traffic&) = delete;

 private:
  struct Copies;
  std::unique_ptr<Copies> copies_;
};

}  // namespace stagecraft
