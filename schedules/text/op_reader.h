#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "schedules/op.h"

namespace stagecraft {

/// What `ReadOp` made of a word: an op, or what should have stood at character `offset`.
struct OpWord {
  std::optional<Op> op;
  std::string expected;
  std::size_t offset = 0;
};

/// Reads one op in its text form, the whole of `word`; `joined` stays false.
OpWord ReadOp(std::string_view word);

/// "; did you mean '0B3@2'?" for a word with a kind that is nearly one of ours, or one that lacks
/// its stage, which is `stage` then (a diagram writes `B3@2`), or its version; else empty.
std::string OpSuggestion(std::string_view word, std::int32_t stage = 0);

/// The number that `text` is, from 0 to 2147483647; nothing if it is anything else.
std::optional<std::int32_t> ReadWholeNumber(std::string_view text);

}  // namespace stagecraft
