#include "tools/reports/cut_report.h"

#include <cstddef>
#include <cstdint>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "schedules/visible_text.h"
#include "tools/arguments/quantity.h"
#include "tools/reports/table.h"

namespace stagecraft {
namespace {

/// A layer's number and as much of its name as tells it from others.
std::string LayerToText(std::int32_t number, const std::string& name) {
  constexpr std::size_t kLongest = 28;
  if (name.empty()) {
    return std::to_string(number);
  }
  const bool fits = name.size() <= kLongest;
  return fmt::format("{} {}", number, Visible(fits ? name : name.substr(0, kLongest - 3) + "..."));
}

}  // namespace

std::string CutToText(const Costs& costs) {
  if (costs.layers.empty()) {
    return "";
  }

  TextTable table;
  table.columns = {{"stage"},
                   {"first layer", Align::kLeft},
                   {"last layer", Align::kLeft},
                   {"F"},
                   {"B"},
                   {"weights"},
                   {"activations"}};
  for (std::size_t stage = 0; stage < costs.layers.size(); ++stage) {
    const StageLayers& layers = costs.layers[stage];
    const StageCosts& cost = costs.stages[stage];
    table.rows.push_back({std::to_string(stage), LayerToText(layers.first, layers.first_name),
                          LayerToText(layers.last, layers.last_name), FormatDuration(cost.forward),
                          FormatDuration(cost.backward), FormatBytes(cost.sizes.parameter_bytes),
                          FormatBytes(cost.sizes.activation_bytes)});
  }
  return costs.cut + "\n" + ToPlainText(table);
}

nlohmann::ordered_json CutToJson(const Costs& costs) {
  if (costs.layers.empty()) {
    return nullptr;
  }

  nlohmann::ordered_json stages = nlohmann::ordered_json::array();
  for (std::size_t stage = 0; stage < costs.layers.size(); ++stage) {
    const StageLayers& layers = costs.layers[stage];
    const StageCosts& cost = costs.stages[stage];
    stages.push_back({{"stage", stage},
                      {"first_layer", layers.first},
                      {"last_layer", layers.last},
                      {"first_name", layers.first_name},
                      {"last_name", layers.last_name},
                      {"forward_ns", cost.forward.count()},
                      {"backward_ns", cost.backward.count()},
                      {"output_bytes", cost.sizes.output_bytes},
                      {"activation_bytes", cost.sizes.activation_bytes},
                      {"parameter_bytes", cost.sizes.parameter_bytes},
                      {"optimizer_bytes", cost.sizes.optimizer_bytes}});
  }
  return stages;
}

}  // namespace stagecraft
