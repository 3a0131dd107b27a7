#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "schedules/diagnostic.h"

namespace stagecraft {

/// The rows of a CSV text (RFC 4180), each a list of cells: `"a,b"` is one cell, `""` in it a
/// quote. Lines end in `\n` or `\r\n`; a byte order mark at the front is no part of the first cell.
/// Cells are as they stand, blanks included; an empty line is a row of one empty cell. Fails, by
/// line and column, on a quote that is not closed, or where one is closed before its cell ends.
Result<std::vector<std::vector<std::string>>> ReadCsv(std::string_view text, std::string_view file);

}  // namespace stagecraft
