#pragma once

#include <c10/util/Exception.h>

#include "schedules/diagnostic.h"

namespace stagecraft {

/// Makes what LibTorch throws an `Error` without the backtrace that it appends.
template <typename Call>
auto WithPlainErrors(const Call& call) {
  try {
    return call();
  } catch (const c10::Error& error) {
    throw Error(error.what_without_backtrace());
  }
}

}  // namespace stagecraft
