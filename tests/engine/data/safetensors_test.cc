#include "engine/data/safetensors.h"

#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "engine/data/data_set.h"
#include "engine/model/random.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

HostTensor Floats(TensorShape shape, std::vector<float> values) {
  HostTensor tensor = MakeHostTensor(ElementType::kFloat32, std::move(shape));
  std::memcpy(tensor.memory.data, values.data(), tensor.memory.bytes);
  return tensor;
}

std::string File(const std::string& header, const std::string& data) {
  const auto length = static_cast<std::uint64_t>(header.size());
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + header + data;
}

std::string FaultsOf(const std::string& bytes) {
  return test::Texts(ReadSafetensors(bytes, "a.safetensors").diagnostics);
}

TEST(Safetensors, IsWrittenInOneWay) {
  Safetensors content;
  content.metadata["title"] = "a \"quoted\" text";
  content.tensors["b"] = Floats({2}, {1, 2});
  content.tensors["a"] = MakeHostTensor(ElementType::kUint8, {3});
  std::memcpy(content.tensors["a"].memory.data, "xyz", 3);
  content.tensors["empty"] = MakeHostTensor(ElementType::kInt64, {0, 4});
  const std::string bytes = WriteSafetensors(content);
  const std::string header = R"({"__metadata__":{"title":"a \"quoted\" text"},)"
                             R"("empty":{"dtype":"I64","shape":[0,4],"data_offsets":[0,0]},)"
                             R"("b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                             R"("a":{"dtype":"U8","shape":[3],"data_offsets":[8,11]}})";
  std::string padded = header;
  padded.resize((header.size() + 7) / 8 * 8, ' ');
  const float values[] = {1, 2};
  EXPECT_EQ(bytes, File(padded, std::string(reinterpret_cast<const char*>(values), 8) + "xyz"));
}

TEST(Safetensors, ReadingGivesBackWhatWasWritten) {
  Safetensors content;
  content.metadata["key"] = "text";
  content.tensors["weight"] = Floats({2, 2}, {1, 2, 3, 4});
  content.tensors["scalar"] = Floats({}, {7});
  const std::string bytes = WriteSafetensors(content);
  const Safetensors read = OrThrow(ReadSafetensors(bytes, "a"));
  EXPECT_EQ(read.metadata, content.metadata);
  EXPECT_EQ(read.tensors.at("weight").shape, (TensorShape{2, 2}));
  EXPECT_EQ(WriteSafetensors(read), bytes);
}

TEST(Safetensors, TensorsMayStandInAnyOrder) {
  const Safetensors read =
      OrThrow(ReadSafetensors(File(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[2,3]},)"
                                   R"("b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})",
                                   "xyz"),
                              "a"));
  EXPECT_EQ(static_cast<char>(*read.tensors.at("a").memory.data), 'z');
}

