#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/failure.h"

namespace stagecraft {

/// What a message of a rank's process to the control room says. The values are what is sent.
enum class ControlKind : char {
  kClock = 'T',    ///< It asks what the control room's clock says; 8 bytes come back.
  kReady = 'R',    ///< It is ready to start.
  kReport = 'P',   ///< A report, for whoever started the job.
  kDone = 'D',     ///< Its program has run: the rank's record, then its result.
  kAborted = 'A',  ///< It stops, because another rank ended the job.
  kFailed = 'F',   ///< It has failed: `PackFailure`.
};

/// On its way: the kind as one byte, the length of the body in 8 bytes, the body.
struct ControlMessage {
  ControlKind kind = ControlKind::kReady;
  std::string body;
};

/// Writes a message to a socket. If the other end is gone, nothing happens: this process ends with
/// the launcher.
void SendMessage(int socket, ControlKind kind, std::string_view body = {});

/// The first whole message of `received`, taken from its front; nothing if there is none yet.
std::optional<ControlMessage> TakeMessage(std::string& received);

std::string PackFailure(const Failure& failure);
Failure UnpackFailure(std::int32_t rank, const std::string& body);

}  // namespace stagecraft
