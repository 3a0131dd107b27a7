#include "traces/profile_fields.h"

#include <array>

namespace stagecraft {
namespace {

constexpr std::int64_t kMaxNanoseconds = Nanoseconds{kMaxDuration}.count();

// Durations and sizes are both plain integers in a file.
std::int64_t Number(Nanoseconds value) {
  return value.count();
}
std::int64_t Number(std::int64_t value) {
  return value;
}

// Fields that have a value for each micro-batch size.
template <auto kMember>
std::optional<std::int64_t> GetSized(const ProfileLayer& layer, std::size_t size) {
  const auto& value = layer.at[size].*kMember;
  return value ? std::optional<std::int64_t>(Number(*value)) : std::nullopt;
}
template <auto kMember>
void SetSized(ProfileLayer& layer, std::size_t size, std::int64_t value) {
  (layer.at[size].*kMember).emplace(value);
}

// Fields that have one value for all sizes.
template <auto kMember>
std::optional<std::int64_t> GetOne(const ProfileLayer& layer, std::size_t /*size*/) {
  const auto& value = layer.*kMember;
  return value ? std::optional<std::int64_t>(Number(*value)) : std::nullopt;
}
template <auto kMember>
void SetOne(ProfileLayer& layer, std::size_t /*size*/, std::int64_t value) {
  (layer.*kMember).emplace(value);
}

// Rows of the table.
template <auto kMember>
constexpr LayerField Sized(std::string_view key, std::int64_t limit) {
  return {key, limit, true, &GetSized<kMember>, &SetSized<kMember>};
}
template <auto kMember>
constexpr LayerField One(std::string_view key, std::int64_t limit) {
  return {key, limit, false, &GetOne<kMember>, &SetOne<kMember>};
}

constexpr std::array<LayerField, 11> kLayerFields{
    Sized<&MeasuredCosts::forward>("forward_ns", kMaxNanoseconds),
    Sized<&MeasuredCosts::backward>("backward_ns", kMaxNanoseconds),
    Sized<&MeasuredCosts::backward_input>("backward_input_ns", kMaxNanoseconds),
    Sized<&MeasuredCosts::backward_weight>("backward_weight_ns", kMaxNanoseconds),
    Sized<&MeasuredCosts::recompute>("recompute_ns", kMaxNanoseconds),
    Sized<&MeasuredCosts::output_bytes>("output_bytes", kMaxBytes),
    Sized<&MeasuredCosts::activation_bytes>("activation_bytes", kMaxBytes),
    One<&ProfileLayer::step>("step_ns", kMaxNanoseconds),
    One<&ProfileLayer::predict>("predict_ns", kMaxNanoseconds),
    One<&ProfileLayer::parameter_bytes>("parameter_bytes", kMaxBytes),
    One<&ProfileLayer::optimizer_bytes>("optimizer_bytes", kMaxBytes),
};

constexpr std::array<SourceField, 8> kSourceFields{{
    {"model", &ProfileSource::model},
    {"device", &ProfileSource::device},
    {"framework", &ProfileSource::framework},
    {"date", &ProfileSource::date},
    {"url", &ProfileSource::url},
    {"licence", &ProfileSource::licence},
    {"excluded", &ProfileSource::excluded},
    {"notes", &ProfileSource::notes},
}};

}  // namespace

std::span<const LayerField> LayerFields() {
  return kLayerFields;
}

std::span<const SourceField> SourceFields() {
  return kSourceFields;
}

std::vector<std::int32_t> DefaultInputs(std::size_t layer) {
  return layer == 0 ? std::vector<std::int32_t>{}
                    : std::vector<std::int32_t>{static_cast<std::int32_t>(layer) - 1};
}

}  // namespace stagecraft
