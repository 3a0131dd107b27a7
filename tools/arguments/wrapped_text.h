#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace stagecraft {

/// `text` in lines of at most `width` columns, broken between words; every line but the first has
/// `indent` blanks in front, and the first is taken to begin behind as many. A word that is longer
/// stands alone on its line. Without a line break at the end.
std::string Wrapped(std::string_view text, std::size_t width, std::size_t indent = 0);

/// A command for a shell on lines of at most `width` columns: two blanks in front, six and a
/// backslash before where it goes on.
std::string WrappedCommand(std::string_view command, std::size_t width);

/// Prose whose lines that begin with two blanks are commands, which may go on behind a backslash:
/// paragraphs are wrapped anew, commands by `WrappedCommand`. Ends with a line break unless empty.
std::string WrappedProse(std::string_view prose, std::size_t width);

}  // namespace stagecraft
