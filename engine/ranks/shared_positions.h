#pragma once

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <sys/mman.h>
#include <system_error>

#include "schedules/diagnostic.h"

namespace stagecraft {

/// The op that each rank is at, in memory that all processes share: known also of a rank that was
/// killed.
class SharedPositions {
 public:
  explicit SharedPositions(std::int32_t ranks) : size_(sizeof(Position) * Count(ranks)) {
    void* const memory =
        mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
      throw Error("no shared memory: " + std::generic_category().message(errno));
    }
    positions_ = static_cast<Position*>(memory);
    std::uninitialized_value_construct_n(positions_, Count(ranks));
  }
  SharedPositions(const SharedPositions&) = delete;
  SharedPositions& operator=(const SharedPositions&) = delete;
  ~SharedPositions() { munmap(positions_, size_); }

  std::atomic<std::int32_t>& Of(std::int32_t rank) { return positions_[rank]; }

 private:
  using Position = std::atomic<std::int32_t>;
  static_assert(Position::is_always_lock_free);
  static std::size_t Count(std::int32_t ranks) { return static_cast<std::size_t>(ranks); }

  std::size_t size_;
  Position* positions_ = nullptr;
};

}  // namespace stagecraft
