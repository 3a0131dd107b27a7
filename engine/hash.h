#pragma once

#include <cstdint>
#include <string_view>

namespace stagecraft {

/// The 64-bit FNV-1a hash. It tells texts apart that differ by accident, not those of an adversary.
constexpr std::uint64_t HashOf(std::string_view bytes) {
  std::uint64_t hash = 14695981039346656037U;
  for (const char byte : bytes) {
    hash = (hash ^ static_cast<unsigned char>(byte)) * 1099511628211U;
  }
  return hash;
}

}  // namespace stagecraft
