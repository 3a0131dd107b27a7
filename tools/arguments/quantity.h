#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "schedules/diagnostic.h"
#include "traces/timeline.h"

namespace stagecraft {

// Durations, sizes and bandwidths as people write them. Units are converted here and nowhere else;
// inside, time is integer nanoseconds and sizes are bytes. All reading is exact decimal
// arithmetic, rounded to the nearest unit once; a fault's `where` is empty.

/// `2.5us`, `100ns`, `1s`, `0`: at most an hour, not negative. Units ns, us, ms, s, min.
Result<Nanoseconds> ParseDuration(std::string_view text);

/// `64MB`, `1GiB`, `4096`: at most 1 PiB, not negative. Units B, kB, MB, GB, TB (powers of 1000),
/// KiB, MiB, GiB, TiB; a plain number is bytes.
Result<std::int64_t> ParseBytes(std::string_view text);

/// `1GB/s`, `100Gbit/s`: bytes per second, above 0.
Result<double> ParseBandwidth(std::string_view text);

/// A positive decimal number such as `0.5` or `128`.
Result<double> ParsePositive(std::string_view text);

/// A whole number in [`low`, `high`].
Result<std::int32_t> ParseInteger(std::string_view text, std::int32_t low, std::int32_t high);

// Texts for people. They are rounded, and no program reads them: JSON and CSV have plain numbers.

/// `34.6 ms`, `1.2 s`: four significant digits in the largest unit that is at most the duration.
std::string FormatDuration(Nanoseconds duration);
/// `1.21 GB`, powers of 1000.
std::string FormatBytes(std::int64_t bytes);
/// `27.3 %` for 0.273.
std::string FormatShare(double share);
/// `1234`, `56.78`, `0.0123`: four significant digits or the whole part, never an exponent for
/// everyday sizes.
std::string FormatNumber(double value);
/// `1 sample`, `16 samples`.
std::string FormatSamples(double samples);

}  // namespace stagecraft
