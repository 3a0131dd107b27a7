#include "tools/arguments/help_page.h"

#include <algorithm>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "schedules/registry.h"
#include "tests/tools/program.h"

namespace stagecraft {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kCommands[] = {"schedules", "generate", "convert", "check",
                                     "show",      "simulate", "compare", "explain",
                                     "profile",   "train",    "validate"};

std::string Help(const std::string& arguments) {
  const Outcome outcome = Stagecraft(arguments);
  EXPECT_EQ(outcome.code, 0) << arguments << "\n" << outcome.err;
  return outcome.out;
}

/// How many lines of `text` show `flag`, alone or with others.
std::ptrdiff_t LinesWith(const std::string& text, const std::string& flag) {
  std::istringstream lines(text);
  std::ptrdiff_t count = 0;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t at = line.find(flag);
    const bool begins = at != std::string::npos && line.rfind("  -", 0) == 0 && at < 20;
    const std::size_t end = at + flag.size();
    count += begins && (end == line.size() || line[end] == ' ' || line[end] == ',') ? 1 : 0;
  }
  return count;
}

TEST(HelpPage, OfACommandOfTheLibrary) {
  CLI::App program("", "craft");
  program.formatter(std::make_shared<HelpFormatter>(HelpFormatter::UsualFlags{{"draw", "-p"}}, 60));
  CLI::App* const draw = program.add_subcommand("draw", "draw a picture");
  int number = 0;
  draw->add_option("NAME", number, "what to draw")->required();
  draw->add_option("-p", number, "pens, and so many words that they need two lines [1]")
      ->type_name("P");
  draw->add_option("--ink", number, "millilitres [2]")->type_name("ML")->group("Ink, if any");
  draw->footer("One line.\n\nExamples:\n  craft draw cat\n");
  EXPECT_THROW(program.parse("draw --help=all 1", false), CLI::CallForHelp);
  EXPECT_EQ(program.help(), R"(Draw a picture.

Usage: craft draw NAME [FLAGS]

Arguments:
  NAME                    what to draw

One line.

Examples:
  craft draw cat

Usual flags:
  -p P                    pens, and so many words that they
                          need two lines [1]

Ink, if any:
  --ink ML                millilitres [2]
)");
}

TEST(HelpPage, NoLineIsWiderThanAFileOrTheTerminal) {
  for (const std::string command : kCommands) {
    for (const char* const topic : {" --help", " --help=all"}) {
      std::istringstream lines(Help(command + topic));
      for (std::string line; std::getline(lines, line);) {
        EXPECT_LE(line.size(), 80U) << command << topic << "\n" << line;
      }
    }
  }

  // A terminal may be narrower, or wider than is good to read.
  for (const int columns : {50, 200}) {
    std::istringstream lines(StagecraftOnTerminal("show --help=all", columns));
    std::size_t longest = 0;
    for (std::string line; std::getline(lines, line);) {
      longest = std::max(longest, line.size());
    }
    EXPECT_LE(longest, columns == 50 ? 60U : 100U);  // One word is 34 characters long.
    EXPECT_GE(longest, columns == 50 ? 45U : 90U);
  }
}

TEST(HelpPage, NamesTheProgramArgumentsAndExamplesBeforeTheFlags) {
  for (const std::string command : kCommands) {
    const std::string help = Help(command + " --help");
    const std::size_t usage = help.find("Usage: stagecraft " + command + " ");
    const std::size_t arguments = help.find("\nArguments:\n");
    const std::size_t examples = help.find("\nExamples:\n");
    const std::size_t flags = help.find("\nUsual flags:\n");
    EXPECT_LT(usage, examples) << help;
    EXPECT_TRUE(arguments < examples || arguments == std::string::npos) << help;
    EXPECT_LT(examples, flags) << help;
    EXPECT_TRUE(flags != std::string::npos || command == "schedules") << help;
  }
}

TEST(HelpPage, APlainOneIsAScreenAndSaysWhereTheRestIs) {
  const std::string plain = Help("train --help");
  EXPECT_LE(std::count(plain.begin(), plain.end(), '\n'), 60);
  for (const char* const group : {"schedule", "model", "optimizer", "weight", "device", "files"}) {
    EXPECT_THAT(plain, HasSubstr(std::string("  --help=") + group + " "));
    EXPECT_THAT(Help(std::string("train --help=") + group), Not(HasSubstr("More flags")));
  }
  EXPECT_THAT(plain, HasSubstr("  --help=all "));
}

TEST(HelpPage, EveryFlagIsOnTheWholePageOnce) {
  const std::string all = Help("validate 1f1b --help=all");
  for (const char* const flag : {"-p", "--model", "--betas", "--forward", "--profile", "--cells",
                                 "--device", "--alternate", "--microbatch-size", "--repeat"}) {
    EXPECT_EQ(LinesWith(all, flag), 1) << flag << "\n" << all;
  }
}

TEST(HelpPage, OfAGroupHasItsFlagsOnly) {
  const std::string page = Help("simulate --help=machine");
  EXPECT_EQ(LinesWith(page, "--latency"), 1);
  EXPECT_EQ(LinesWith(page, "--forward"), 0);
  EXPECT_EQ(LinesWith(page, "-p"), 0);
}

