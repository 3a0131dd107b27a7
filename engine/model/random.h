#pragma once

#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <numbers>

namespace stagecraft {

/// A step of splitmix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators",
/// OOPSLA 2014): mixes the bits of `state`.
constexpr std::uint64_t MixBits(std::uint64_t state) {
  state = (state ^ (state >> 30U)) * 0xbf58476d1ce4e5b9U;
  state = (state ^ (state >> 27U)) * 0x94d049bb133111ebU;
  return state ^ (state >> 31U);
}

inline constexpr std::uint64_t kGoldenGamma = 0x9e3779b97f4a7c15U;

/// One seed out of several numbers; their order matters.
constexpr std::uint64_t MixSeed(std::initializer_list<std::uint64_t> numbers) {
  std::uint64_t seed = 0;
  for (const std::uint64_t number : numbers) {
    seed = MixBits(seed + kGoldenGamma + MixBits(number + kGoldenGamma));
  }
  return seed;
}

/// A stream of random numbers that its seed fixes, on every machine alike.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t Next() {
    state_ += kGoldenGamma;
    return MixBits(state_);
  }

  /// A number in [0, 1), a multiple of 2^-53.
  double Uniform() { return static_cast<double>(Next() >> 11U) * 0x1p-53; }

  /// A normal number of mean 0 and deviation 1; takes two numbers of the stream (Box and Muller).
  double Normal() {
    const double radius = std::sqrt(-2 * std::log(1 - Uniform()));
    return radius * std::cos(2 * std::numbers::pi * Uniform());
  }

  /// A number in [0, n), for n in [1, 2^31]: by multiplication, so that no value is more likely
  /// than another by more than n / 2^32.
  std::int64_t Below(std::int64_t n) {
    return static_cast<std::int64_t>(((Next() >> 32U) * static_cast<std::uint64_t>(n)) >> 32U);
  }

 private:
  std::uint64_t state_;
};

}  // namespace stagecraft
