#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/failure.h"

namespace stagecraft {

/// What a rank's process tells the launcher: a letter, a length of 8 bytes, so many bytes.
///
///   T  what does your clock say? (8 bytes come back)
///   R  ready to start    P  a report    D  done: spans, then the result
///   A  stopped because another rank ended the job    F  failed: `PackFailure`
struct ControlMessage {
  char type = 'R';
  std::string body;
};

/// Writes it all to a socket. If the other end is gone, nothing happens: this process ends with
/// the launcher.
void SendMessage(int socket, char type, std::string_view body);

/// The first whole message of `received`, taken from its front; nothing if there is none yet.
std::optional<ControlMessage> TakeMessage(std::string& received);

std::string PackFailure(const Failure& failure);
Failure UnpackFailure(std::int32_t rank, const std::string& body);

}  // namespace stagecraft
