#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

namespace stagecraft {

/// Writes the help of the program and of its commands, as wide as the terminal.
///
/// A command's page has its arguments, examples and usual flags; behind them, by what its command
/// line says:
///
///   --help            how to see the rest
///   NAME --help       the flags that change something for NAME, group by group
///   --help=GROUP      those of one group, by the first word of its title
///   --help=all        all
class HelpFormatter : public CLI::FormatterBase {
 public:
  /// The usual flags of each command, in order, with blanks between them.
  using UsualFlags = std::map<std::string, std::string>;

  /// `width`: columns of a line; that of the terminal, at most 100, or 80 where there is none, if
  /// it is not given.
  explicit HelpFormatter(UsualFlags usual, std::optional<std::size_t> width = std::nullopt);

  /// The page of `app`; `name` is how that is called, such as `stagecraft show`. Throws
  /// `CommandFailure` (usage) if `--help=` asks for a group that does not exist.
  std::string make_help(const CLI::App* app, std::string name,
                        CLI::AppFormatMode mode) const override;

 private:
  UsualFlags usual_;
  std::optional<std::size_t> width_;  ///< Columns; nullopt: those of the terminal.
};

}  // namespace stagecraft
