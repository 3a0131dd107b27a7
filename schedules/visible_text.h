#pragma once

#include <cstddef>
#include <limits>
#include <string>
#include <string_view>

namespace stagecraft {

// Text that came from outside (names in files, names of files, flags) on its way to a reader. What
// a terminal would obey, or what has no look of its own, is shown as an escape: control characters
// (`\n`, `\x1b`, `\u009b`), bytes that are no UTF-8 (`\xff`), and characters that turn the
// direction of writing, break lines or are invisible (`\u202e`). All other UTF-8 stays as it is.
// Escapes are printable, so that nothing changes if text is made visible twice.

/// `text` as part of one line: line breaks and tabs become escapes too. What is longer than `most`
/// bytes is cut, between characters, and ends in `...`.
std::string Visible(std::string_view text,
                    std::size_t most = std::numeric_limits<std::size_t>::max());

/// The same for text of several lines of ours: `\n` stays. For text that holds names from outside
/// this is the last defence only, since it can't tell their line breaks from ours.
std::string VisibleLines(std::string_view text);

/// The columns that a terminal needs for `text`, which is visible; one per character.
std::size_t ShownWidth(std::string_view text);

/// `line` of a source, or of a long one the part around the byte `column`, and under it a caret;
/// both indented by two blanks. Blanks stand for tabs.
std::string CaretExcerpt(std::string_view line, std::size_t column);

}  // namespace stagecraft
