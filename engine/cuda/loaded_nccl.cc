#include "engine/cuda/loaded_nccl.h"

#include <cstring>
#include <dlfcn.h>
#include <map>
#include <mutex>
#include <nccl.h>

namespace stagecraft {
namespace {

/// The calls by their types in the header that this was compiled with.
struct NcclTable {
  decltype(&ncclGetVersion) get_version = nullptr;
  decltype(&ncclGetUniqueId) get_unique_id = nullptr;
  decltype(&ncclCommInitRankConfig) init_rank = nullptr;
  decltype(&ncclCommGetAsyncError) get_async_error = nullptr;
  decltype(&ncclGetErrorString) error_text = nullptr;
  decltype(&ncclGetLastError) last_error = nullptr;
  decltype(&ncclSend) send = nullptr;
  decltype(&ncclRecv) receive = nullptr;
  decltype(&ncclAllGather) all_gather = nullptr;
  decltype(&ncclCommFinalize) finalize = nullptr;
  decltype(&ncclCommDestroy) destroy = nullptr;
  decltype(&ncclCommAbort) abort = nullptr;
};

std::string VersionText(int code) {
  constexpr int kThousands = 10000;
  constexpr int kHundreds = 100;
  return std::to_string(code / kThousands) + "." + std::to_string(code / kHundreds % kHundreds) +
         "." + std::to_string(code % kHundreds);
}

void* OpenLibrary() {
  constexpr const char* kFile = "libnccl.so.2";
  void* const library = dlopen(kFile, RTLD_NOW | RTLD_NOLOAD);
  if (library == nullptr) {
    throw Error(
        "LibTorch has not brought NCCL with it, which connects GPUs of several processes "
        "(no " +
        std::string(kFile) + " in this process)");
  }
  return library;
}

template <typename Call>
void Find(void* library, const char* name, Call& call) {
  call = reinterpret_cast<Call>(dlsym(library, name));
  if (call == nullptr) {
    throw Error(std::string("the NCCL of LibTorch has no ") + name + "; expected 2.18 or later");
  }
}

NcclTable FindCalls() {
  void* const library = OpenLibrary();
  NcclTable table;

  Find(library, "ncclGetVersion", table.get_version);
  Find(library, "ncclGetUniqueId", table.get_unique_id);
  Find(library, "ncclCommInitRankConfig", table.init_rank);
  Find(library, "ncclCommGetAsyncError", table.get_async_error);
  Find(library, "ncclGetErrorString", table.error_text);
  Find(library, "ncclGetLastError", table.last_error);

  Find(library, "ncclSend", table.send);
  Find(library, "ncclRecv", table.receive);
  Find(library, "ncclAllGather", table.all_gather);

  Find(library, "ncclCommFinalize", table.finalize);
  Find(library, "ncclCommDestroy", table.destroy);
  Find(library, "ncclCommAbort", table.abort);
  return table;
}

class LoadedNccl : public Nccl {
 public:
  LoadedNccl() : calls_(FindCalls()) { Throw(calls_.get_version(&version_), "ncclGetVersion"); }

  std::string Version() const override {
    const std::string loaded = "NCCL " + VersionText(version_);
    return version_ == NCCL_VERSION_CODE
               ? loaded
               : loaded + " (compiled for " + VersionText(NCCL_VERSION_CODE) + ")";
  }
  std::int32_t VersionCode() const override { return version_; }

  Id MakeId() override {
    ncclUniqueId made;
    Throw(calls_.get_unique_id(&made), "ncclGetUniqueId");
    Id id{};
    static_assert(sizeof made == sizeof id);
    std::memcpy(id.data(), made.internal, id.size());
    return id;
  }

  State Connect(Comm* comm, const Id& id, std::int32_t rank, std::int32_t ranks,
                std::int32_t ctas) override {
    ncclUniqueId with;
    std::memcpy(with.internal, id.data(), id.size());
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;
    config.minCTAs = 1;
    config.maxCTAs = ctas;
    ncclComm_t made = nullptr;
    const ncclResult_t result = calls_.init_rank(&made, ranks, with, rank, &config);
    *comm = made;
    return Note(made, result);
  }

  State StateOf(Comm comm) override {
    ncclResult_t state = ncclSuccess;
    const ncclResult_t result = calls_.get_async_error(As(comm), &state);
    return Note(comm, result == ncclSuccess ? state : result);
  }

  std::string Fault(Comm comm) override {
    const std::lock_guard lock(mutex_);
    const auto found = faults_.find(comm);
    const ncclResult_t result = found == faults_.end() ? ncclInternalError : found->second;
    std::string text = calls_.error_text(result);
    if (const char* const more = calls_.last_error(As(comm)); more != nullptr && *more != '\0') {
      text += std::string(" (") + more + ")";
    }
    return text;
  }

  State Send(Comm comm, const std::byte* data, std::size_t bytes, std::int32_t to,
             Device::Stream stream) override {
    return Note(comm, calls_.send(data, bytes, ncclInt8, to, As(comm), StreamOf(stream)));
  }
  State Receive(Comm comm, std::byte* data, std::size_t bytes, std::int32_t from,
                Device::Stream stream) override {
    return Note(comm, calls_.receive(data, bytes, ncclInt8, from, As(comm), StreamOf(stream)));
  }
  State AllGather(Comm comm, const std::byte* data, std::byte* gathered, std::size_t bytes,
                  Device::Stream stream) override {
    return Note(comm,
                calls_.all_gather(data, gathered, bytes, ncclInt8, As(comm), StreamOf(stream)));
  }

  State Finalize(Comm comm) override { return Note(comm, calls_.finalize(As(comm))); }
  void Destroy(Comm comm) override { Throw(calls_.destroy(As(comm)), "ncclCommDestroy"); }
  void Abort(Comm comm) override { static_cast<void>(calls_.abort(As(comm))); }

 private:
  static ncclComm_t As(Comm comm) { return static_cast<ncclComm_t>(comm); }
  static cudaStream_t StreamOf(Device::Stream stream) { return static_cast<cudaStream_t>(stream); }

  void Throw(ncclResult_t result, const char* call) const {
    if (result != ncclSuccess && result != ncclInProgress) {
      throw Error(std::string(call) + ": " + calls_.error_text(result));
    }
  }

  State Note(Comm comm, ncclResult_t result) {
    if (result == ncclSuccess) {
      return State::kDone;
    }
    if (result == ncclInProgress) {
      return State::kInProgress;
    }
    const std::lock_guard lock(mutex_);
    faults_[comm] = result;
    return State::kFailed;
  }

  NcclTable calls_;
  int version_ = 0;
  std::mutex mutex_;
  std::map<Comm, ncclResult_t> faults_;
};

}  // namespace

std::unique_ptr<Nccl> LoadNccl() {
  return std::make_unique<LoadedNccl>();
}

}  // namespace stagecraft
