#include "engine/torch/tensor_place.h"

#include <exception>
#include <utility>
#include <vector>

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include "engine/torch/tensor_memory.h"

namespace stagecraft {
namespace {

at::Device DeviceOf(const Device* device) {
  return device == nullptr ? at::Device(at::kCPU)
                           : at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(device->Number()));
}

}  // namespace

TensorPlace::TensorPlace(Device* device, ElementType type)
    : device_(device),
      type_(type),
      options_(at::TensorOptions().dtype(ScalarTypeOf(type)).device(DeviceOf(device))),
      shelf_(device == nullptr ? nullptr : std::make_shared<Shelf>(*device)) {}

at::Tensor TensorPlace::FromStage(Boundary boundary, const TensorShape& shape) const {
  if (device_ == nullptr) {
    return TensorOver(std::move(boundary), shape, type_);
  }

  // A tensor of another device is copied to this one first.
  const Device::Stream compute = device_->ComputeStream();
  device_->Wait(compute, *boundary.ready);
  if (boundary.ready->device != device_->Number()) {
    Boundary copy = device_->CopyHere(boundary);
    shelf_->Keep(std::move(boundary.owner), compute);
    boundary = std::move(copy);
  }

  // The memory is given back when the compute stream has used it.
  void* const data = boundary.data;
  const auto let_go = [shelf = shelf_, compute,
                       owner = std::move(boundary.owner)](void*) mutable noexcept {
    try {
      shelf->Keep(std::move(owner), compute);
    } catch (const std::exception&) {  // The device has failed, which the next op will say.
    }
  };
  return at::from_blob(data, shape, let_go, options_);
}

at::Tensor TensorPlace::FromData(HostTensor data) const {
  at::Tensor tensor = TensorOver(std::move(data.memory), data.shape, data.type);
  if (device_ == nullptr) {
    return tensor;
  }
  // Pinned, since copies from other memory wait for the stream.
  return tensor.pin_memory().to(options_.device(), /*non_blocking=*/true);
}

Boundary TensorPlace::ToStage(const at::Tensor& tensor, const at::Tensor& received) const {
  if (device_ == nullptr) {
    return BoundaryOver(tensor);
  }
  const bool is_view = received.defined() && tensor.is_alias_of(received);
  Boundary boundary = BoundaryOver(is_view ? tensor.detach().clone() : tensor);
  boundary.ready = device_->Record(device_->ComputeStream());
  return boundary;
}

void TensorPlace::Reserve(std::int64_t bytes, std::int32_t count) const {
  // LibTorch keeps pinned memory that is let go of, and gives it out again.
  std::vector<at::Tensor> blocks;
  for (std::int32_t i = 0; device_ != nullptr && i < count; ++i) {
    blocks.push_back(at::empty({bytes}, at::TensorOptions().dtype(at::kByte).pinned_memory(true)));
  }
}

at::Tensor TensorPlace::Over(std::byte* data, const TensorShape& shape) const {
  return at::from_blob(data, shape, options_);
}

TensorPlace::Arriving TensorPlace::ToMainMemory(const at::Tensor& numbers) const {
  if (device_ == nullptr) {
    return {numbers.detach(), nullptr};
  }
  at::Tensor there = at::empty(
      numbers.sizes(), at::TensorOptions().dtype(numbers.scalar_type()).pinned_memory(true));
  there.copy_(numbers.detach(), /*non_blocking=*/true);
  return {there, device_->Record(device_->ComputeStream())};
}

}  // namespace stagecraft
