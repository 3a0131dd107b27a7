#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "schedules/diagnostic.h"
#include "schedules/tables.h"
#include "traces/costs.h"

namespace stagecraft {

/// Where a profile comes from; every field may be empty ("unknown" is not a value).
struct ProfileSource {
  std::string model;
  std::string device;
  std::string framework;
  std::string date;
  std::string url;
  std::string licence;
  std::string excluded;  ///< What the times leave out, e.g. data loading.
  std::string notes;     ///< Known artefacts.

  friend bool operator==(const ProfileSource&, const ProfileSource&) = default;
};

/// What depends on the micro-batch size, at one size; what was not measured is missing.
struct MeasuredCosts {
  /// Durations of one micro-batch.
  std::optional<Nanoseconds> forward, backward, backward_input, backward_weight, recompute;
  std::optional<std::int64_t> output_bytes, activation_bytes;

  friend bool operator==(const MeasuredCosts&, const MeasuredCosts&) = default;
};

/// One layer, or one ready stage. What belongs to its weights is the same at every size.
struct ProfileLayer {
  std::string name;
  Table<std::int32_t> inputs;  ///< Indices of the earlier layers whose output it reads.
  Table<MeasuredCosts> at;     ///< One per `Profile::microbatch_sizes`.
  std::optional<Nanoseconds> step, predict;  ///< Durations, each of one op.
  /// One copy of the weights; what the optimizer keeps.
  std::optional<std::int64_t> parameter_bytes, optimizer_bytes;

  friend bool operator==(const ProfileLayer&, const ProfileLayer&) = default;
};

/// Measured costs of a model: a topological chain of layers, or of ready stages.
///
///   layer 0 --> layer 1 --> layer 2 --> layer 3      a cut behind layer 1 is crossed by the
///                  \______________________^          output of layer 1, once
struct Profile {
  ProfileSource source;
  bool is_stages = false;                ///< `layers` are stages: no partition is needed.
  Table<std::int64_t> microbatch_sizes;  ///< Samples, ascending, at least one.
  Table<ProfileLayer> layers;            ///< At least one.

  /// The first layer of each further stage, as whoever made the profile cut it: empty if that is
  /// one stage, nullopt if nobody cut it.
  std::optional<Table<std::int32_t>> cut;

  friend bool operator==(const Profile&, const Profile&) = default;
};

/// Limits that keep a profile from outside from taking all memory.
inline constexpr std::int64_t kMaxLayers = 100'000;
inline constexpr std::int64_t kMaxMicrobatchSize = 1'000'000'000;
inline constexpr std::int64_t kMaxMeasuredSizes = 1000;
inline constexpr std::int64_t kMaxMeasurements = 1'000'000;  ///< Layers * measured sizes.

/// Everything that is wrong with `profile`, as errors whose `where` is the JSON pointer of the
/// fault in its JSON form; empty if it is usable: sizes ascending and in range, inputs ascending
/// and earlier than their readers, every duration in [0, kMaxDuration] and size in [0, kMaxBytes],
/// every layer with a forward, and with a backward or at least one of its two parts, at every size.
std::vector<Diagnostic> CheckProfile(const Profile& profile);

}  // namespace stagecraft
