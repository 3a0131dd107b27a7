#include "engine/data/batches.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

HostTensor Numbers(std::int64_t count, std::int64_t first = 0) {
  HostTensor tensor = MakeHostTensor(ElementType::kInt64, {count});
  auto* const begin = reinterpret_cast<std::int64_t*>(tensor.memory.data);
  std::iota(begin, begin + count, first);
  return tensor;
}

std::vector<std::int64_t> Values(const HostTensor& tensor) {
  std::vector<std::int64_t> values(static_cast<std::size_t>(Elements(tensor.shape)));
  std::memcpy(values.data(), tensor.memory.data, tensor.memory.bytes);
  return values;
}

/// Ten samples whose x is their number and whose y is 100 more.
std::shared_ptr<const DataSet> Ten() {
  return std::make_shared<const DataSet>(DataSet{Numbers(10), Numbers(10, 100)});
}

TEST(ShuffledBatches, AnEpochHasNoSampleTwice) {
  ShuffledBatches batches(Ten(), {.size = 3, .per_epoch = 3, .seed = 1});
  for (std::int64_t epoch = 0; epoch < 5; ++epoch) {
    std::vector<std::int64_t> seen;
    for (std::int64_t q = 0; q < 3; ++q) {
      for (const std::int64_t value : Values(batches.Input(3 * epoch + q))) {
        seen.push_back(value);
      }
    }
    std::sort(seen.begin(), seen.end());
    EXPECT_EQ(std::unique(seen.begin(), seen.end()), seen.end());
    EXPECT_EQ(seen.size(), 9U);
  }
}

TEST(ShuffledBatches, TargetsBelongToTheirInputs) {
  ShuffledBatches batches(Ten(), {.size = 3, .per_epoch = 3, .seed = 1});
  const std::vector<std::int64_t> x = Values(batches.Input(4));
  const std::vector<std::int64_t> y = Values(batches.Target(4));
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(y[i], x[i] + 100);
  }
}

TEST(ShuffledBatches, AMicrobatchDoesNotDependOnWhoAsksInWhichOrder) {
  ShuffledBatches forwards(Ten(), {.size = 3, .per_epoch = 3, .seed = 1});
  ShuffledBatches backwards(Ten(), {.size = 3, .per_epoch = 3, .seed = 1});
  std::vector<std::vector<std::int64_t>> seen;
  for (std::int64_t q = 0; q < 9; ++q) {
    seen.push_back(Values(forwards.Input(q)));
  }
  for (std::int64_t q = 8; q >= 0; --q) {
    EXPECT_EQ(Values(backwards.Input(q)), seen[static_cast<std::size_t>(q)]);
  }
  EXPECT_NE(seen[0], seen[3]);  // Another epoch, another order.
  ShuffledBatches other(Ten(), {.size = 3, .per_epoch = 3, .seed = 2});
  EXPECT_NE(Values(other.Input(0)), seen[0]);
}

TEST(OrderedBatches, HaveEverySampleOnceAndASmallerLast) {
  EXPECT_EQ(OrderedBatches::Count(*Ten(), 4), 3);
  OrderedBatches batches(Ten(), 4);
  EXPECT_EQ(Values(batches.Input(1)), (std::vector<std::int64_t>{4, 5, 6, 7}));
  EXPECT_EQ(Values(batches.Target(2)), (std::vector<std::int64_t>{108, 109}));
}

TEST(RecordedBatches, ComeInTheirOrderAndAgain) {
  ShuffledBatches source(Ten(), {.size = 3, .per_epoch = 3, .seed = 1});
  const Safetensors content = RecordBatches(source, 2);
  EXPECT_EQ(content.tensors.size(), 4U);
  RecordedBatches batches(std::make_shared<const std::vector<DataSet>>(
                              OrThrow(ReadRecordedBatches(content, {.tokens = true}, "a"))),
                          2);
  for (std::int64_t q = 0; q < 4; ++q) {
    EXPECT_EQ(Values(batches.Input(q)), Values(source.Input(q % 2)));
    EXPECT_EQ(Values(batches.Target(q)), Values(source.Target(q % 2)));
  }
}

TEST(RecordedBatches, AnEpochHasTheFirstOfThemOnly) {
  ShuffledBatches source(Ten(), {.size = 3, .per_epoch = 3, .seed = 1});
  RecordedBatches batches(std::make_shared<const std::vector<DataSet>>(OrThrow(ReadRecordedBatches(
                              RecordBatches(source, 3), {.tokens = true}, "a"))),
                          2);
  for (std::int64_t q = 0; q < 6; ++q) {
    EXPECT_EQ(Values(batches.Input(q)), Values(source.Input(q % 2)));
  }
}

TEST(BatchSource, WeighsMicrobatchesBySamples) {
  const auto ten = Ten();
  OrderedBatches batches(ten, 4);  // 4, 4 and 2 samples.
  EXPECT_EQ(batches.Weight(0), 1);
  EXPECT_EQ(batches.Weight(1), 1);
  EXPECT_EQ(batches.Weight(2), 0.5);
}

HostTensor MatrixOfZeros() {
  HostTensor tensor = MakeHostTensor(ElementType::kInt64, {2, 3});
  std::fill_n(tensor.memory.data, tensor.memory.bytes, std::byte{0});
  return tensor;
}

