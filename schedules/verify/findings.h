#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "schedules/diagnostic.h"
#include "schedules/op_tables.h"
#include "schedules/schedule.h"

namespace stagecraft {

/// Collects what the verifier's checks find: names the place, marks the op in the program once per
/// rule, and keeps at most `kMaxPerRule` of each rule, counting the rest.
class Findings {
 public:
  explicit Findings(const Schedule& schedule) : schedule_(schedule) {}

  /// `rule` must be an id of `Rules()`.
  void Add(std::string_view rule, OpRef op, std::string message);
  void Add(std::string_view rule, std::string where, std::string message);

  /// Everything found, in the order found, then one line per rule that was cut short.
  std::vector<Diagnostic> Take();

 private:
  struct Count {
    std::string_view rule;
    int found = 0;
  };
  /// How many of `rule` were found before this one.
  int CountOne(std::string_view rule);

  const Schedule& schedule_;
  std::vector<Count> counts_;
  std::vector<Diagnostic> found_;
};

/// `1F0 on rank 1`, for messages.
std::string Name(const Schedule& schedule, OpRef op);

/// Where the ops of each (stage, micro-batch) stand, the first of duplicates.
struct PairPlaces {
  OpRef forward;
  OpRef recompute;
  OpRef backward;  ///< B or I.
  OpRef weight;    ///< W.
};

// The parts of Verify, in the order in which it calls them. Each adds what it finds.

/// Shape, placement and the fields of every op. False if the other checks have nothing to stand on.
bool CheckShape(const Schedule& schedule, Findings& findings);

/// One forward and one backward each, on one rank, in order. Gives their places.
PairTable<PairPlaces> CheckPairs(const Schedule& schedule, Findings& findings);

/// Versions, predictions, steps, replicas, cells: what one pass over each program sees.
void CheckVersions(const Schedule& schedule, Findings& findings);

}  // namespace stagecraft
