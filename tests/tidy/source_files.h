#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <istream>
#include <string>
#include <string_view>
#include <vector>

// What rules about our own files are made of: the files with their lines, and findings, each of
// which reads `path:line: what`. A rule is a function of a file, so that each is shown to find what
// it is there for.
namespace stagecraft::tidy {

namespace fs = std::filesystem;

struct SourceFile {
  std::string path;  ///< From the project root.
  std::vector<std::string> lines;
};

inline std::vector<std::string> Lines(std::istream& in) {
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    lines.push_back(line);
  }
  return lines;
}

inline const fs::path& Root() {
  static const fs::path root(STAGECRAFT_SOURCE_DIR);
  return root;
}

inline constexpr std::array<std::string_view, 7> kRooms = {"schedules", "traces", "sim",  "engine",
                                                           "tools",     "tests",  "bench"};

inline bool EndsWith(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

inline bool IsCode(std::string_view path) {
  return EndsWith(path, ".cc") || EndsWith(path, ".h");
}

/// All files of all rooms whose path `wanted` accepts, sorted.
template <typename Predicate>
std::vector<SourceFile> Files(Predicate wanted) {
  std::vector<SourceFile> files;
  for (const std::string_view room : kRooms) {
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(Root() / room)) {
      const std::string path = fs::relative(entry.path(), Root()).generic_string();
      if (entry.is_regular_file() && wanted(path)) {
        std::ifstream in(entry.path());
        files.push_back({path, Lines(in)});
      }
    }
  }
  std::sort(files.begin(), files.end(),
            [](const SourceFile& a, const SourceFile& b) { return a.path < b.path; });
  return files;
}

inline std::string At(const SourceFile& file, std::size_t line, const std::string& what) {
  return file.path + ":" + std::to_string(line + 1) + ": " + what;
}

inline std::string_view RoomOf(std::string_view path) {
  return path.substr(0, path.find('/'));
}

template <typename Rule>
std::vector<std::string> Check(const std::vector<SourceFile>& files, Rule rule) {
  std::vector<std::string> faults;
  for (const SourceFile& file : files) {
    const std::vector<std::string> found = rule(file);
    faults.insert(faults.end(), found.begin(), found.end());
  }
  return faults;
}

}  // namespace stagecraft::tidy