std::string FaultsOf(Safetensors content) {
  return test::Texts(ReadRecordedBatches(content, {}, "a.safetensors").diagnostics);
}

TEST(RecordedBatches, AFileThatIsNoneIsRefused) {
  EXPECT_EQ(FaultsOf({}),
            "a.safetensors: error: expected tensors x.0, y.0, x.1, y.1, ... without a gap and no "
            "others; found 0 of 0 tensors so\n");
  EXPECT_EQ(FaultsOf({{{"x.0", Numbers(2)}, {"y.0", Numbers(2)}, {"x.2", Numbers(2)}}, {}}),
            "a.safetensors: error: expected tensors x.0, y.0, x.1, y.1, ... without a gap and no "
            "others; found 2 of 3 tensors so\n");
  EXPECT_EQ(FaultsOf({{{"x.0", Numbers(2)}, {"y.0", Numbers(3)}}, {}}),
            "a.safetensors: error: x.0 and y.0: expected as many samples in both, at least one, "
            "got the shapes [2] and [3]\n");
  EXPECT_EQ(FaultsOf({{{"x.0", Numbers(2)},
                       {"y.0", Numbers(2)},
                       {"x.1", MatrixOfZeros()},
                       {"y.1", Numbers(2)}},
                      {}}),
            "a.safetensors: error: x.1: expected type and sample shape of x.0, [], got [3]\n");
}

template <typename T>
HostTensor TensorOf(ElementType type, TensorShape shape, const std::vector<T>& values) {
  HostTensor tensor = MakeHostTensor(type, std::move(shape));
  std::copy(values.begin(), values.end(), reinterpret_cast<T*>(tensor.memory.data));
  return tensor;
}

std::string FaultsOfTargets(HostTensor y, const DataWanted& wanted) {
  const Safetensors content{{{"x.0", Numbers(2)}, {"y.0", std::move(y)}}, {}};
  return test::Texts(ReadRecordedBatches(content, wanted, "a.safetensors").diagnostics);
}

TEST(RecordedBatches, AreConvertedToWhatIsWanted) {
  const Safetensors content{
      {{"x.0", TensorOf<std::uint8_t>(ElementType::kUint8, {2, 2}, {0, 255, 7, 1})},
       {"y.0", TensorOf<std::uint8_t>(ElementType::kUint8, {2}, {3, 1})}},
      {}};
  std::vector<DataSet> read = OrThrow(ReadRecordedBatches(content, {}, "a"));
  EXPECT_EQ(read[0].x.type, ElementType::kFloat32);
  EXPECT_EQ(reinterpret_cast<const float*>(read[0].x.memory.data)[1], 255);
  EXPECT_EQ(read[0].y.type, ElementType::kInt64);
  EXPECT_EQ(Values(read[0].y), (std::vector<std::int64_t>{3, 1}));
  EXPECT_EQ(LargestTarget(read).value, 3);
  EXPECT_EQ(LargestTarget(read).where, "y.0: element [0]");

  read = OrThrow(ReadRecordedBatches(
      content, {.type = ElementType::kFloat64, .tokens = true, .classes = false}, "a"));
  EXPECT_EQ(Values(read[0].x), (std::vector<std::int64_t>{0, 255, 7, 1}));
  EXPECT_EQ(LargestToken(read).where, "x.0: element [0, 1]");
  EXPECT_EQ(read[0].y.type, ElementType::kFloat64);
  EXPECT_EQ(LargestTarget(read).value, -1);
}

TEST(RecordedBatches, ClassesThatAreNoneAreRefusedWithTheirPlace) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(
      FaultsOfTargets(TensorOf<float>(ElementType::kFloat32, {2}, {2, nan}), {.classes = true}),
      "a.safetensors: error: y.0: element [1] is NaN; expected a whole number\n");
  EXPECT_EQ(
      FaultsOfTargets(TensorOf<float>(ElementType::kFloat32, {2}, {0.5, 0}), {.classes = true}),
      "a.safetensors: error: y.0: element [0] is 0.5; expected a whole number\n");
  EXPECT_EQ(FaultsOfTargets(TensorOf<float>(ElementType::kFloat32, {2}, {2, 0}), {.classes = true}),
            "");
  EXPECT_EQ(FaultsOfTargets(TensorOf<std::int64_t>(ElementType::kInt64, {2, 1}, {0, -1}), {}),
            "a.safetensors: error: y.0: element [1, 0] is -1; expected a whole number from 0 to "
            "1048575, a class\n");
  EXPECT_EQ(FaultsOfTargets(TensorOf<std::int64_t>(ElementType::kInt64, {2}, {1 << 20, 0}), {}),
            "a.safetensors: error: y.0: element [0] is 1048576; expected a whole number from 0 to "
            "1048575, a class\n");
  EXPECT_EQ(FaultsOfTargets(TensorOf<std::int64_t>(ElementType::kInt64, {2}, {0, (1 << 24) + 1}),
                            {.classes = false}),
            "a.safetensors: error: y.0: element [1] is 16777217; expected a number that float32 "
            "has\n");
}

}  // namespace
}  // namespace stagecraft
