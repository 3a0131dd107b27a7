#include "engine/ranks/control_message.h"

#include <sys/socket.h>

#include <gtest/gtest.h>

#include "engine/ranks/descriptor.h"

namespace stagecraft {
namespace {

TEST(ControlMessage, ArriveWholeAndInOrderHoweverTheirBytesCome) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  const Descriptor near(ends[0]);
  const Descriptor far(ends[1]);
  SendMessage(near.Get(), ControlKind::kReport, "report");
  SendMessage(near.Get(), ControlKind::kDone);
  std::string received;
  std::string seen;
  char byte = 0;
  for (int i = 0; i < 9 + 6 + 9; ++i) {
    ASSERT_EQ(recv(far.Get(), &byte, 1, 0), 1);
    received += byte;
    while (std::optional<ControlMessage> message = TakeMessage(received)) {
      seen += static_cast<char>(message->kind) + message->body + ";";
    }
  }
  EXPECT_EQ(seen, "Preport;D;");
}

TEST(ControlMessage, AFailureIsUnpackedAsItWas) {
  const Failure failure{2, 7, "2B3@1", "two\nlines", true};
  const Failure same = UnpackFailure(2, PackFailure(failure));
  EXPECT_EQ(same.Text(), failure.Text());
  EXPECT_TRUE(same.consequence);
}

}  // namespace
}  // namespace stagecraft
