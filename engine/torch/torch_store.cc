#include "engine/torch/torch_store.h"

#include <utility>
#include <vector>

#include <c10/util/Exception.h>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "engine/ranks/tcp.h"
#include "engine/torch/plain_errors.h"

namespace stagecraft {
namespace {

class TorchStore : public Store {
 public:
  explicit TorchStore(c10::intrusive_ptr<c10d::Store> store) : store_(std::move(store)) {}

  void Set(const std::string& key, const std::string& value) override {
    WithPlainErrors(
        [&] { store_->set(key, std::vector<std::uint8_t>(value.begin(), value.end())); });
  }

  std::string Get(const std::string& key, std::chrono::milliseconds deadline) override {
    return WithPlainErrors([&] {
      store_->wait({key}, deadline);
      const std::vector<std::uint8_t> value = store_->get(key);
      return std::string(value.begin(), value.end());
    });
  }

 private:
  c10::intrusive_ptr<c10d::Store> store_;
};

}  // namespace

std::unique_ptr<Store> ConnectTcpStore(const StoreAddress& address) {
  c10d::TCPStoreOptions options;
  options.port = static_cast<std::uint16_t>(address.port);
  options.isServer = address.serves;
  options.waitWorkers = false;
  options.timeout = address.deadline;
  if (address.serves) {
    options.masterListenFd = ListenOn(address.host, address.port).Release();
  }

  try {
    return std::make_unique<TorchStore>(c10::make_intrusive<c10d::TCPStore>(address.host, options));
  } catch (const c10::Error& error) {
    throw Error("no store at " + address.host + " port " + std::to_string(address.port) + ": " +
                error.what_without_backtrace());
  }
}

}  // namespace stagecraft
