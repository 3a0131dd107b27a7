#include "tools/reports/verdict_report.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "tools/reports/cut_report.h"

namespace stagecraft {
namespace {

using Json = nlohmann::ordered_json;

/// Only these faults depend on how sends wait.
bool IsAboutSends(const Diagnostic& fault) {
  return fault.rule == "progress";
}

/// What a later mode finds beside `first`, the faults of the first mode.
std::string Difference(const std::vector<Diagnostic>& first,
                       const std::vector<Diagnostic>& faults) {
  const std::string summary = Summary(faults);
  if (summary == Summary(first)) {
    return "the same";
  }
  std::vector<Diagnostic> about_sends;
  std::copy_if(faults.begin(), faults.end(), std::back_inserter(about_sends), IsAboutSends);
  const bool adds = !first.empty() && std::none_of(first.begin(), first.end(), IsAboutSends) &&
                    about_sends.size() + first.size() == faults.size();
  return adds ? "the same, and " + Summary(about_sends) : summary;
}

/// `rule` is one of the verifier, or the limit that is exceeded; empty: neither.
Json DiagnosticToJson(const Diagnostic& diagnostic, const std::string& rule) {
  return {{"severity", diagnostic.severity == Severity::kError ? "error" : "warning"},
          {"rule", rule.empty() ? Json(nullptr) : Json(rule)},
          {"where", diagnostic.where},
          {"message", diagnostic.message}};
}

Json VerdictToJson(const ScheduleVerdict& verdict) {
  Json modes = Json::object();
  for (const ScheduleVerdict::OfMode& of_mode : verdict.modes) {
    modes[std::string(ToString(of_mode.mode))] = of_mode.faults.empty();
  }

  Json diagnostics = Json::array();
  // What breaks a limit has the flag for its rule, without the dashes.
  for (const Diagnostic& found : verdict.found) {
    diagnostics.push_back(DiagnosticToJson(found, found.rule));
  }
  for (const ScheduleVerdict::Exceeded& exceeded : verdict.exceeded) {
    diagnostics.push_back(DiagnosticToJson(exceeded.fault, exceeded.flag.substr(2)));
  }

  return {{"schedule", verdict.name},
          {"ok", verdict.code == ExitCode::kFine},
          {"exit_code", static_cast<int>(verdict.code)},
          {"fingerprint", verdict.fingerprint ? Json(*verdict.fingerprint) : Json(nullptr)},
          {"send_modes", verdict.modes.empty() ? Json(nullptr) : std::move(modes)},
          {"cut", CutToJson(verdict.costs)},
          {"diagnostics", std::move(diagnostics)}};
}

}  // namespace

std::string Summary(const std::vector<Diagnostic>& faults) {
  std::string rules;
  for (const Diagnostic& fault : faults) {
    if (!fault.rule.empty() && rules.find(fault.rule) == std::string::npos) {
      rules += (rules.empty() ? ": " : ", ") + fault.rule;
    }
  }
  return fmt::format("{} {}{}", faults.size(), faults.size() == 1 ? "error" : "errors", rules);
}

std::vector<VerdictLine> SendModeLines(const ScheduleVerdict& verdict) {
  std::vector<VerdictLine> lines;
  for (const ScheduleVerdict::OfMode& of_mode : verdict.modes) {
    VerdictLine& line = lines.emplace_back();
    line.head = fmt::format("{:<11} ", ToString(of_mode.mode));
    line.good = of_mode.faults.empty();
    line.text = line.good           ? "ok"
                : lines.size() == 1 ? Summary(of_mode.faults)
                                    : Difference(verdict.modes.front().faults, of_mode.faults);
  }
  return lines;
}

VerdictLine LimitLine(const ScheduleVerdict& verdict) {
  std::vector<std::string> flags;
  for (const ScheduleVerdict::Exceeded& exceeded : verdict.exceeded) {
    if (std::find(flags.begin(), flags.end(), exceeded.flag) == flags.end()) {
      flags.push_back(exceeded.flag);
    }
  }
  return {fmt::format("{:<11} ", "limits"), fmt::format("failed: {}", fmt::join(flags, ", ")),
          /*good=*/false};
}

Json VerdictsToJson(const std::vector<ScheduleVerdict>& verdicts, SendMode send) {
  Json schedules = Json::array();
  bool good = true;
  for (const ScheduleVerdict& verdict : verdicts) {
    schedules.push_back(VerdictToJson(verdict));
    good = good && verdict.code == ExitCode::kFine;
  }
  return {{"format", "stagecraft-check"},
          {"version", 1},
          {"ok", good},
          {"send", ToString(send)},
          {"schedules", std::move(schedules)}};
}

}  // namespace stagecraft
