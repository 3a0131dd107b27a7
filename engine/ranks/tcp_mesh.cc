#include "engine/ranks/tcp_mesh.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <span>
#include <sys/random.h>

#include <fmt/format.h>

#include "engine/ranks/tcp.h"

namespace stagecraft {
namespace {

using Clock = std::chrono::steady_clock;

enum class Purpose : std::uint8_t { kTensors, kControl };

enum class Answer : char {
  kYes = 'Y',
  kStranger = 'N',
  kOtherJob = 'J',
  kUnexpected = 'U',  ///< Nobody waits for that rank, or for it once more.
};

constexpr std::size_t kSecretBytes = 32;
constexpr std::array<char, 16> kMagic{'s', 't', 'a', 'g', 'e', 'c', 'r', 'a', 'f', 't', ' ', '1'};

/// All that whoever connects sends; both ends have the same order of bytes.
struct Greeting {
  std::array<char, 16> magic = kMagic;
  std::array<char, kSecretBytes> secret{};
  std::uint64_t fingerprint = 0;
  std::int32_t from = 0;
  std::int32_t to = 0;
  std::int32_t purpose = 0;
  std::int32_t reserved = 0;
};
static_assert(sizeof(Greeting) == 16 + kSecretBytes + 8 + 16);

std::string NewSecret() {
  std::string secret(kSecretBytes, '\0');
  if (getrandom(secret.data(), secret.size(), 0) != static_cast<ssize_t>(secret.size())) {
    throw Error("the system has no random numbers for the job's secret");
  }
  return secret;
}

/// In a time that does not depend on where they differ.
bool SameSecret(const std::array<char, kSecretBytes>& a, const std::string& b) {
  unsigned difference = b.size() == a.size() ? 0 : 1;
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) {
    difference |=
        static_cast<unsigned>(static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]));
  }
  return difference == 0;
}

class MeshBuilder {
 public:
  MeshBuilder(Store& store, const MeshOptions& options)
      : store_(store), options_(options), end_(Clock::now() + options.deadline) {}

  Mesh Build() {
    const TcpListener listener(options_.host);
    store_.Set(Key("address", options_.rank), fmt::format("{} {}", options_.host, listener.Port()));
    if (options_.rank == 0) {
      store_.Set(options_.prefix + "secret", NewSecret());
    }
    secret_ = store_.Get(options_.prefix + "secret", options_.deadline);

    // Lower ranks are connected to, higher ones connect: nobody waits in a circle.
    for (const auto& [low, high] : options_.pairs) {
      if (high == options_.rank) {
        mesh_.tensors[low] = Connect(low, Purpose::kTensors);
      } else if (low == options_.rank) {
        expected_.insert({high, Purpose::kTensors});
      }
    }

    if (options_.rank > 0) {
      mesh_.controls[0] = Connect(0, Purpose::kControl);
    }
    for (std::int32_t rank = 1; options_.rank == 0 && rank < options_.ranks; ++rank) {
      expected_.insert({rank, Purpose::kControl});
    }

    while (!expected_.empty()) {
      Welcome(listener);
    }
    return std::move(mesh_);
  }

 private:
  std::string Key(const char* what, std::int32_t rank) const {
    return fmt::format("{}{}.{}", options_.prefix, what, rank);
  }

  Descriptor Connect(std::int32_t to, Purpose purpose) {
    const std::string address = store_.Get(Key("address", to), options_.deadline);
    const std::size_t space = address.find(' ');
    int port = 0;
    if (space != std::string::npos) {
      std::from_chars(address.data() + space + 1, address.data() + address.size(), port);
    }
    Descriptor socket = ConnectTcp(address.substr(0, space), port, end_);

    Greeting greeting;
    std::copy_n(secret_.begin(), std::min(secret_.size(), kSecretBytes), greeting.secret.begin());
    greeting.fingerprint = options_.fingerprint;
    greeting.from = options_.rank;
    greeting.to = to;
    greeting.purpose = static_cast<std::int32_t>(purpose);
    SendAll(socket, std::as_bytes(std::span(&greeting, 1)), end_);

    auto answer = Answer::kStranger;
    ReceiveAll(socket, std::as_writable_bytes(std::span(&answer, 1)), end_);
    if (answer != Answer::kYes) {
      throw Error(fmt::format("rank {} at {} refused the connection: {}", to, address,
                              answer == Answer::kOtherJob
                                  ? "it has another schedule, model, data or options"
                              : answer == Answer::kUnexpected ? "it does not wait for this rank"
                                                              : "the job's secret is another"));
    }
    return socket;
  }

  /// Takes one connection, or refuses it.
  void Welcome(const TcpListener& listener) {
    Descriptor socket;
    try {
      socket = listener.Accept(end_);
    } catch (const Error& error) {
      throw Error(
          fmt::format("rank {} has not connected: {}", expected_.begin()->first, error.what()));
    }

    Greeting greeting;
    try {
      // A stranger that says nothing holds up the others only so long.
      const Deadline soon = std::min(end_, Clock::now() + std::chrono::seconds(2));
      ReceiveAll(socket, std::as_writable_bytes(std::span(&greeting, 1)), soon);
    } catch (const Error& error) {
      options_.on_refused(fmt::format("refused a connection without a greeting: {}", error.what()));
      return;
    }

    const Answer answer = Judge(greeting);
    try {
      SendAll(socket, std::as_bytes(std::span(&answer, 1)), end_);
    } catch (const Error&) {  // Gone already; if it was one of ours, it says so itself.
      return;
    }

    if (answer == Answer::kOtherJob) {
      throw Error(
          fmt::format("rank {} has another schedule, model, data or options", greeting.from));
    }
    if (answer != Answer::kYes) {
      options_.on_refused(
          answer == Answer::kStranger
              ? "refused a connection that does not know the job's secret"
              : fmt::format("refused rank {}, for which nobody waits", greeting.from));
      return;
    }

    const auto purpose = static_cast<Purpose>(greeting.purpose);
    expected_.erase({greeting.from, purpose});
    (purpose == Purpose::kTensors ? mesh_.tensors : mesh_.controls)[greeting.from] =
        std::move(socket);
  }

  Answer Judge(const Greeting& greeting) const {
    if (greeting.magic != kMagic || !SameSecret(greeting.secret, secret_)) {
      return Answer::kStranger;
    }
    if (greeting.fingerprint != options_.fingerprint) {
      return Answer::kOtherJob;
    }
    const bool is_known = greeting.purpose == 0 || greeting.purpose == 1;
    const bool is_expected =
        is_known && greeting.to == options_.rank &&
        expected_.contains({greeting.from, static_cast<Purpose>(greeting.purpose)});
    return is_expected ? Answer::kYes : Answer::kUnexpected;
  }

  Store& store_;
  const MeshOptions& options_;
  Deadline end_;
  std::string secret_;
  std::set<std::pair<std::int32_t, Purpose>> expected_;
  Mesh mesh_;
};

}  // namespace

Mesh ConnectMesh(Store& store, const MeshOptions& options) {
  return MeshBuilder(store, options).Build();
}

}  // namespace stagecraft
