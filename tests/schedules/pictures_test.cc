#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "schedules/diagram.h"
#include "tests/support/schedule_builder.h"

// Every generator's doc comment shows what it makes. The line above the picture says with which
// options; rows that end with ` ...` are cut at the right.

namespace stagecraft {
namespace {

struct Picture {
  std::string options;
  std::vector<std::string> rows;
};

/// Text of a `///   ` line; empty for other lines.
std::string CommentText(const std::string& line) {
  constexpr std::string_view kMark = "///   ";
  return line.rfind(kMark, 0) == 0 ? line.substr(kMark.size()) : "";
}

std::vector<Picture> PicturesOf(const std::string& file) {
  std::ifstream in(std::string(STAGECRAFT_SOURCE_DIR) + "/schedules/" + file);
  EXPECT_TRUE(in) << file;
  std::vector<Picture> pictures;
  std::string before;
  bool inside = false;
  for (std::string line; std::getline(in, line);) {
    const std::string text = CommentText(line);
    const bool row = text.rfind("rank ", 0) == 0;
    if (row && !inside) {
      pictures.push_back({before, {}});
    }
    if (row) {
      pictures.back().rows.push_back(text);
    }
    inside = row;
    before = text;
  }
  return pictures;
}

GeneratorOptions ParseOptions(const std::string& text) {
  GeneratorOptions options;
  std::istringstream words(text);
  std::string flag;
  std::int32_t number = 0;
  while (words >> flag >> number) {
    if (flag == "-p") {
      options.ranks = number;
    } else if (flag == "-m") {
      options.microbatches = number;
    } else if (flag == "-n") {
      options.batches = number;
    } else if (flag == "--update-every") {
      options.update_every = number;
    } else if (flag == "--chunks") {
      options.chunks = number;
    } else {
      ADD_FAILURE() << "option " << flag << " in '" << text << "'";
    }
  }
  EXPECT_TRUE(words.eof()) << "expected options above the picture, got '" << text << "'";
  return options;
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    lines.push_back(line);
  }
  return lines;
}

void ExpectDrawn(const Generator& generator, const Picture& picture) {
  SCOPED_TRACE(std::string(generator.name) + " " + picture.options);
  EXPECT_FALSE(picture.options.empty()) << "expected a line with options above the picture";
  const Schedule schedule = test::Make(generator.name, ParseOptions(picture.options));
  const std::string drawn = RenderSchedule(schedule, {.versions = !generator.flushes});
  const std::vector<std::string> lines = Lines(drawn);
  ASSERT_EQ(picture.rows.size(), lines.size()) << drawn;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    constexpr std::string_view kCut = " ...";
    std::string row = picture.rows[i];
    const bool cut =
        row.size() > kCut.size() && row.compare(row.size() - kCut.size(), kCut.size(), kCut) == 0;
    if (!cut) {
      EXPECT_EQ(row, lines[i]) << "drawn now:\n" << drawn;
      continue;
    }
    row.resize(row.size() - kCut.size());
    EXPECT_GT(lines[i].size(), row.size()) << "nothing was cut";
    EXPECT_EQ(row, lines[i].substr(0, row.size())) << "drawn now:\n" << drawn;
  }
}

std::string FileOf(std::string_view generator) {
  std::string file(generator);
  if (file == "1f1b") {
    file = "one_f_one_b";
  }
  for (char& c : file) {
    c = c == '-' ? '_' : c;
  }
  return "generators/" + file + ".cc";
}

TEST(Pictures, EveryGeneratorDrawsWhatItsCommentShows) {
  for (const Generator& generator : Generators()) {
    const std::vector<Picture> pictures = PicturesOf(FileOf(generator.name));
    EXPECT_FALSE(pictures.empty()) << "no picture in schedules/" << FileOf(generator.name);
    for (const Picture& picture : pictures) {
      ExpectDrawn(generator, picture);
    }
  }
}

TEST(Pictures, TheStreamIsThatOfAsyncOneFOneB) {
  const std::vector<Picture> pictures = PicturesOf("generators/stream.h");
  ASSERT_EQ(pictures.size(), 1U);
  ExpectDrawn(*FindGenerator("async-1f1b"), pictures.front());
}

TEST(Pictures, TheGridInTheHeaderIsDrawnSo) {
  const std::vector<Picture> pictures = PicturesOf("diagram.h");
  ASSERT_EQ(pictures.size(), 1U);
  const std::vector<DiagramCell> cells = {{0, 0, 1, "F0"}, {0, 1, 2, "F1"}, {0, 4, 6, "B0"},
                                          {0, 7, 9, "B1"}, {1, 1, 2, "F0"}, {1, 2, 4, "B0"},
                                          {1, 4, 5, "F1"}, {1, 5, 7, "B1"}};
  EXPECT_EQ(Lines(RenderGrid(cells, 2)), pictures.front().rows);
}

}  // namespace
}  // namespace stagecraft
