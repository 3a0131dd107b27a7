#include "engine/ranks/launch_environment.h"

#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "schedules/diagnostic.h"

namespace stagecraft {
namespace {

using Variable = std::function<std::optional<std::string>(const std::string&)>;

struct Launcher {
  const char* name;
  const char* rank;
  const char* ranks;
  const char* also;  ///< Must be set too.
  const char* run;
  const char* local_rank;  ///< This and the next one need not be set.
  const char* local_ranks;
};

// Open MPI first: it can run inside of a Slurm job, and torchrun inside of either.
constexpr Launcher kLaunchers[] = {
    {"torchrun", "RANK", "WORLD_SIZE", "TORCHELASTIC_RUN_ID", "TORCHELASTIC_RUN_ID", "LOCAL_RANK",
     "LOCAL_WORLD_SIZE"},
    {"Open MPI", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_SIZE",
     "PMIX_NAMESPACE", "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE"},
    {"Slurm", "SLURM_PROCID", "SLURM_NTASKS", "SLURM_STEP_ID", "SLURM_STEP_ID", "SLURM_LOCALID",
     "SLURM_NTASKS_PER_NODE"}};

class Reader {
 public:
  explicit Reader(const Variable& variable) : variable_(variable) {}

  std::int32_t Number(const char* name, std::int32_t low, std::int32_t high) {
    const std::string text = variable_(name).value_or("");
    std::int32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < low || value > high) {
      faults_.push_back(ErrorAt(
          name, fmt::format("expected a whole number in [{}, {}], got '{}'", low, high, text)));
      return low;
    }
    return value;
  }

  LaunchEnvironment Read(const Launcher& launcher) {
    constexpr std::int32_t kMostRanks = 1 << 16;
    LaunchEnvironment found;
    found.launcher = launcher.name;
    found.ranks = Number(launcher.ranks, 1, kMostRanks);
    found.rank = Number(launcher.rank, 0, found.ranks - 1);

    // What a launcher may leave out has a default.
    if (variable_(launcher.local_ranks)) {
      found.local_ranks = Number(launcher.local_ranks, 1, found.ranks);
    }
    if (variable_(launcher.local_rank)) {
      found.local_rank = Number(launcher.local_rank, 0, found.ranks - 1);
    }

    found.host = variable_("MASTER_ADDR").value_or(found.host);
    if (variable_("MASTER_PORT")) {
      found.port = Number("MASTER_PORT", 1, 65535);
    }

    // A job that is started again must not meet what it left in the store before.
    found.store_is_there = variable_("TORCHELASTIC_USE_AGENT_STORE").value_or("") == "True";
    found.run = variable_(launcher.run).value_or("") + "." +
                variable_("TORCHELASTIC_RESTART_COUNT").value_or("0");
    return found;
  }

  std::vector<Diagnostic> TakeFaults() { return std::move(faults_); }

 private:
  const Variable& variable_;
  std::vector<Diagnostic> faults_;
};

}  // namespace

Result<std::optional<LaunchEnvironment>> ReadLaunchEnvironment(const Variable& variable) {
  for (const Launcher& launcher : kLaunchers) {
    if (variable(launcher.rank) && variable(launcher.also)) {
      Reader reader(variable);
      LaunchEnvironment found = reader.Read(launcher);
      std::vector<Diagnostic> faults = reader.TakeFaults();
      if (!faults.empty()) {
        return {std::nullopt, std::move(faults)};
      }
      return {std::optional(std::move(found)), {}};
    }
  }
  return {std::optional<LaunchEnvironment>(), {}};
}

}  // namespace stagecraft
