#include "traces/gzip.h"

#include <zlib.h>

#include <gtest/gtest.h>

namespace stagecraft {
namespace {

std::string Gunzip(const std::string& zipped, std::size_t size) {
  std::string out(size + 1, '\0');
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
  std::string input = zipped;
  stream.next_in = reinterpret_cast<Bytef*>(input.data());
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return out;
}

TEST(Gzip, IsReadBackByZlib) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) {
    text += std::to_string(i * 7919 % 10007);
  }
  for (const std::string& sample : {std::string(), std::string("a"), text}) {
    EXPECT_EQ(Gunzip(Gzip(sample), sample.size()), sample);
  }
}

// RFC 1952: magic 1f 8b, method 8, no flags, four bytes of time, extra flags, system (255 unknown).
TEST(Gzip, HasAHeaderWithoutTimeNameOrSystem) {
  const std::string zipped = Gzip("text");
  EXPECT_EQ(zipped.substr(0, 8), std::string("\x1f\x8b\x08\0\0\0\0\0", 8));
  EXPECT_EQ(zipped[9], '\xff');
  EXPECT_EQ(zipped, Gzip("text"));
}

}  // namespace
}  // namespace stagecraft
