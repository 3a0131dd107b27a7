#include "tools/arguments/quantity.h"

#include <string>

#include <gtest/gtest.h>

namespace stagecraft {
namespace {

std::int64_t Duration(std::string_view text) {
  return OrThrow(ParseDuration(text)).count();
}

template <typename T>
std::string Complaint(const Result<T>& result) {
  return result.diagnostics.empty() ? "none" : result.diagnostics.front().message;
}

TEST(ParseDuration, ReadsEveryUnitExactly) {
  EXPECT_EQ(Duration("100ns"), 100);
  EXPECT_EQ(Duration("2.5us"), 2500);
  EXPECT_EQ(Duration("2.5µs"), 2500);
  EXPECT_EQ(Duration("0.1ms"), 100'000);
  EXPECT_EQ(Duration("1s"), 1'000'000'000);
  EXPECT_EQ(Duration("60min"), 3'600'000'000'000);
  EXPECT_EQ(Duration("0"), 0);
  EXPECT_EQ(Duration(".5us"), 500);
}

TEST(ParseDuration, RoundsToTheNearestNanosecond) {
  EXPECT_EQ(Duration("0.4ns"), 0);
  EXPECT_EQ(Duration("0.5ns"), 1);
  EXPECT_EQ(Duration("1.2345us"), 1235);  // 1234.5
}

TEST(ParseDuration, SaysWhatWasFoundAndExpected) {
  EXPECT_EQ(Complaint(ParseDuration("fast")), "expected a duration such as 2.5us, got 'fast'");
  EXPECT_EQ(Complaint(ParseDuration("")), "expected a duration such as 2.5us, got ''");
  EXPECT_EQ(Complaint(ParseDuration("-1ms")), "expected a duration such as 2.5us, got '-1ms'");
  EXPECT_EQ(Complaint(ParseDuration("3")),
            "expected a duration with a unit (ns, us, ms, s, min), got '3'");
  EXPECT_EQ(Complaint(ParseDuration("3 parsecs")),
            "expected a duration with a unit (ns, us, ms, s, min), got '3 parsecs'");
  EXPECT_EQ(Complaint(ParseDuration("61min")), "expected a duration of at most 60min, got '61min'");
  EXPECT_EQ(Complaint(ParseDuration("99999999999999999999s")),
            "expected a duration such as 2.5us, got '99999999999999999999s'");
  EXPECT_EQ(Complaint(ParseDuration("1.2.3s")),
            "expected a duration with a unit (ns, us, ms, s, min), got '1.2.3s'");
}

TEST(ParseBytes, KnowsDecimalAndBinaryUnits) {
  EXPECT_EQ(OrThrow(ParseBytes("4096")), 4096);
  EXPECT_EQ(OrThrow(ParseBytes("64MB")), 64'000'000);
  EXPECT_EQ(OrThrow(ParseBytes("1GiB")), 1'073'741'824);
  EXPECT_EQ(OrThrow(ParseBytes("1.5kB")), 1500);
  EXPECT_EQ(OrThrow(ParseBytes("1024TiB")), std::int64_t{1} << 50);
  EXPECT_EQ(Complaint(ParseBytes("1025TiB")), "expected a size of at most 1 PiB, got '1025TiB'");
  EXPECT_EQ(Complaint(ParseBytes("1mb")),
            "expected a size with a unit (B, kB, MB, GB, TB, KiB, MiB, GiB, TiB), got '1mb'");
}

TEST(ParseBandwidth, KnowsBytesAndBits) {
  EXPECT_EQ(OrThrow(ParseBandwidth("1GB/s")), 1e9);
  EXPECT_EQ(OrThrow(ParseBandwidth("100Gbit/s")), 12.5e9);
  EXPECT_EQ(Complaint(ParseBandwidth("0")),
            "expected a bandwidth above 0, got '0'; leave it out for none");
  EXPECT_FALSE(ParseBandwidth("1GB"));
}

TEST(ParsePositive, RefusesWhatIsNotAPositiveNumber) {
  EXPECT_EQ(OrThrow(ParsePositive("0.5")), 0.5);
  for (const char* bad : {"", "0", "-1", "nan", "inf", "1e5", "2x", "1000000001"}) {
    EXPECT_FALSE(ParsePositive(bad)) << bad;
  }
}

TEST(ParseInteger, ChecksItsRange) {
  EXPECT_EQ(OrThrow(ParseInteger("7", 1, 8)), 7);
  EXPECT_EQ(Complaint(ParseInteger("9", 1, 8)), "expected a whole number from 1 to 8, got '9'");
  for (const char* bad : {"", "1.5", "+3", " 3", "99999999999"}) {
    EXPECT_FALSE(ParseInteger(bad, 1, 8)) << bad;
  }
}

TEST(FormatDuration, ChoosesTheUnit) {
  EXPECT_EQ(FormatDuration(Nanoseconds(999)), "999 ns");
  EXPECT_EQ(FormatDuration(Nanoseconds(34'600'000)), "34.6 ms");
  EXPECT_EQ(FormatDuration(Nanoseconds(1'234'567)), "1.235 ms");
  EXPECT_EQ(FormatDuration(Nanoseconds(3'600'000'000'000)), "3600 s");
  EXPECT_EQ(FormatDuration(Nanoseconds(0)), "0 ns");
}

TEST(FormatBytes, ChoosesTheUnit) {
  EXPECT_EQ(FormatBytes(0), "0 B");
  EXPECT_EQ(FormatBytes(1'210'000'000), "1.21 GB");
  EXPECT_EQ(FormatBytes(std::int64_t{1} << 50), "1.126 PB");
}

TEST(FormatNumber, KeepsFourDigits) {
  EXPECT_EQ(FormatNumber(0), "0");
  EXPECT_EQ(FormatNumber(123456.7), "123457");
  EXPECT_EQ(FormatNumber(231.21), "231.2");
  EXPECT_EQ(FormatNumber(0.012344), "0.01234");
  EXPECT_EQ(FormatNumber(2), "2");
}

}  // namespace
}  // namespace stagecraft
