#include <algorithm>
#include <cctype>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/tidy/source_files.h"

// Rules about our pages: what they name exists, and they are short.
namespace stagecraft::tidy {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

/// Paths in backquotes that name a file of ours must exist: from the root, or beside the README.
std::vector<std::string> PathFaults(const SourceFile& readme) {
  static const std::regex quoted("`([A-Za-z0-9_./-]+\\.(cc|h|md|json|sched|cmake|txt))`");
  std::vector<std::string> faults;
  for (std::size_t i = 0; i < readme.lines.size(); ++i) {
    const std::string& line = readme.lines[i];
    for (std::sregex_iterator match(line.begin(), line.end(), quoted), end; match != end; ++match) {
      const std::string path = (*match)[1];
      const fs::path beside = (Root() / readme.path).parent_path() / path;
      if (!fs::exists(Root() / path) && !fs::exists(beside)) {
        faults.push_back(At(readme, i, "no such file: " + path));
      }
    }
  }
  return faults;
}

/// What a link names must exist, too, beside the page; other places of the web are not looked at.
std::vector<std::string> LinkFaults(const SourceFile& page) {
  static const std::regex link("\\]\\(([A-Za-z0-9_./-]+)\\)");
  std::vector<std::string> faults;
  for (std::size_t i = 0; i < page.lines.size(); ++i) {
    const std::string& line = page.lines[i];
    for (std::sregex_iterator match(line.begin(), line.end(), link), end; match != end; ++match) {
      const std::string path = (*match)[1];
      if (!fs::exists((Root() / page.path).parent_path() / path)) {
        faults.push_back(At(page, i, "no such page: " + path));
      }
    }
  }
  return faults;
}

std::size_t WordsIn(const SourceFile& page) {
  std::size_t words = 0;
  for (const std::string& line : page.lines) {
    std::istringstream in(line);
    for (std::string word; in >> word;) {
      ++words;
    }
  }
  return words;
}

std::vector<SourceFile> Pages() {
  std::vector<SourceFile> readmes =
      Files([](const std::string& path) { return EndsWith(path, ".md"); });
  std::ifstream in(Root() / "README.md");
  readmes.push_back({"README.md", Lines(in)});
  return readmes;
}

TEST(Tidy, PagesNameFilesThatExist) {
  EXPECT_THAT(Check(Pages(), PathFaults), IsEmpty());
  EXPECT_THAT(Check(Pages(), LinkFaults), IsEmpty());
  EXPECT_THAT(PathFaults({"sim/README.md", {"see `no_such_file.h` and `schedules/README.md`"}}),
              ElementsAre("sim/README.md:1: no such file: no_such_file.h"));
  EXPECT_THAT(LinkFaults({"sim/README.md", {"[a](../tests/README.md)", "[b](no/page.md)"}}),
              ElementsAre("sim/README.md:2: no such page: no/page.md"));
}

TEST(Tidy, TheReadmeIsReadInAMinute) {
  constexpr std::size_t kMostWords = 1000;
  std::ifstream in(Root() / "README.md");
  EXPECT_LE(WordsIn({"README.md", Lines(in)}), kMostWords);
  EXPECT_EQ(WordsIn({"README.md", {"# One", "", "| two | 3 |"}}), 7U);
}

/// Those of `files` that have `name`, which is part of no longer name there.
std::vector<std::string> FilesWith(const std::vector<SourceFile>& files, const std::string& name) {
  const auto is_part = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
  };
  std::vector<std::string> paths;
  for (const SourceFile& file : files) {
    const bool has =
        std::any_of(file.lines.begin(), file.lines.end(), [&](const std::string& line) {
          const std::size_t at = line.find(name);
          return at != std::string::npos && (at == 0 || !is_part(line[at - 1])) &&
                 (at + name.size() == line.size() || !is_part(line[at + name.size()]));
        });
    if (has) {
      paths.push_back(file.path);
    }
  }
  return paths;
}

TEST(Tidy, AScheduleIsKnownInFourPlaces) {
  static const std::regex exported(R"(^const Generator (k\w+)\{)");
  const std::vector<SourceFile> files = Files([](const std::string& path) {
    const std::string_view room = RoomOf(path);
    return room != "tests" && room != "bench" && !EndsWith(path, ".md");
  });
  std::size_t schedules = 0;
  for (const SourceFile& file : files) {
    if (file.path.rfind("schedules/generators/", 0) != 0 || !EndsWith(file.path, ".cc")) {
      continue;
    }
    for (const std::string& line : file.lines) {
      std::smatch match;
      if (!std::regex_search(line, match, exported)) {
        continue;
      }
      ++schedules;

      // The search begins with the published orders of the field.
      std::vector<std::string> places = FilesWith(files, match[1]);
      places.erase(std::remove(places.begin(), places.end(), "schedules/search/order_search.cc"),
                   places.end());
      EXPECT_THAT(places, UnorderedElementsAre(file.path, "schedules/generators.h",
                                               "schedules/registry.cc"));
      EXPECT_THAT(FilesWith(files, fs::path(file.path).filename().string()),
                  ElementsAre("schedules/CMakeLists.txt"));
    }
  }
  EXPECT_GE(schedules, 24U);
}

TEST(Tidy, EveryRoomHasAReadmeOfAtMostTwoScreens) {
  constexpr std::size_t kTwoScreens = 110;
  const std::vector<SourceFile> readmes = Pages();
  for (const std::string_view room : kRooms) {
    const auto readme =
        std::find_if(readmes.begin(), readmes.end(), [&](const SourceFile& candidate) {
          return candidate.path == std::string(room) + "/README.md";
        });
    ASSERT_NE(readme, readmes.end()) << room;
    EXPECT_LE(readme->lines.size(), kTwoScreens) << room;
  }
}

}  // namespace
}  // namespace stagecraft::tidy
