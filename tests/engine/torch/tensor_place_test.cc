#include "engine/torch/tensor_place.h"

#include <cstring>

#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include "tests/engine/fake_device.h"

namespace stagecraft {
namespace {

// On a device: tests/engine/cuda/cuda_framework_test.cc, which trains there.

TEST(TensorPlace, InMainMemoryTensorsPassWithoutACopy) {
  const TensorPlace place(nullptr, ElementType::kFloat32);
  const at::Tensor tensor = at::arange(6, place.Options()).view({2, 3});
  Boundary boundary = place.ToStage(tensor, tensor);
  EXPECT_EQ(boundary.data, static_cast<std::byte*>(tensor.data_ptr()));
  EXPECT_EQ(boundary.bytes, 24U);
  EXPECT_EQ(boundary.ready, nullptr);
  const at::Tensor there = place.FromStage(std::move(boundary), {2, 3});
  EXPECT_EQ(there.data_ptr(), tensor.data_ptr());
  EXPECT_TRUE(at::equal(there, tensor));
}

TEST(TensorPlace, OnADeviceWhatAStagePassesThroughIsACopy) {
  // A device whose streams are threads and whose memory is main memory.
  test::FakeDevice device;
  const TensorPlace place(&device, ElementType::kFloat32);
  const at::Tensor received = at::arange(6, at::kFloat);
  const at::Tensor view = received.view({2, 3});
  const at::Tensor other = at::arange(6, at::kFloat);

  const Boundary copy = place.ToStage(view, received);
  EXPECT_NE(copy.data, static_cast<std::byte*>(received.data_ptr()));
  EXPECT_EQ(std::memcmp(copy.data, received.data_ptr(), copy.bytes), 0);
  EXPECT_NE(copy.ready, nullptr);
  EXPECT_EQ(place.ToStage(other, received).data, static_cast<std::byte*>(other.data_ptr()));
  EXPECT_EQ(place.ToStage(other, at::Tensor()).data, static_cast<std::byte*>(other.data_ptr()));
}

TEST(TensorPlace, DataKeepsItsType) {
  const TensorPlace place(nullptr, ElementType::kFloat32);
  HostTensor data = MakeHostTensor(ElementType::kInt64, {2});
  const std::int64_t tokens[] = {7, 9};
  std::memcpy(data.memory.data, tokens, sizeof tokens);
  const at::Tensor tensor = place.FromData(std::move(data));
  EXPECT_EQ(tensor.scalar_type(), at::kLong);
  EXPECT_EQ(tensor[1].item<std::int64_t>(), 9);
}

TEST(TensorPlace, NumbersAreKnownAtOnceInMainMemory) {
  const TensorPlace place(nullptr, ElementType::kFloat32);
  const TensorPlace::Arriving arriving = place.ToMainMemory(at::arange(3, place.Options()));
  EXPECT_TRUE(place.IsKnown(arriving));
  EXPECT_EQ(arriving.numbers[2].item<double>(), 2);
}

}  // namespace
}  // namespace stagecraft
