#include "engine/cuda/found_devices.h"

#include <cerrno>
#include <cuda_runtime_api.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

namespace stagecraft {
namespace {

std::string VersionText(int code) {
  constexpr int kThousand = 1000;
  constexpr int kTen = 10;
  return std::to_string(code / kThousand) + "." + std::to_string(code % kThousand / kTen);
}

/// A line: the number of devices, a space, a text.
std::string AskCuda() {
  int count = 0;
  int driver = 0;
  int runtime = 0;
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  if (driver == 0) {
    return "0 there is no NVIDIA driver";
  }

  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess || count == 0) {
    return std::string("0 CUDA says: ") +
           cudaGetErrorString(status == cudaSuccess ? cudaErrorNoDevice : status);
  }

  cudaDeviceProp properties{};
  if (cudaGetDeviceProperties(&properties, 0) != cudaSuccess) {
    return "0 the first GPU does not answer";
  }
  constexpr std::size_t kGiB = std::size_t{1} << 30;
  return std::to_string(count) + " " + std::to_string(count) + " x " + properties.name + " (" +
         std::to_string(properties.totalGlobalMem / kGiB) + " GiB, " +
         std::to_string(properties.multiProcessorCount) + " multiprocessors), driver for CUDA " +
         VersionText(driver) + ", CUDA " + VersionText(runtime);
}

std::string ReadAll(int descriptor) {
  std::string text;
  char bytes[512];
  while (true) {
    const ssize_t got = read(descriptor, bytes, sizeof bytes);
    if (got > 0) {
      text.append(bytes, static_cast<std::size_t>(got));
    } else if (got == 0 || errno != EINTR) {
      return text;
    }
  }
}

}  // namespace

DevicesFound FindCudaDevices() {
  int ends[2];
  if (pipe(ends) != 0) {
    return {0, "no pipe to ask CUDA through"};
  }

  // CUDA is asked in a process of its own, since a process that has used it cannot fork.
  const pid_t process = fork();
  if (process == 0) {
    const std::string line = AskCuda();
    [[maybe_unused]] const ssize_t written = write(ends[1], line.data(), line.size());
    _exit(0);
  }

  close(ends[1]);
  const std::string line = process > 0 ? ReadAll(ends[0]) : "";
  close(ends[0]);
  if (process > 0) {
    waitpid(process, nullptr, 0);
  }

  const std::size_t space = line.find(' ');
  if (space == std::string::npos) {
    return {0, "CUDA ended the process that asked it for GPUs"};
  }
  return {std::stoi(line.substr(0, space)), line.substr(space + 1)};
}

}  // namespace stagecraft
