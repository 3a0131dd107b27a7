#pragma once

#include <string>

namespace stagecraft {

/// What a command line did.
struct Outcome {
  int code = -1;  ///< Exit code; -1 if it was ended by a signal.
  std::string out;
  std::string err;
};

/// Runs `command` in a shell that finds the built `stagecraft`, in the folder of this test, with
/// nothing on standard input.
Outcome Shell(const std::string& command);

/// `stagecraft ARGUMENTS`, as a shell reads them.
Outcome Stagecraft(const std::string& arguments);

/// What that prints on a terminal of so many columns.
std::string StagecraftOnTerminal(const std::string& arguments, int columns);

/// A path in the folder of this test, which is empty when the test begins to use it.
std::string TestPath(const std::string& name);

/// Writes `text` to `TestPath(name)` and returns that path.
std::string WriteTestFile(const std::string& name, const std::string& text);

std::string ReadTestFile(const std::string& path);

}  // namespace stagecraft
