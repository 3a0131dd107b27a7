#include "engine/framework_loader.h"

#include <dlfcn.h>
#include <filesystem>
#include <system_error>

namespace stagecraft {
namespace {

constexpr const char* kEntry = "StagecraftFramework";

std::string ProgramFolder() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).parent_path().string();
}

}  // namespace

Framework& LoadFramework(FrameworkKind kind) {
  const bool gpus = kind == FrameworkKind::kGpus;
  const std::filesystem::path beside = ProgramFolder();
  const std::filesystem::path file =
      (beside / "../lib/stagecraft" / (gpus ? "libstagecraft_cuda.so" : "libstagecraft_torch.so"))
          .lexically_normal();
  if (std::filesystem::exists(file)) {
    return LoadFramework(file.string());
  }

  if (gpus) {
    throw NoFramework("this program was built without its part for GPUs (no " + file.string() +
                      "); build it where nvcc is, with a LibTorch that has its CUDA libraries "
                      "(tools/install-libtorch --gpu)");
  }
  throw NoFramework("this program was built without LibTorch, which computes models (no " +
                    file.string() +
                    "); run tools/install-libtorch or set TORCH_ROOT, then build again");
}

Framework& LoadFramework(const std::string& file) {
  void* const library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    throw NoFramework("LibTorch cannot be loaded: " + std::string(dlerror()));
  }
  using Entry = Framework* (*)();
  const auto entry = reinterpret_cast<Entry>(dlsym(library, kEntry));
  if (entry == nullptr) {
    throw NoFramework(file + " is not a part of this program: it has no " + kEntry);
  }
  return *entry();
}

}  // namespace stagecraft
