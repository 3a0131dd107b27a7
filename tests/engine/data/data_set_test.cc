#include "engine/data/data_set.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

#include <gtest/gtest.h>

namespace stagecraft {
namespace {

template <typename T>
std::vector<T> Values(const HostTensor& tensor) {
  std::vector<T> values(static_cast<std::size_t>(Elements(tensor.shape)));
  std::memcpy(values.data(), tensor.memory.data, tensor.memory.bytes);
  return values;
}

Safetensors ShippedDigits() {
  std::ifstream in(std::string(STAGECRAFT_SOURCE_DIR) + "/engine/data/digits.safetensors",
                   std::ios::binary);
  return OrThrow(ReadSafetensors(
      std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()),
      "digits.safetensors"));
}

TEST(Digits, AreThe1797OfTheSource) {
  const Safetensors content = ShippedDigits();
  std::map<int, int> counts;
  for (const std::uint8_t digit : Values<std::uint8_t>(content.tensors.at("y"))) {
    ++counts[digit];
  }
  EXPECT_EQ(counts, (std::map<int, int>{{0, 178},
                                        {1, 182},
                                        {2, 177},
                                        {3, 183},
                                        {4, 181},
                                        {5, 182},
                                        {6, 181},
                                        {7, 179},
                                        {8, 174},
                                        {9, 180}}));
  EXPECT_EQ(content.metadata.at("license"), "CC BY 4.0");
}

TEST(Digits, EveryFifthIsForEvaluation) {
  const SplitData split = SplitDigits(ShippedDigits(), ElementType::kFloat32);
  EXPECT_EQ(split.training.x.shape, (TensorShape{1438, 1, 8, 8}));
  EXPECT_EQ(split.evaluation.x.shape, (TensorShape{359, 1, 8, 8}));
  const std::vector<float> grey = Values<float>(split.training.x);
  EXPECT_EQ(*std::max_element(grey.begin(), grey.end()), 1.0F);
  EXPECT_EQ(*std::min_element(grey.begin(), grey.end()), 0.0F);
  // The first ten images of the source are the digits in order; numbers 4 and 9 evaluate.
  EXPECT_EQ(Values<std::int64_t>(split.evaluation.y)[1], 9);
  EXPECT_EQ(Values<std::int64_t>(split.training.y)[4], 5);
}

TEST(Digits, AnotherFileIsRefused) {
  EXPECT_THROW(SplitDigits({}, ElementType::kFloat32), Error);
}

TEST(TeacherData, IsFixedByItsSeed) {
  using Task = TeacherOptions::Task;
  for (const Task task : {Task::kClasses, Task::kRegression, Task::kImages, Task::kTokens}) {
    const TeacherOptions options{task, 50, 3, 4, 5, 7};
    const SplitData first = TeacherData(options, ElementType::kFloat32);
    const SplitData again = TeacherData(options, ElementType::kFloat32);
    EXPECT_EQ(
        Values<std::uint8_t>(HostTensor{ElementType::kUint8,
                                        {static_cast<std::int64_t>(first.training.x.memory.bytes)},
                                        first.training.x.memory}),
        Values<std::uint8_t>(HostTensor{ElementType::kUint8,
                                        {static_cast<std::int64_t>(again.training.x.memory.bytes)},
                                        again.training.x.memory}));
    EXPECT_EQ(first.training.x.shape.front(), 40);
    EXPECT_EQ(first.evaluation.x.shape.front(), 10);
    TeacherOptions other = options;
    other.seed = 8;
    EXPECT_NE(std::memcmp(first.training.x.memory.data,
                          TeacherData(other, ElementType::kFloat32).training.x.memory.data,
                          first.training.x.memory.bytes),
              0);
  }
}

TEST(TeacherData, ClassesAreAllThere) {
  const SplitData split =
      TeacherData({TeacherOptions::Task::kClasses, 500, 8, 4, 1, 1}, ElementType::kFloat64);
  const std::vector<std::int64_t> classes = Values<std::int64_t>(split.training.y);
  EXPECT_EQ(std::set<std::int64_t>(classes.begin(), classes.end()).size(), 4U);
}

TEST(TeacherData, ATokensTargetIsTheNextToken) {
  const SplitData split =
      TeacherData({TeacherOptions::Task::kTokens, 10, 1, 6, 8, 1}, ElementType::kFloat32);
  const std::vector<std::int64_t> x = Values<std::int64_t>(split.training.x);
  const std::vector<std::int64_t> y = Values<std::int64_t>(split.training.y);
  for (std::size_t i = 0; i + 1 < x.size(); ++i) {
    if (i % 8 != 7) {
      EXPECT_EQ(y[i], x[i + 1]);
    }
  }
}

TEST(Converted, RoundsFloatingPointAndKeepsWholeNumbers) {
  const double values[] = {0.1, 3};
  HostTensor tensor = MakeHostTensor(ElementType::kFloat64, {2, 1});
  std::memcpy(tensor.memory.data, values, sizeof values);
  const HostTensor narrow = Converted(tensor, ElementType::kFloat32);
  EXPECT_EQ(reinterpret_cast<const float*>(narrow.memory.data)[0], 0.1F);
  EXPECT_THROW(Converted(tensor, ElementType::kInt64), Error);

  const double whole[] = {-2, 0x1p53};
  std::memcpy(tensor.memory.data, whole, sizeof whole);
  const HostTensor numbers = Converted(tensor, ElementType::kInt64);
  EXPECT_EQ(reinterpret_cast<const std::int64_t*>(numbers.memory.data)[0], -2);
  EXPECT_EQ(reinterpret_cast<const std::int64_t*>(numbers.memory.data)[1], std::int64_t{1} << 53);
}

TEST(PlaceText, CountsRowsFirst) {
  EXPECT_EQ(PlaceText({2, 3, 4}, 0), "[0, 0, 0]");
  EXPECT_EQ(PlaceText({2, 3, 4}, 12 + 2 * 4 + 3), "[1, 2, 3]");
  EXPECT_EQ(PlaceText({}, 0), "[]");
}

}  // namespace
}  // namespace stagecraft
