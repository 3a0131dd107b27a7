#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <iostream>
#include <string>
#include <string_view>
#include <sys/resource.h>
#include <vector>

#include "tests/support/mutate.h"

namespace stagecraft::test {

constexpr int kMutations = 10'000;

/// What a fuzz loop saw. A crash or a sanitizer's report ends the process instead, after the seed
/// has been printed; a hang ends with the test's time limit.
struct FuzzReport {
  int inputs = 0;
  int accepted = 0;                   ///< Inputs that the parser took in spite of the damage.
  std::int64_t peak_kib = 0;          ///< Resident memory of the process at most, so far.
  std::vector<std::string> failures;  ///< Inputs for which the predicate did not hold.
};

/// What one input came to.
enum class Verdict : std::uint8_t { kRefused, kAccepted, kFailed };

/// Feeds `mutations` damaged versions of `samples`, in turn, to `predicate`.
inline FuzzReport Fuzz(const std::vector<std::string>& samples, std::uint64_t seed, int mutations,
                       const std::function<Verdict(const std::string&)>& predicate) {
  FuzzReport report;
  Mutator mutator(seed);
  for (int i = 0; i < mutations; ++i) {
    const std::string input = mutator.Mutate(samples[static_cast<std::size_t>(i) % samples.size()]);
    const Verdict verdict = predicate(input);
    ++report.inputs;
    report.accepted += verdict == Verdict::kAccepted ? 1 : 0;
    if (verdict == Verdict::kFailed) {
      report.failures.push_back(input);
    }
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  report.peak_kib = usage.ru_maxrss;
  std::cout << report.inputs << " inputs, " << report.accepted << " accepted, "
            << report.failures.size() << " failures, at most " << report.peak_kib / 1024
            << " MiB resident\n";
  return report;
}

}  // namespace stagecraft::test
