#include "traces/gzip.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <zlib.h>

#include "schedules/diagnostic.h"

namespace stagecraft {
namespace {

constexpr int kGzipWindow = 15 + 16;  ///< The largest window, in a gzip wrapper.
constexpr int kMemoryLevel = 8;       ///< zlib's default.
constexpr int kUnknownSystem = 255;   ///< RFC 1952, section 2.3.1: the OS field.

/// A zlib stream that is always ended.
class Deflater {
 public:
  Deflater() {
    if (deflateInit2(&stream_, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzipWindow, kMemoryLevel,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
      throw Error("zlib cannot start: out of memory");
    }
    header_.os = kUnknownSystem;
    deflateSetHeader(&stream_, &header_);
  }
  ~Deflater() { deflateEnd(&stream_); }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;
  Deflater(Deflater&&) = delete;
  Deflater& operator=(Deflater&&) = delete;

  /// Compresses `piece` onto the end of `out`.
  void Add(std::string_view piece, bool last, std::string& out) {
    // zlib's interface lacks the const; it only reads the input.
    stream_.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(piece.data()));
    stream_.avail_in = static_cast<uInt>(piece.size());
    std::array<char, 1 << 16> buffer{};
    do {
      stream_.next_out = reinterpret_cast<Bytef*>(buffer.data());
      stream_.avail_out = static_cast<uInt>(buffer.size());
      if (deflate(&stream_, last ? Z_FINISH : Z_NO_FLUSH) == Z_STREAM_ERROR) {
        throw Error("zlib cannot compress: its state is broken");
      }
      out.append(buffer.data(), buffer.size() - stream_.avail_out);
    } while (stream_.avail_out == 0);
  }

 private:
  z_stream stream_{};
  gz_header header_{};
};

}  // namespace

std::string Gzip(std::string_view text) {
  constexpr std::size_t kPiece = std::size_t{1} << 30;  // zlib counts input in 32 bits.
  std::string out;
  Deflater deflater;
  do {
    const std::string_view piece = text.substr(0, std::min(text.size(), kPiece));
    text.remove_prefix(piece.size());
    deflater.Add(piece, text.empty(), out);
  } while (!text.empty());
  return out;
}

}  // namespace stagecraft
