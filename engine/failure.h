#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "schedules/diagnostic.h"

namespace stagecraft {

/// Why a job ended early: the first thing that went wrong on any rank.
struct Failure {
  std::int32_t rank = 0;
  std::int32_t index = 0;  ///< Index of the op in the rank's program.
  std::string op;          ///< The op as text, `2B3@1`.
  std::string reason;
  bool consequence = false;  ///< Whether the end of another rank is the cause.

  /// `rank 2, op 7 (2B3@1): REASON`.
  std::string Text() const {
    return "rank " + std::to_string(rank) + ", op " + std::to_string(index) + " (" + op +
           "): " + reason;
  }
};

/// The job failed; every rank that was still at work has stopped.
class JobError : public Error {
 public:
  explicit JobError(Failure failure) : Error(failure.Text()), failure_(std::move(failure)) {}
  const Failure& GetFailure() const { return failure_; }

 private:
  Failure failure_;
};

/// An op has failed that the executor had given out already.
class OpError : public Error {
 public:
  OpError(std::int32_t index, const std::string& what) : Error(what), index_(index) {}
  std::int32_t Index() const { return index_; }  ///< Index of the op in the rank's program.

 private:
  std::int32_t index_;
};

/// The other end of a connection is gone.
class PeerLost : public Error {
 public:
  using Error::Error;
};

/// Another rank ended the job while this one waited.
class Aborted : public Error {
 public:
  using Error::Error;
};

}  // namespace stagecraft