TEST(HelpPage, AGroupThatIsNotThereIsRefused) {
  const Outcome outcome = Stagecraft("simulate --help=machin");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.err, HasSubstr("--help: error: expected all or "));
  EXPECT_THAT(outcome.err, HasSubstr("got 'machin'; did you mean 'machine'?\n"));
}

TEST(HelpPage, OfANameHasTheOptionsThatItTakes) {
  const std::string all = Help("show --help=all");
  for (const Generator& generator : Generators()) {
    const std::string page = Help("show " + std::string(generator.name) + " --help");
    for (const auto& [flag, takes] : {std::pair{"--cells", kTakesCells},
                                      {"--limit", kTakesLimit},
                                      {"--chunks", kTakesChunks},
                                      {"--rounding", kTakesRounding},
                                      {"--horizon", kTakesHorizon},
                                      {"--update-every", kTakesUpdateEvery},
                                      {"--checkpoint", kTakesCheckpoint}}) {
      EXPECT_EQ(LinesWith(all, flag), 1) << flag;
      EXPECT_EQ(LinesWith(page, flag), (generator.takes & takes) != 0 ? 1 : 0)
          << generator.name << " " << flag << "\n"
          << page;
    }

    EXPECT_EQ(LinesWith(page, "-p"), 1) << page;
    EXPECT_EQ(LinesWith(page, "--repeat"), 0) << page;
  }
}

TEST(HelpPage, OfAFileHasNoFlagsOfGenerators) {
  const std::string page = Help("show my.sched --help");
  EXPECT_EQ(LinesWith(page, "--repeat"), 1);
  EXPECT_EQ(LinesWith(page, "-p"), 0);
  EXPECT_EQ(LinesWith(page, "--versions"), 1);
}

TEST(HelpPage, OfANameHasTheCostsOfItsOps) {
  const std::string plain = Help("simulate 1f1b --help");
  EXPECT_EQ(LinesWith(plain, "--forward"), 1);
  EXPECT_EQ(LinesWith(plain, "--recompute"), 0);
  EXPECT_EQ(LinesWith(plain, "--predict"), 0);
  EXPECT_EQ(LinesWith(plain, "--allreduce"), 0);
  EXPECT_EQ(LinesWith(plain, "--joined"), 0);
  EXPECT_EQ(LinesWith(Help("simulate gpipe --help"), "--recompute"), 1);
  EXPECT_EQ(LinesWith(Help("simulate pipeoptim --help"), "--predict"), 1);
  EXPECT_EQ(LinesWith(Help("simulate pipedream --help"), "--allreduce"), 1);
  EXPECT_EQ(LinesWith(Help("simulate dualpipe --help"), "--joined"), 1);
  for (const Generator& generator : Generators()) {
    const std::string page = Help("simulate " + std::string(generator.name) + " --help");
    EXPECT_EQ(LinesWith(page, "--forward") + LinesWith(page, "--step"), 2) << page;
  }
}

TEST(HelpPage, OfATrainingHasWhatItsOptimizerAndModelTake) {
  EXPECT_EQ(LinesWith(Help("train 1f1b --help"), "--betas"), 1);
  EXPECT_EQ(LinesWith(Help("train 1f1b --help"), "--displacement"), 0);
  EXPECT_EQ(LinesWith(Help("train pipeoptim --help"), "--displacement"), 1);
  EXPECT_EQ(LinesWith(Help("train 1f1b --optimizer sgd --help"), "--betas"), 0);
  EXPECT_EQ(LinesWith(Help("train 1f1b --optimizer adam --help"), "--momentum"), 0);
  EXPECT_EQ(LinesWith(Help("train 1f1b --model gpt --help"), "--heads"), 1);
  EXPECT_EQ(LinesWith(Help("train 1f1b --model mlp --help"), "--heads"), 0);
}

TEST(HelpPage, HasOtherNamesThatPeopleTry) {
  EXPECT_EQ(Help("help"), Help("--help"));
  EXPECT_EQ(Help("help show"), Help("show --help"));
  EXPECT_EQ(Help("show -h"), Help("show --help"));
  EXPECT_EQ(Help("version"), Help("--version"));
  EXPECT_EQ(Help("-V"), Help("--version"));
}

TEST(Pictures, FitTheTerminal) {
  const std::string file = Help("show pipedream -p 4 -m 24 --versions");
  EXPECT_THAT(file, HasSubstr("B23@"));

  // As wide as the terminal allows, but for a tick or two.
  for (const int columns : {60, 100}) {
    for (const char* const arguments :
         {"show pipedream -p 4 -m 24 --versions",
          "simulate gpipe -p 4 -m 24 --forward 1ms --backward 2ms --diagram"}) {
      std::istringstream lines(StagecraftOnTerminal(arguments, columns));
      std::size_t longest = 0;
      for (std::string line; std::getline(lines, line);) {
        if (line.rfind("rank ", 0) == 0 && line.find(" | ") != std::string::npos) {
          longest = std::max(longest, line.size());
        }
      }
      EXPECT_LE(longest, static_cast<std::size_t>(columns)) << arguments;
      EXPECT_GE(longest + 12, static_cast<std::size_t>(columns)) << arguments;
    }
  }

  EXPECT_THAT(StagecraftOnTerminal("show pipedream -p 4 -m 24 --versions --columns 0", 60),
              HasSubstr("B23@"));
}

}  // namespace
}  // namespace stagecraft
