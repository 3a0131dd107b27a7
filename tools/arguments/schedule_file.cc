#include "tools/arguments/schedule_file.h"

#include <cctype>
#include <utility>
#include <vector>

#include "schedules/text.h"
#include "schedules/torch_csv.h"
#include "tools/arguments/cost_source.h"
#include "tools/file_access.h"

namespace stagecraft {
namespace {

/// A file of torch's that says nothing impossible. Throws `CommandFailure`, see `ReadSchedule`.
Schedule ReadTorchFile(const std::string& file, const std::optional<Placement>& placement) {
  TorchSchedule read = ValueOrUsage(ParseTorchCsv(ReadFile(file), file, placement));
  std::vector<Diagnostic> faults = VerifyTorchCsv(read, file);
  if (!faults.empty()) {
    throw CommandFailure(ExitCode::kRefused, std::move(faults));
  }
  return std::move(read.schedule);
}

}  // namespace

bool IsTorchFile(const std::string& file) {
  std::string ending = file.size() < 4 ? "" : file.substr(file.size() - 4);
  // `.CSV` is the same ending.
  for (char& c : ending) {
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return ending == ".csv";
}

Schedule ReadSchedule(const std::string& file, const std::optional<Placement>& placement) {
  if (IsTorchFile(file)) {
    return ReadTorchFile(file, placement);
  }
  return ValueOrUsage(Parse(ReadFile(file), file == "-" ? "standard input" : file));
}

}  // namespace stagecraft
