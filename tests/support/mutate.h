#pragma once

#include <array>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stagecraft::test {

/// The seed of this run: STAGECRAFT_SEED, else `fallback`. Printed, so that a failure can be
/// replayed.
inline std::uint64_t SeedFromEnvironment(std::uint64_t fallback) {
  const char* text = std::getenv("STAGECRAFT_SEED");
  const std::uint64_t seed = text != nullptr ? std::strtoull(text, nullptr, 10) : fallback;
  std::cout << "STAGECRAFT_SEED=" << seed << "\n";
  return seed;
}

/// Damages text as files get damaged: cuts, flipped bits, pieces repeated or swapped, huge numbers,
/// deep nesting, bytes that are not text. The same seed gives the same damage everywhere.
class Mutator {
 public:
  explicit Mutator(std::uint64_t seed) : random_(seed) {}

  /// `text` with one to three kinds of damage; at most `kLongest` bytes.
  std::string Mutate(std::string text) {
    const std::size_t rounds = 1 + Below(3);
    for (std::size_t i = 0; i < rounds; ++i) {
      MutateOnce(text);
      if (text.size() > kLongest) {
        text.resize(kLongest);
      }
    }
    return text;
  }

  /// Uniform enough in [0, limit); 0 if the limit is 0.
  std::size_t Below(std::size_t limit) {
    return limit == 0 ? 0 : static_cast<std::size_t>(random_() % limit);
  }

  static constexpr std::size_t kLongest = std::size_t{1} << 20;

 private:
  void MutateOnce(std::string& text) {
    switch (Below(10)) {
      case 0:  // Cut off the end, as a full disk does.
        text.resize(Below(text.size() + 1));
        break;
      case 1:  // Cut out a piece.
        text.erase(Below(text.size() + 1), Below(1 + Below(100)));
        break;
      case 2:
        Flip(text);
        break;
      case 3: {  // Repeat a piece.
        const std::size_t at = Below(text.size() + 1);
        text.insert(Below(text.size() + 1), text.substr(at, Below(200)));
        break;
      }
      case 4:
        ReplaceNumber(text);
        break;
      case 5:
        Nest(text);
        break;
      case 6: {  // A line of the file again, somewhere else.
        const std::size_t at = text.find('\n', Below(text.size() + 1));
        const std::size_t next = at == std::string::npos ? at : text.find('\n', at + 1);
        if (next != std::string::npos) {
          text.insert(text.find('\n', Below(at + 1)), text.substr(at, next - at));
        }
        break;
      }
      case 7:  // A character that means something in some format.
        text.insert(Below(text.size() + 1), 1, kSpecial[Below(kSpecial.size())]);
        break;
      case 8:
        SwapWords(text);
        break;
      default: {  // Blanks around, or in the middle.
        text.insert(Below(text.size() + 1), 1 + Below(50), Below(2) == 0 ? ' ' : '\n');
      }
    }
  }

  void Flip(std::string& text) {
    const std::size_t flips = 1 + Below(8);
    for (std::size_t i = 0; i < flips && !text.empty(); ++i) {
      char& byte = text[Below(text.size())];
      byte = static_cast<char>(static_cast<unsigned char>(byte) ^ (1U << Below(8)));
    }
  }

  /// Two words change places: text stays well-formed more often than its meaning does.
  void SwapWords(std::string& text) {
    const auto word = [&](std::size_t from) {
      const std::size_t begin = text.find_first_not_of(" \n", from);
      const std::size_t end = begin == std::string::npos ? begin : text.find_first_of(" \n", begin);
      return end == std::string::npos ? std::pair(text.size(), text.size()) : std::pair(begin, end);
    };
    const auto first = word(Below(text.size() + 1));
    const auto second = word(first.second);
    const std::string a = text.substr(first.first, first.second - first.first);
    const std::string b = text.substr(second.first, second.second - second.first);
    text.replace(second.first, b.size(), a);
    text.replace(first.first, a.size(), b);
  }

  /// A run of digits becomes a small number, or one at or beyond some limit.
  void ReplaceNumber(std::string& text) {
    const std::size_t begin = text.find_first_of("0123456789", Below(text.size() + 1));
    if (begin == std::string::npos) {
      return;
    }
    const std::size_t end = text.find_first_not_of("0123456789", begin);
    const std::size_t length = (end == std::string::npos ? text.size() : end) - begin;
    text.replace(
        begin, length,
        Below(2) == 0 ? std::to_string(Below(10)) : std::string(kNumbers[Below(kNumbers.size())]));
  }

  void Nest(std::string& text) {
    constexpr std::array<std::string_view, 6> kOpeners{"[", "{\"a\":", "(", "((", "[[1,", "\""};
    const std::string_view opener = kOpeners[Below(kOpeners.size())];
    std::string nested;
    for (std::size_t i = Below(20000); i > 0; --i) {
      nested += opener;
    }
    text.insert(Below(text.size() + 1), nested);
  }

  static constexpr std::string_view kSpecial{"\0\t\r\"\\{}[]():;,@+-#=.eE\x7f\x80\xff/", 26};
  static constexpr std::array<std::string_view, 16> kNumbers{
      "0",          "-1",         "1",           "32767",
      "32768",      "65536",      "2147483647",  "2147483648",
      "4294967296", "1000000000", "1048576",     "9223372036854775807",
      "1e999",      "0.5",        "-2147483649", "99999999999999999999999999999999"};

  std::mt19937_64 random_;
};

}  // namespace stagecraft::test