TEST(Safetensors, EachFaultIsNamed) {
  EXPECT_EQ(FaultsOf("abc"),
            "a.safetensors: error: is no safetensors file: expected at least 8 bytes, got 3\n");
  EXPECT_EQ(FaultsOf(File("{}", "").replace(0, 1, "\x09")),
            "a.safetensors: error: is no safetensors file: its header would be 9 bytes long, the "
            "rest of the file is 2\n");
  EXPECT_EQ(
      FaultsOf(File(R"({"a":{"dtype":"F8_E5M2","shape":[2],"data_offsets":[0,2]}})", "xy")),
      "a.safetensors: error: tensor 'a': expected one of the dtypes F64, F32, F16, BF16, I64, "
      "I32, I16, I8, U32, U16, U8, BOOL, got \"F8_E5M2\"\n");
  EXPECT_EQ(FaultsOf(File(R"({"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,2]}})", "xy")),
            "a.safetensors: error: tensor 'a': expected whole numbers as shape, got -1\n");
  EXPECT_EQ(FaultsOf(File(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,2]}})", "xy")),
            "a.safetensors: error: tensor 'a': expected data_offsets 1 bytes apart, as dtype and "
            "shape say, got [0,2]\n");
  EXPECT_EQ(
      FaultsOf(
          File(R"({"a":{"dtype":"U8","shape":[1125899906842624,2],"data_offsets":[0,2]}})", "xy")),
      "a.safetensors: error: tensor 'a': its shape [1125899906842624,2] is larger than any file\n");
  EXPECT_EQ(FaultsOf(File(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})", "xy")),
            "a.safetensors: error: tensor 'a': expected it to begin at 0, behind the one before, "
            "got 1\n");
  EXPECT_EQ(FaultsOf(File(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", "xy")),
            "a.safetensors: error: expected 1 bytes of tensors, as the header says, got 2\n");
  EXPECT_EQ(FaultsOf(File(R"({"a":{"dtype":"U8","shap":[1],"data_offsets":[0,1]}})", "x")),
            "a.safetensors: error: tensor 'a': unknown key 'shap'; expected dtype, shape and "
            "data_offsets\n");
  EXPECT_EQ(FaultsOf(File(R"({"__metadata__":{"a":1}})", "")),
            "a.safetensors: error: __metadata__: expected a text as 'a', got 1\n");
  EXPECT_EQ(FaultsOf(File(R"({"a":{},"a":{}})", "")),
            "a.safetensors (header): error: expected each key once in an object, got \"a\" "
            "again\n");
}

// The format pads a header with blanks, behind it, and with nothing else.
TEST(Safetensors, AHeaderIsAnObjectAndBlanks) {
  EXPECT_EQ(FaultsOf(File("{}      ", "")), "");
  EXPECT_EQ(FaultsOf(File(std::string("{}\0\0", 4), "")),
            "a.safetensors (header):1:3: error: expected JSON up to the end of the text, got a NUL "
            "byte\n"
            "  {}\\x00\\x00\n"
            "    ^\n");
  for (const char* const padded : {"{}\t", "{} \n", "{}\r\n"}) {
    EXPECT_EQ(FaultsOf(File(padded, "")),
              "a.safetensors: error: expected nothing but blanks behind the '}' of the header\n");
  }
  for (const char* const header : {" {}", "[]", "", "   "}) {
    EXPECT_EQ(FaultsOf(File(header, "")),
              "a.safetensors: error: expected a header that begins with '{'\n");
  }
  EXPECT_NE(FaultsOf(File("{} {}", "")), "");
}

TEST(Safetensors, DamagedFilesAreReadOrRefusedButNeverCrash) {
  Safetensors content;
  content.metadata["key"] = "text";
  content.tensors["w"] = Floats({3}, {1, 2, 3});
  const std::string whole = WriteSafetensors(content);
  Random random(11);
  int refused = 0;
  for (int trial = 0; trial < 3000; ++trial) {
    std::string bytes = whole;
    for (std::int64_t i = random.Below(3); i >= 0; --i) {
      const auto at =
          static_cast<std::size_t>(random.Below(static_cast<std::int64_t>(bytes.size())));
      if (random.Below(4) == 0) {
        bytes.resize(at + 1);
      } else {
        bytes[at] = static_cast<char>(random.Below(256));
      }
    }
    const Result<Safetensors> result = ReadSafetensors(bytes, "a");
    EXPECT_EQ(result.value.has_value(), result.diagnostics.empty());
    refused += result ? 0 : 1;
  }
  EXPECT_GT(refused, 1000);
}

template <typename T>
std::vector<T> Read(const std::string& type, std::size_t elements, const std::string& bytes) {
  const Safetensors content = OrThrow(ReadSafetensors(
      File(R"({"a":{"dtype":")" + type + R"(","shape":[)" + std::to_string(elements) +
               R"(],"data_offsets":[0,)" + std::to_string(bytes.size()) + "]}}",
           bytes),
      "a.safetensors"));
  const HostTensor& tensor = content.tensors.at("a");
  const auto* const begin = reinterpret_cast<const T*>(tensor.memory.data);
  EXPECT_EQ(tensor.memory.bytes, elements * sizeof(T)) << type;
  return {begin, begin + elements};
}

TEST(Safetensors, NarrowTypesBecomeWideOnesWithTheSameValues) {
  using namespace std::string_literals;
  // Sign, 5 bits of exponent, 10 of fraction: 0x3C00 is 1, 0xC100 -2.5, 0x0001 the least, 2^-24,
  // 0x03FF the largest of those, 1023 * 2^-24, 0x7BFF the largest, 65504, 0xFC00 -infinity.
  EXPECT_EQ(Read<float>("F16", 6, "\x00\x3C\x00\xC1\x01\x00\xFF\x03\xFF\x7B\x00\xFC"s),
            (std::vector<float>{1, -2.5, 0x1p-24F, 1023 * 0x1p-24F, 65504,
                                -std::numeric_limits<float>::infinity()}));
  EXPECT_TRUE(std::isnan(Read<float>("F16", 1, "\x01\x7C")[0]));
  // The upper half of a float: 0x3F80 is 1, 0xC049 -3.140625.
  EXPECT_EQ(Read<float>("BF16", 2, "\x80\x3F\x49\xC0"s), (std::vector<float>{1, -3.140625}));
  EXPECT_EQ(Read<std::int64_t>("I32", 2, "\xFE\xFF\xFF\xFF\x00\x00\x00\x01"s),
            (std::vector<std::int64_t>{-2, 1 << 24}));
  EXPECT_EQ(Read<std::int64_t>("U32", 1, "\xFE\xFF\xFF\xFF"),
            std::vector<std::int64_t>{4294967294});
  EXPECT_EQ(Read<std::int64_t>("I16", 1, "\xFE\xFF"), std::vector<std::int64_t>{-2});
  EXPECT_EQ(Read<std::int64_t>("U16", 1, "\xFE\xFF"), std::vector<std::int64_t>{65534});
  EXPECT_EQ(Read<std::int64_t>("I8", 1, "\xFE"), std::vector<std::int64_t>{-2});
  EXPECT_EQ(Read<std::uint8_t>("BOOL", 3, "\x01\x00\x01"s), (std::vector<std::uint8_t>{1, 0, 1}));
  EXPECT_EQ(
      FaultsOf(File(R"({"a":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]}})", "\x01\x02")),
      "a.safetensors: error: tensor 'a': expected 0 or 1 as BOOL, got 2\n");
  EXPECT_EQ(FaultsOf(File(R"({"a":{"dtype":"F16","shape":[2],"data_offsets":[0,2]}})", "xy")),
            "a.safetensors: error: tensor 'a': expected data_offsets 4 bytes apart, as dtype and "
            "shape say, got [0,2]\n");
}

}  // namespace
}  // namespace stagecraft
