#include "engine/framework_loader.h"

#include <gtest/gtest.h>

namespace stagecraft {
namespace {

std::string Failure(const std::string& file) {
  try {
    LoadFramework(file);
  } catch (const NoFramework& error) {
    return error.what();
  }
  return "loaded";
}

TEST(LoadFramework, SaysWhyThereIsNone) {
  EXPECT_EQ(Failure("/no/such/file.so").rfind("LibTorch cannot be loaded: /no/such/file.so", 0), 0U)
      << Failure("/no/such/file.so");
  EXPECT_EQ(Failure("libc.so.6"),
            "libc.so.6 is not a part of this program: it has no StagecraftFramework");
}

TEST(LoadFramework, BesideAProgramThatHasNoneSaysHowToGetIt) {
  try {
    LoadFramework(FrameworkKind::kMainMemory);  // This test is not where the program is.
    FAIL() << "expected none";
  } catch (const NoFramework& error) {
    EXPECT_NE(std::string(error.what()).find("run tools/install-libtorch or set TORCH_ROOT"),
              std::string::npos)
        << error.what();
  }
  try {
    LoadFramework(FrameworkKind::kGpus);
    FAIL() << "expected none";
  } catch (const NoFramework& error) {
    EXPECT_NE(std::string(error.what()).find("built without its part for GPUs"), std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace stagecraft
