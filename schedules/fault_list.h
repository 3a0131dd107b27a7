#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "schedules/diagnostic.h"

namespace stagecraft {

/// Collects what is wrong with one text. Faults that differ in nothing but numbers, such as those
/// of lines, layers and values, are one: the first of them, which says how many more there are.
class FaultList {
 public:
  /// At most `most` different faults are listed; of the rest there is a count, which names `file`.
  FaultList(std::string_view file, std::size_t most) : file_(file), most_(most) {}

  void Add(Diagnostic fault);

  bool Empty() const { return groups_.empty(); }
  /// Whether there are as many different faults as are listed: enough for a person to mend.
  bool Full() const { return groups_.size() >= most_; }

  /// Everything found, in the order found: "...; and 11 more layers".
  std::vector<Diagnostic> Take();

 private:
  /// Faults that differ in numbers only.
  struct Group {
    Diagnostic first;
    std::size_t more = 0;
    std::vector<std::string> last;  ///< Numbers of the last of them.
    std::size_t differs = kNone;    ///< Which number changes from one to the next; if all agree.
    std::string noun;               ///< What that number counts; may be empty.
  };
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  static void Count(Group& group, std::vector<std::string> numbers);

  std::string file_;
  std::size_t most_;
  std::size_t hidden_ = 0;
  std::vector<Group> groups_;
  std::map<std::string, std::size_t> places_;  ///< In `groups_`, by the text without numbers.
};

}  // namespace stagecraft
