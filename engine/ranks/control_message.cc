#include "engine/ranks/control_message.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <sys/socket.h>

#include <fmt/format.h>

namespace stagecraft {

void SendMessage(int socket, ControlKind kind, std::string_view body) {
  const auto size = static_cast<std::uint64_t>(body.size());
  std::string message(1, static_cast<char>(kind));
  message.append(reinterpret_cast<const char*>(&size), sizeof size);
  message += body;

  for (std::size_t sent = 0; sent < message.size();) {
    const ssize_t count = send(socket, message.data() + sent, message.size() - sent, MSG_NOSIGNAL);
    if (count < 0 && errno != EINTR) {
      return;
    }
    sent += static_cast<std::size_t>(std::max<ssize_t>(count, 0));
  }
}

std::optional<ControlMessage> TakeMessage(std::string& received) {
  std::uint64_t size = 0;
  constexpr std::size_t kHead = 1 + sizeof size;
  if (received.size() < kHead) {
    return std::nullopt;
  }
  std::memcpy(&size, received.data() + 1, sizeof size);
  if (received.size() - kHead < size) {
    return std::nullopt;
  }

  ControlMessage message{static_cast<ControlKind>(received.front()), received.substr(kHead, size)};
  received.erase(0, kHead + size);
  return message;
}

std::string PackFailure(const Failure& failure) {
  return fmt::format("{:d}{}\n{}\n{}", failure.consequence, failure.index, failure.op,
                     failure.reason);
}

Failure UnpackFailure(std::int32_t rank, const std::string& body) {
  const std::size_t first = body.find('\n');
  const std::size_t second = body.find('\n', first + 1);
  return {rank, std::stoi(body.substr(1, first - 1)), body.substr(first + 1, second - first - 1),
          body.substr(second + 1), body.front() == '1'};
}

}  // namespace stagecraft
