#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "schedules/diagnostic.h"

namespace stagecraft {

/// Where the ranks of a job leave notes for each other before they are connected.
class Store {
 public:
  Store() = default;
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  virtual ~Store() = default;

  virtual void Set(const std::string& key, const std::string& value) = 0;

  /// Waits until somebody has set `key`. Throws `Error` when the deadline passes.
  virtual std::string Get(const std::string& key, std::chrono::milliseconds deadline) = 0;
};

/// A store for ranks that are threads of one process.
class MemoryStore : public Store {
 public:
  void Set(const std::string& key, const std::string& value) override {
    const std::lock_guard lock(mutex_);
    values_[key] = value;
    changed_.notify_all();
  }

  std::string Get(const std::string& key, std::chrono::milliseconds deadline) override {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, deadline, [&] { return values_.contains(key); })) {
      throw Error("nobody has left '" + key + "' in the store within the deadline");
    }
    return values_.at(key);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::string> values_;
};

/// How to reach a store.
struct StoreAddress {
  std::string host;
  int port = 0;
  bool serves = false;  ///< Whether this process runs the store, bound to `host` only.
  std::chrono::milliseconds deadline{60'000};
};

}  // namespace stagecraft
