#include "tools/runs/compute_description.h"

#include <gtest/gtest.h>

namespace stagecraft {
namespace {

TEST(ComputeDescription, InMainMemoryIsTheFramework) {
  const ComputeDescription compute{.framework = "LibTorch 2.11.0, of a distribution",
                                   .devices = "",
                                   .nccl = "",
                                   .tf32 = true,
                                   .deterministic = false};
  EXPECT_EQ(ToString(compute), "LibTorch 2.11.0, of a distribution");
  EXPECT_EQ(DevicesText(compute), "");
}

TEST(ComputeDescription, OnDevicesSaysHowTheyCompute) {
  ComputeDescription compute{.framework = "LibTorch 2.11.0",
                             .devices = "2 x NVIDIA H200, driver 580.65",
                             .nccl = "NCCL 2.27.5",
                             .tf32 = false,
                             .deterministic = true};
  EXPECT_EQ(ToString(compute),
            "LibTorch 2.11.0, 2 x NVIDIA H200, driver 580.65, NCCL 2.27.5, TF32 off, "
            "deterministic");
  compute.nccl.clear();
  compute.tf32 = true;
  compute.deterministic = false;
  EXPECT_EQ(DevicesText(compute), "2 x NVIDIA H200, driver 580.65, TF32 on, not deterministic");
}

}  // namespace
}  // namespace stagecraft
