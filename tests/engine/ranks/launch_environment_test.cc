#include "engine/ranks/launch_environment.h"

#include <map>

#include <gtest/gtest.h>

#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using Variables = std::map<std::string, std::string>;

Result<std::optional<LaunchEnvironment>> Read(const Variables& variables) {
  return ReadLaunchEnvironment([&](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  });
}

TEST(LaunchEnvironment, IsNoneWhereNoLauncherIs) {
  EXPECT_FALSE(*Read({}).value);
  EXPECT_FALSE(*Read({{"RANK", "1"}, {"WORLD_SIZE", "2"}}).value);  // Of some other program.
}

TEST(LaunchEnvironment, OfTorchrun) {
  const Variables variables = {{"RANK", "1"},
                               {"WORLD_SIZE", "4"},
                               {"LOCAL_RANK", "1"},
                               {"LOCAL_WORLD_SIZE", "2"},
                               {"MASTER_ADDR", "node7"},
                               {"MASTER_PORT", "4711"},
                               {"TORCHELASTIC_RUN_ID", "abc"},
                               {"TORCHELASTIC_RESTART_COUNT", "2"},
                               {"TORCHELASTIC_USE_AGENT_STORE", "True"}};
  const LaunchEnvironment found = **Read(variables).value;
  EXPECT_EQ(found.launcher, "torchrun");
  EXPECT_EQ(found.rank, 1);
  EXPECT_EQ(found.ranks, 4);
  EXPECT_EQ(found.local_rank, 1);
  EXPECT_EQ(found.local_ranks, 2);
  EXPECT_EQ(found.host, "node7");
  EXPECT_EQ(found.port, 4711);
  EXPECT_TRUE(found.store_is_there);
  EXPECT_EQ(found.run, "abc.2");
}

TEST(LaunchEnvironment, OfOpenMpiAndSlurm) {
  const LaunchEnvironment mpi =
      **Read({{"OMPI_COMM_WORLD_RANK", "0"}, {"OMPI_COMM_WORLD_SIZE", "2"}}).value;
  EXPECT_EQ(mpi.launcher, "Open MPI");
  EXPECT_EQ(mpi.ranks, 2);
  EXPECT_FALSE(mpi.store_is_there);
  const LaunchEnvironment slurm =
      **Read({{"SLURM_PROCID", "3"}, {"SLURM_NTASKS", "8"}, {"SLURM_STEP_ID", "5"}}).value;
  EXPECT_EQ(slurm.launcher, "Slurm");
  EXPECT_EQ(slurm.rank, 3);
}

TEST(LaunchEnvironment, ThatMakesNoSenseIsRefused) {
  EXPECT_EQ(test::Texts(Read({{"RANK", "4"},
                              {"WORLD_SIZE", "4"},
                              {"TORCHELASTIC_RUN_ID", "abc"},
                              {"MASTER_PORT", "x"}})
                            .diagnostics),
            "RANK: error: expected a whole number in [0, 3], got '4'\n"
            "MASTER_PORT: error: expected a whole number in [1, 65535], got 'x'\n");
}

}  // namespace
}  // namespace stagecraft
