#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace stagecraft {

/// The name of `value`, if beside its enum stands a function `NamesOf`: the names of all
/// enumerators, in their order. A flag that offers the choice asks the same function.
template <typename T>
requires requires(T value) {
  NamesOf(value);
}
std::string ToString(T value) {
  return std::string(NamesOf(value)[static_cast<std::size_t>(value)]);
}

}  // namespace stagecraft
