#include "traces/layer_profile.h"

#include <cstddef>

#include <fmt/format.h>

#include "schedules/diagnostic.h"
#include "traces/profile_fields.h"

namespace stagecraft {
namespace {

/// Looks at every part of a profile once and collects faults.
class ProfileCheck {
 public:
  explicit ProfileCheck(const Profile& profile) : profile_(profile) {}

  std::vector<Diagnostic> Run() {
    Sizes();
    if (profile_.layers.empty() || profile_.layers.size() > static_cast<std::size_t>(kMaxLayers)) {
      Fault(Key(), fmt::format("expected 1 to {} {}, got {}", kMaxLayers,
                               profile_.is_stages ? "stages" : "layers", profile_.layers.size()));
      return std::move(faults_);
    }

    // Checked before the layers are looked at one by one.
    const std::size_t measurements = profile_.layers.size() * profile_.microbatch_sizes.size();
    if (measurements > static_cast<std::size_t>(kMaxMeasurements)) {
      Fault(Key(),
            fmt::format("expected at most {} pairs of a layer and a micro-batch size, got {}",
                        kMaxMeasurements, measurements));
      return std::move(faults_);
    }

    for (std::size_t i = 0; i < profile_.layers.size(); ++i) {
      Layer(i, profile_.layers[i]);
    }
    Cut();
    return std::move(faults_);
  }

 private:
  std::string Key() const { return profile_.is_stages ? "/stages" : "/layers"; }

  void Fault(std::string pointer, std::string message) {
    faults_.push_back(ErrorAt(std::move(pointer), std::move(message)));
  }

  /// Sizes ascend; the first that does not is told, since those behind it may be right.
  void Sizes() {
    const std::vector<std::int64_t>& sizes = profile_.microbatch_sizes;
    if (sizes.empty() || sizes.size() > static_cast<std::size_t>(kMaxMeasuredSizes)) {
      Fault("/microbatch_sizes",
            fmt::format("expected 1 to {} sizes, got {}", kMaxMeasuredSizes, sizes.size()));
    }

    for (std::size_t i = 0; i < sizes.size(); ++i) {
      const std::int64_t least = i == 0 ? 1 : sizes[i - 1] + 1;
      if (sizes[i] < least || sizes[i] > kMaxMicrobatchSize) {
        Fault(fmt::format("/microbatch_sizes/{}", i),
              fmt::format("expected ascending sizes from 1 to {} samples, got {}",
                          kMaxMicrobatchSize, sizes[i]));
        return;
      }
    }
  }

  /// A cut ascends, too; ready stages have none.
  void Cut() {
    if (!profile_.cut) {
      return;
    }
    if (profile_.is_stages) {
      Fault("/cut", "expected none beside ready stages, which are not cut");
      return;
    }

    std::size_t least = 1;
    // No stage may be empty, the first one included.
    const std::vector<std::int32_t>& cut = *profile_.cut;
    if (profile_.layers.size() == 1 && !cut.empty()) {
      Fault("/cut", "there is one layer, which cannot be cut");
      return;
    }

    for (std::size_t i = 0; i < cut.size(); ++i) {
      const std::int32_t layer = cut[i];
      if (layer < 0 || static_cast<std::size_t>(layer) < least ||
          static_cast<std::size_t>(layer) >= profile_.layers.size()) {
        Fault(fmt::format("/cut/{}", i),
              fmt::format("expected the first layer of each further stage, ascending, from 1 to "
                          "{}, got {}",
                          profile_.layers.size() - 1, layer));
        return;
      }
      least = static_cast<std::size_t>(layer) + 1;
    }
  }

  void Layer(std::size_t index, const ProfileLayer& layer) {
    const std::string pointer = fmt::format("{}/{}", Key(), index);
    if (layer.at.size() != profile_.microbatch_sizes.size()) {
      Fault(pointer, fmt::format("expected costs at {} sizes, got {}",
                                 profile_.microbatch_sizes.size(), layer.at.size()));
      return;
    }

    // What follows relies on as many costs as there are sizes.
    Inputs(index, layer, pointer);
    for (std::size_t size = 0; size < layer.at.size(); ++size) {
      Measured(layer.at[size], size, pointer);
    }
    for (const LayerField& field : LayerFields()) {
      Range(layer, field, pointer);
    }
  }

  void Inputs(std::size_t index, const ProfileLayer& layer, const std::string& pointer) {
    std::int64_t least = 0;
    for (std::size_t i = 0; i < layer.inputs.size(); ++i) {
      const std::int32_t input = layer.inputs[i];
      if (input < least || static_cast<std::size_t>(input) >= index) {
        Fault(fmt::format("{}/inputs/{}", pointer, i),
              fmt::format("expected ascending indices of layers before layer {}, got {}", index,
                          input));
        return;
      }
      least = std::int64_t{input} + 1;
    }
  }

  /// Durations that every layer must have at each size.
  void Measured(const MeasuredCosts& costs, std::size_t size, const std::string& pointer) {
    const std::string at = fmt::format(" at micro-batch size {}", profile_.microbatch_sizes[size]);
    if (!costs.forward) {
      Fault(pointer, "expected forward_ns" + at);
    }
    if (!costs.backward && !(costs.backward_input && costs.backward_weight)) {
      Fault(pointer, "expected backward_ns, or backward_input_ns and backward_weight_ns," + at);
    }
  }

  /// What there is must be in range.
  void Range(const ProfileLayer& layer, const LayerField& field, const std::string& pointer) {
    const std::size_t sizes = field.sized ? layer.at.size() : 1;
    for (std::size_t size = 0; size < sizes; ++size) {
      const std::optional<std::int64_t> value = field.get(layer, size);
      if (value && (*value < 0 || *value > field.limit)) {
        Fault(fmt::format("{}/{}{}", pointer, field.key, sizes > 1 ? fmt::format("/{}", size) : ""),
              fmt::format("expected an integer from 0 to {}, got {}", field.limit, *value));
      }
    }
  }

  const Profile& profile_;
  std::vector<Diagnostic> faults_;
};

}  // namespace

std::vector<Diagnostic> CheckProfile(const Profile& profile) {
  return ProfileCheck(profile).Run();
}

}  // namespace stagecraft
