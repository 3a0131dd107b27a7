#include "engine/ranks/control_room.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <poll.h>
#include <sys/socket.h>
#include <utility>

#include "engine/ranks/clock_offset.h"
#include "engine/ranks/control_message.h"

namespace stagecraft {
namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

ControlRoom::ControlRoom(const ExecutionPlan& plan, const JobOptions& options)
    : plan_(plan), options_(options) {}

void ControlRoom::Add(Descriptor control, std::unique_ptr<RankProcess> process) {
  Member& member = members_.emplace_back();
  member.control = std::move(control);
  member.process = std::move(process);
}

void ControlRoom::CloseConnections() {
  for (Member& member : members_) {
    member.control.Close();
  }
}

std::vector<std::string> ControlRoom::Run() {
  while (std::any_of(members_.begin(), members_.end(),
                     [](const Member& member) { return !member.ended; })) {
    Listen();
    PassOnTheStop();
    StartWhenAllAreReady();
    EndTheOthersAfterAFailure();
  }
  ThrowTheCause();

  // Nothing failed, and yet a rank may have taken another one's stop for the end of the job.
  for (std::int32_t rank = 0; rank < members_.Count(); ++rank) {
    if (!members_[rank].done) {
      throw JobError(
          {rank, 0, "end", "it was stopped by another rank, and did not hear that it was meant"});
    }
  }
  for (const Member& member : members_) {
    send(member.control.Get(), "Y", 1, MSG_NOSIGNAL);
  }

  std::vector<std::string> results;
  for (std::int32_t rank = 0; rank < members_.Count(); ++rank) {
    const std::size_t record = Recorder::BytesOf(plan_.schedule, rank);
    if (options_.recorder != nullptr) {
      options_.recorder->Adopt(rank, members_[rank].body);
    }
    results.push_back(members_[rank].body.substr(record));
  }
  return results;
}

void ControlRoom::Listen() {
  std::vector<pollfd> polled;
  std::vector<std::int32_t> order;
  for (std::int32_t rank = 0; rank < members_.Count(); ++rank) {
    if (!members_[rank].ended) {
      polled.push_back({members_[rank].control.Get(), POLLIN, 0});
      order.push_back(rank);
    }
  }

  constexpr int kMilliseconds = 100;  // Only to see whether the time of the others is over.
  poll(polled.data(), polled.size(), kMilliseconds);
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (polled[i].revents != 0) {
      Read(order[i]);
    }
  }
}

void ControlRoom::Read(std::int32_t rank) {
  Member& member = members_[rank];
  char bytes[1 << 16];
  const ssize_t got = recv(member.control.Get(), bytes, sizeof bytes, 0);
  if (got > 0) {
    member.received.append(bytes, static_cast<std::size_t>(got));
    while (HandleMessage(rank, member)) {
    }
  } else if (got == 0 || errno != EINTR) {
    End(rank, member);
  }
}

bool ControlRoom::HandleMessage(std::int32_t rank, Member& member) {
  std::optional<ControlMessage> message = TakeMessage(member.received);
  if (!message) {
    return false;
  }

  switch (message->kind) {
    case ControlKind::kClock:
      AnswerWithClock(member.control.Get());
      break;
    case ControlKind::kReady:
      member.ready = true;
      break;
    case ControlKind::kReport:
      if (options_.on_report) {
        options_.on_report(rank, message->body);
      }
      break;
    case ControlKind::kDone:
      member.done = true;
      member.body = std::move(message->body);
      break;
    case ControlKind::kAborted:
      member.gave_up = true;
      break;
    case ControlKind::kFailed:
      member.gave_up = true;
      Fail(UnpackFailure(rank, message->body));
      break;
  }

  return true;
}

/// The rank has closed its end: it is over, or will be in a moment.
void ControlRoom::End(std::int32_t rank, Member& member) {
  member.ended = true;
  std::optional<Failure> failure = member.process->HowItEnded();
  if (failure && member.gave_up) {
    failure->consequence = true;  // Of tearing down, after what it has told.
    Fail(*std::move(failure));
  } else if (failure && !ended_by_us_) {
    killed_ = killed_ ? killed_ : failures_.size();
    Fail(*std::move(failure));
  } else if (!member.done && !member.gave_up) {
    Fail({rank, 0, "end", "its process ended without a result"});
  }
}

void ControlRoom::Fail(Failure failure) {
  if (failures_.empty()) {
    first_failure_ = Clock::now();
  }
  failures_.push_back(std::move(failure));
}

void ControlRoom::PassOnTheStop() {
  if (told_to_stop_ || options_.stop == nullptr || !options_.stop->load()) {
    return;
  }
  told_to_stop_ = true;
  for (const Member& member : members_) {
    if (!member.ended) {
      member.process->Stop();
    }
  }
}

void ControlRoom::StartWhenAllAreReady() {
  if (started_ || !std::all_of(members_.begin(), members_.end(),
                               [](const Member& member) { return member.ready; })) {
    return;
  }
  started_ = true;
  const Clock::time_point begin = Clock::now();
  for (const Member& member : members_) {
    send(member.control.Get(), &begin, sizeof begin, MSG_NOSIGNAL);
  }
}

void ControlRoom::EndTheOthersAfterAFailure() {
  if (failures_.empty()) {
    return;
  }
  const bool time_is_over = Clock::now() - first_failure_ > options_.deadline;
  ended_by_us_ = ended_by_us_ || time_is_over;

  for (Member& member : members_) {
    if (member.ended) {
      continue;
    }
    if (time_is_over) {
      member.process->Kill();
      shutdown(member.control.Get(), SHUT_RDWR);
    } else if (!started_) {
      shutdown(member.control.Get(), SHUT_WR);  // It waits for the start.
    }
  }
}

void ControlRoom::ThrowTheCause() const {
  if (failures_.empty()) {
    return;
  }
  const auto cause = std::find_if(failures_.begin(), failures_.end(),
                                  [](const Failure& failure) { return !failure.consequence; });
  throw JobError(killed_                    ? failures_[*killed_]
                 : cause != failures_.end() ? *cause
                                            : failures_.front());
}

}  // namespace stagecraft
