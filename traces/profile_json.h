#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "schedules/diagnostic.h"
#include "traces/layer_profile.h"

namespace stagecraft {

/// Reads `stagecraft-profile` JSON (`*.profile.json`; schema: traces/profile.schema.json).
///
/// Reports every fault. Unknown and repeated keys are errors, the former with a did-you-mean;
/// diagnostics carry a JSON pointer, or line and column where the JSON itself is broken. The value
/// satisfies `CheckProfile`. Text beyond `kMaxProfileBytes` or nested deeper than
/// `kMaxProfileDepth` is refused before it is read.
Result<Profile> ParseProfile(std::string_view json, std::string_view file);

/// Canonical JSON, a layer per line; `ParseProfile(PrintProfile(p)) == p` if `CheckProfile(p)` is
/// empty and the strings are UTF-8. Printing is a fixed point.
std::string PrintProfile(const Profile& profile);

/// The limits that `ParseProfile` sets.
inline constexpr std::size_t kMaxProfileBytes = std::size_t{16} << 20;
inline constexpr int kMaxProfileDepth = 16;

/// The keys of a layer or stage, in canonical order: what the schema lists.
std::vector<std::string_view> ProfileLayerKeys();

}  // namespace stagecraft
