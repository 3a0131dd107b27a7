#include "engine/batches.h"

#include <algorithm>
#include <cstring>
#include <numeric>
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
      OrThrow(ReadRecordedBatches(content, ElementType::kFloat32, "a"))));
  for (std::int64_t q = 0; q < 4; ++q) {
    EXPECT_EQ(Values(batches.Input(q)), Values(source.Input(q % 2)));
    EXPECT_EQ(Values(batches.Target(q)), Values(source.Target(q % 2)));
  }
}

std::string FaultsOf(Safetensors content) {
  return test::Texts(
      ReadRecordedBatches(content, ElementType::kFloat32, "a.safetensors").diagnostics);
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
                       {"x.1", MakeHostTensor(ElementType::kInt64, {2, 3})},
                       {"y.1", Numbers(2)}},
                      {}}),
            "a.safetensors: error: x.1: expected type and sample shape of x.0, [], got [3]\n");
}

}  // namespace
}  // namespace stagecraft
