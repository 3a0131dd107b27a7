#pragma once

#include <span>
#include <string>
#include <string_view>

namespace stagecraft {

/// The candidate that a mistyped `word` most likely means, for a did-you-mean: the least edit
/// distance (insert, drop, change, swap neighbours; case does not count), the first of several.
/// Empty if none is within a third of the longer word's length, or `word` is absurdly long.
std::string_view Closest(std::string_view word, std::span<const std::string_view> candidates);

/// `; did you mean '1f1b'?`, for the end of a message about `word`; empty if none is close.
std::string DidYouMean(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace stagecraft
