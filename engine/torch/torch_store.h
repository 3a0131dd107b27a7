#pragma once

#include <memory>

#include "engine/ranks/store.h"

namespace stagecraft {

/// A store over TCP that torchrun's own processes understand: c10d's TCPStore. If it is to serve,
/// it listens on `address.host` only, and lives as long as this object.
std::unique_ptr<Store> ConnectTcpStore(const StoreAddress& address);

}  // namespace stagecraft
