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

/// A name, shortened to what fits into the table.
std::string Shortened(const std::string& name) {
  constexpr std::size_t kLongest = 28;
  return Visible(name.size() <= kLongest ? name : name.substr(0, kLongest - 3) + "...");
}

/// A layer's number and name.
std::string LayerToText(std::int32_t number, const std::string& name) {
  return name.empty() ? std::to_string(number) : fmt::format("{} {}", number, Shortened(name));
}

}  // namespace

std::string CutToText(const Costs& costs) {
  if (costs.layers.empty()) {
    return "";
  }

  TextTable table;
  table.columns = {{"stage"}};
  // A ready stage is one layer, so that first and last would be the same.
  if (costs.is_ready) {
    table.columns.push_back({"name", Align::kLeft});
  } else {
    table.columns.push_back({"first layer", Align::kLeft});
    table.columns.push_back({"last layer", Align::kLeft});
  }
  for (const char* const figure : {"F", "B", "weights", "activations"}) {
    table.columns.push_back({figure});
  }

  for (std::size_t stage = 0; stage < costs.layers.size(); ++stage) {
    const StageLayers& layers = costs.layers[stage];
    const StageCosts& cost = costs.stages[stage];
    std::vector<std::string>& row = table.rows.emplace_back();
    row.push_back(std::to_string(stage));
    if (costs.is_ready) {
      row.push_back(Shortened(layers.first_name));
    } else {
      row.push_back(LayerToText(layers.first, layers.first_name));
      row.push_back(LayerToText(layers.last, layers.last_name));
    }
    row.push_back(FormatDuration(cost.forward));
    row.push_back(FormatDuration(cost.backward));
    row.push_back(FormatBytes(cost.sizes.parameter_bytes));
    row.push_back(FormatBytes(cost.sizes.activation_bytes));
  }
  return costs.cut + "\n" + ToPlainText(table);
}

nlohmann::ordered_json CutToJson(const Costs& costs) {
  // | costs.is_ready) {|Ready stages were not cut, so that there is nothing to say of layers.
  if (costs.layers.empty() || costs.is_ready) {
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
