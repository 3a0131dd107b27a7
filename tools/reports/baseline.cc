#include "tools/reports/baseline.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "schedules/diagnostic.h"
#include "traces/json_text.h"

namespace stagecraft {
namespace {

using Json = nlohmann::ordered_json;

/// Limits of the file: an approach takes about a kilobyte, four levels deep.
constexpr JsonLimits kLimits{.bytes = std::size_t{64} << 20, .depth = 16};

/// The first fault of the rows: each must name an approach, and no two the same one.
std::optional<std::string> FaultOfRows(const Json& rows) {
  std::map<std::string, std::size_t> seen;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!rows[i].is_object() || !rows[i].value("approach", Json()).is_string()) {
      return fmt::format("at /rows/{}/approach: expected the name of an approach", i);
    }

    const std::string name = rows[i]["approach"];
    // Rows are compared by name, so that two of one name could not be told apart.
    const auto [first, is_new] = seen.emplace(name, i);
    if (!is_new) {
      return fmt::format(
          "at /rows/{}/approach: expected each approach once, got \"{}\" again, "
          "as in /rows/{}",
          i, name, first->second);
    }
  }
  return std::nullopt;
}

/// What a comparison must have, or the first thing that it lacks.
std::optional<std::string> MissingPart(const Json& json) {
  if (!json.is_object() || json.value("format", Json()) != "stagecraft-comparison") {
    return "at /format: expected \"stagecraft-comparison\", as `compare --format json` writes";
  }
  if (json.value("version", Json()) != 1) {
    return fmt::format("at /version: expected 1, got {}", json.value("version", Json()).dump());
  }
  if (!json.contains("settings") || !json["settings"].is_object()) {
    return "at /settings: expected an object";
  }
  if (!json.contains("rows") || !json["rows"].is_array()) {
    return "at /rows: expected an array";
  }
  return FaultOfRows(json["rows"]);
}

/// Earlier versions wrote 0 for a bandwidth without limit, which is null now.
void ReadUnlimitedBandwidth(Json& json) {
  const Json::json_pointer bandwidth("/settings/bandwidth_bytes_per_second");
  if (json.is_object() && json.contains(bandwidth) && json[bandwidth] == 0) {
    json[bandwidth] = nullptr;
  }
}

/// `was 3, is 4 (+33.3 %)`.
std::string Change(const Json& before, const Json& after) {
  const Json::error_handler_t replace = Json::error_handler_t::replace;
  std::string text =
      fmt::format("was {}, is {}", before.dump(-1, ' ', false, replace), after.dump());
  if (before.is_number() && after.is_number() && before.get<double>() != 0) {
    const double change = after.get<double>() / before.get<double>() - 1;
    text += fmt::format(" ({:+.3g} %)", change * 100);
  }
  return text;
}

/// What a comparison with the baseline in `file` found.
struct Differences {
  std::string_view file;
  std::vector<Diagnostic> changes;
  std::set<std::string> unknown;  ///< Keys that the baseline lacks.
};

/// Adds the differences between the figures of one object. Prose, and what only says where figures
/// come from, is no figure.
void CompareObjects(const Json& before, const Json& after, const std::string& where,
                    Differences& differences) {
  auto& [file, changes, unknown] = differences;
  for (const auto& [key, value] : after.items()) {
    if (key == "derived_costs" || key == "cut") {
      continue;
    }
    if (!before.contains(key)) {
      unknown.insert(key);
    } else if (before[key] != value) {
      changes.push_back(ErrorAt(std::string(file),
                                fmt::format("{}{} {}", where, key, Change(before[key], value))));
    }
  }

  // New keys are no fault, but a figure that is gone is one.
  for (const auto& [key, value] : before.items()) {
    if (!after.contains(key)) {
      changes.push_back(
          ErrorAt(std::string(file), fmt::format("{}{}: only in the baseline", where, key)));
    }
  }
}

/// Null if no row of `json` is about `approach`.
const Json* FindRow(const Json& json, const Json& approach) {
  const Json& rows = json["rows"];
  const auto found = std::find_if(rows.begin(), rows.end(),
                                  [&](const Json& row) { return row["approach"] == approach; });
  return found == rows.end() ? nullptr : &*found;
}

}  // namespace

Result<Json> ParseBaseline(std::string_view text, std::string_view file) {
  const Result<nlohmann::json> read = ReadJson(text, file, kLimits);
  if (!read) {
    return {std::nullopt, read.diagnostics};
  }
  Json json = *read.value;
  ReadUnlimitedBandwidth(json);
  std::optional<std::string> missing = MissingPart(json);
  if (missing) {
    return {std::nullopt, {ErrorAt(std::string(file), *std::move(missing))}};
  }
  return {std::move(json), {}};
}

std::vector<Diagnostic> CompareWithBaseline(const Json& baseline, const Json& now,
                                            std::string_view file) {
  Differences differences{file, {}, {}};
  std::vector<Diagnostic>& changes = differences.changes;
  std::set<std::string>& unknown = differences.unknown;

  const Json unit = baseline.value("unit", Json());
  if (unit != now["unit"]) {
    changes.push_back(ErrorAt(std::string(file), "unit " + Change(unit, now["unit"])));
  }
  CompareObjects(baseline["settings"], now["settings"], "settings: ", differences);

  for (const Json& row : now["rows"]) {
    const std::string name = row["approach"];
    const Json* before = FindRow(baseline, row["approach"]);
    if (before == nullptr) {
      changes.push_back(ErrorAt(std::string(file), name + ": not in the baseline"));
    } else {
      CompareObjects(*before, row, name + ": ", differences);
    }
  }

  for (const Json& row : baseline["rows"]) {
    if (FindRow(now, row["approach"]) == nullptr) {
      changes.push_back(ErrorAt(std::string(file),
                                row["approach"].get<std::string>() + ": only in the baseline"));
    }
  }

  // A baseline of an earlier version of this program still holds all that it knows of.
  if (!unknown.empty()) {
    changes.push_back(WarningAt(
        std::string(file), fmt::format("does not have {}, which were not compared; write it anew "
                                       "with --format json",
                                       fmt::join(unknown, ", "))));
  }
  return changes;
}

}  // namespace stagecraft
