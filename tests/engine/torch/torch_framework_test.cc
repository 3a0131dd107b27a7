#include "engine/torch/torch_framework.h"

#include <thread>

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

namespace stagecraft {
namespace {

TEST(TorchFramework, SaysWhichVersionItIs) {
  EXPECT_EQ(TorchFramework().Version().rfind("LibTorch 2.", 0), 0U) << TorchFramework().Version();
}

TEST(TorchFramework, ComputesOnOneThreadPerRank) {
  std::thread([] {
    TorchFramework().PrepareThread();
    EXPECT_EQ(at::get_num_threads(), 1);
  }).join();
}

}  // namespace
}  // namespace stagecraft
