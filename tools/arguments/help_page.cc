#include "tools/arguments/help_page.h"

#include <algorithm>
#include <cctype>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "schedules/closest.h"
#include "tools/arguments/flag_effects.h"
#include "tools/arguments/wrapped_text.h"
#include "tools/command.h"
#include "tools/terminal.h"

namespace stagecraft {
namespace {

// In columns: how wide a page may be, how wide it is in a file, and where descriptions begin.
constexpr std::size_t kNarrowest = 40;
constexpr std::size_t kWidest = 100;
constexpr std::size_t kWidthOfFiles = 80;
constexpr std::size_t kDescriptionColumn = 26;

using Options = std::vector<const CLI::Option*>;

/// Flags under a title; `key` is what `--help=` calls them.
struct Group {
  std::string key;
  std::string title;
  Options flags;
};

/// `schedule` for `Schedule, if NAME is to be generated`; CLI11 calls what has no group `Options`.
std::string KeyOf(const std::string& title) {
  if (title == "Options") {
    return "command";
  }
  return CLI::detail::to_lower(title.substr(0, title.find_first_of(" ,")));
}

/// In the order of declaration; groups of the same key, and the flags without a group, stand
/// together.
std::vector<Group> GroupsOf(const CLI::App& app) {
  std::vector<Group> groups;
  for (const std::string& title : app.get_groups()) {
    const Options flags = app.get_options([&](const CLI::Option* option) {
      return option->get_group() == title && option->nonpositional() &&
             option != app.get_help_ptr();
    });
    if (title.empty() || flags.empty()) {
      continue;
    }

    // Titles with the same first word are one group.
    const std::string key = KeyOf(title);
    const auto same = std::find_if(groups.begin(), groups.end(),
                                   [&](const Group& group) { return group.key == key; });
    if (same != groups.end()) {
      same->flags.insert(same->flags.end(), flags.begin(), flags.end());
    } else {
      groups.push_back({key, key == "command" ? "Command" : title, flags});
    }
  }

  return groups;
}

/// `-o, --output FILE`.
std::string NameOf(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) {
    names.push_back("-" + name);
  }
  for (const std::string& name : option.get_lnames()) {
    names.push_back("--" + name);
  }
  const bool has_value = option.get_type_size() != 0;
  return fmt::format("{}{}{}", fmt::join(names, ", "), has_value ? " " : "",
                     has_value ? option.get_type_name() : "");
}

/// `--a or --b`, in alphabetical order.
std::string Names(const std::set<CLI::Option*>& options) {
  std::vector<std::string> names(options.size());
  std::transform(options.begin(), options.end(), names.begin(),
                 [](const CLI::Option* option) { return option->get_name(); });
  std::sort(names.begin(), names.end());
  return fmt::format("{}", fmt::join(names, " or "));
}

/// The description, and which flags it goes with.
std::string DescriptionOf(const CLI::Option& option) {
  std::string text = option.get_description();
  if (!option.get_needs().empty()) {
    text += fmt::format(" (with {})", Names(option.get_needs()));
  }
  if (!option.get_excludes().empty()) {
    text += fmt::format(" (not with {})", Names(option.get_excludes()));
  }
  return text;
}

/// One page in the making.
class Page {
 public:
  Page(const CLI::App& app, std::string name, std::size_t width)
      : app_(app), name_(std::move(name)), width_(width) {}

  /// The page of the program: its commands and its own flags.
  std::string OfProgram() {
    Head("COMMAND [ARGUMENTS] [FLAGS]");
    // Commands stand in the order in which they were declared.
    out_ += "\nCommands:\n";
    for (const CLI::App* const command : app_.get_subcommands({})) {
      Entry(command->get_name(), command->get_description());
    }

    out_ += "\nFlags:\n";
    for (const CLI::Option* const flag :
         app_.get_options([](const CLI::Option* option) { return option->nonpositional(); })) {
      Entry(NameOf(*flag), flag->get_description());
    }

    out_ += "\n" + WrappedProse(app_.get_footer(), width_);
    return std::move(out_);
  }

  /// The page of a command; `usual` are its usual flags, with blanks between them.
  std::string OfCommand(const std::string& usual) {
    Topic();
    for (std::size_t begin = 0; begin < usual.size();) {
      const std::size_t end = std::min(usual.find(' ', begin), usual.size());
      // A usual flag that is not declared is a mistake of ours, and throws.
      usual_.push_back(app_.get_option(usual.substr(begin, end - begin)));
      begin = end + 1;
    }
    Command();
    if (!usual_.empty()) {
      UsualFlags();
      Rest();
    }
    Units();
    return std::move(out_);
  }

 private:
  /// What `--help=` asks for; empty for the flag alone.
  void Topic() {
    const CLI::Option* const help = app_.get_help_ptr();
    topic_ = help == nullptr || help->empty() ? "true" : help->results().back();
    topic_ = topic_ == "true" ? "" : topic_;

    groups_ = GroupsOf(app_);

    // A group that there is not is a mistake, and no reason to show everything.
    if (topic_.empty() || topic_ == "all") {
      return;
    }

    // What is left is the key of a group, or a mistake.
    std::vector<std::string_view> keys{"all"};
    for (const Group& group : groups_) {
      keys.emplace_back(group.key);
    }
    if (std::find(keys.begin(), keys.end(), topic_) == keys.end()) {
      const std::string_view meant = Closest(topic_, keys);
      throw CommandFailure(
          ExitCode::kUsage, "--help",
          fmt::format("expected {}, got '{}'{}", fmt::join(keys, " or "), topic_,
                      meant.empty() ? "" : fmt::format("; did you mean '{}'?", meant)));
    }
  }

  /// What it is for, and the usage line.
  void Head(const std::string& arguments) {
    std::string description = app_.get_description();
    description.front() =
        static_cast<char>(std::toupper(static_cast<unsigned char>(description.front())));
    out_ += Wrapped(description, width_) + (description.ends_with('.') ? "\n" : ".\n");
    out_ += fmt::format("\nUsage: {} {}\n", name_, arguments);
  }

  /// The head, the arguments, and the examples.
  void Command() {
    const Options arguments =
        app_.get_options([](const CLI::Option* option) { return option->get_positional(); });
    // Arguments that may be left out stand in brackets, as everywhere.
    std::string usage;
    for (const CLI::Option* const argument : arguments) {
      const std::string name =
          argument->get_name(true) + (argument->get_expected_max() > 1 ? "..." : "");
      usage += argument->get_required() ? name + " " : "[" + name + "] ";
    }
    Head(usage + "[FLAGS]");

    if (!arguments.empty()) {
      out_ += "\nArguments:\n";
      for (const CLI::Option* const argument : arguments) {
        Entry(argument->get_name(true), DescriptionOf(*argument));
      }
    }

    if (!app_.get_footer().empty()) {
      out_ += "\n" + WrappedProse(app_.get_footer(), width_);
    }
  }

  /// The usual flags, unless one group alone was asked for.
  void UsualFlags() {
    if (topic_.empty() || topic_ == "all") {
      idle_ = topic_.empty() ? FlagsWithoutEffect(app_) : std::nullopt;
      Flags("Usual flags", usual_, {});
    }
  }

  /// The other flags, as far as they were asked for.
  void Rest() {
    // With nothing named, every flag may matter: the page only says where to find the others.
    if (topic_.empty() && !idle_) {
      More();
      return;
    }

    // What stands among the usual flags is not said twice.
    for (const Group& group : groups_) {
      if (topic_.empty() || topic_ == "all") {
        Flags(group.title, group.flags, usual_);
      } else if (topic_ == group.key) {
        Flags(group.title, group.flags, {});
      }
    }

    if (idle_ && hidden_ > 0) {
      out_ += "\n" + Wrapped(fmt::format("{} flags that change nothing here are not shown; --help="
                                         "all shows every flag.",
                                         hidden_),
                             width_);
      out_ += "\n";
    }
  }

  /// How to see what a plain `--help` does not show.
  void More() {
    out_ += "\nMore flags:\n";
    for (const Group& group : groups_) {
      const auto is_shown = [&](const CLI::Option* flag) {
        return std::find(usual_.begin(), usual_.end(), flag) != usual_.end();
      };
      // A group whose flags stand above has nothing to add.
      if (!std::all_of(group.flags.begin(), group.flags.end(), is_shown)) {
        std::vector<std::string> names;
        for (const CLI::Option* const flag : group.flags) {
          names.push_back(flag->get_name());
        }
        Entry("--help=" + group.key, fmt::format("{}", fmt::join(names, " ")));
      }
    }

    if (app_.get_option_no_throw("NAME|FILE") != nullptr) {
      Entry("NAME --help", "only the flags that change something for NAME");
    }
    Entry("--help=all", "every flag");
  }

  /// Flags below a title, except those of `without` and those that change nothing here.
  void Flags(const std::string& title, const Options& flags, const Options& without) {
    bool has_title = false;
    for (const CLI::Option* const flag : flags) {
      if (std::find(without.begin(), without.end(), flag) != without.end()) {
        continue;
      }
      if (IsIdle(*flag)) {
        ++hidden_;
        continue;
      }

      // The title waits for the first flag that is shown.
      out_ += has_title ? "" : fmt::format("\n{}:\n", title);
      has_title = true;
      Entry(NameOf(*flag), DescriptionOf(*flag));
      shown_types_ += flag->get_type_name() + " ";
    }
  }

  /// Whether the flag changes nothing for what the command line names.
  bool IsIdle(const CLI::Option& flag) const {
    return idle_ && std::any_of(idle_->begin(), idle_->end(),
                                [&](const IdleFlag& idle) { return idle.flag == flag.get_name(); });
  }

  /// What the values that stand behind the flags above may be.
  void Units() {
    const auto shows = [&](const char* type) {
      return shown_types_.find(type) != std::string::npos;
    };

    std::string units;

    if (shows("DURATION")) {
      units += "DURATION: a number and ns, us, ms, s or min, such as 2.5ms.\n";
    }
    if (shows("BYTES")) {
      units +=
          "BYTES: a number, alone or with kB, MB, GB, TB (powers of 1000) or KiB, MiB, GiB, "
          "TiB (of 1024).\n";
    }

    // Each unit has a paragraph of its own.
    for (std::size_t begin = 0; begin < units.size();) {
      const std::size_t end = units.find('\n', begin);
      out_ += (begin == 0 ? "\n" : "") + Wrapped(units.substr(begin, end - begin), width_) + "\n";
      begin = end + 1;
    }
  }

  /// A name, and beside or below it what it is.
  void Entry(const std::string& name, const std::string& description) {
    out_ += "  " + name;
    // A long name has its description on the line below.
    if (name.size() + 4 > kDescriptionColumn) {
      out_ += "\n" + std::string(kDescriptionColumn, ' ');
    } else {
      out_ += std::string(kDescriptionColumn - 2 - name.size(), ' ');
    }
    out_ += Wrapped(description, width_, kDescriptionColumn) + "\n";
  }

  const CLI::App& app_;
  std::string name_;
  std::size_t width_;  ///< Columns.
  std::string out_;
  std::string topic_;  ///< The value of `--help`; empty: none.
  std::vector<Group> groups_;
  Options usual_;
  std::optional<std::vector<IdleFlag>> idle_;  ///< Nullopt: nothing was named.
  std::size_t hidden_ = 0;                     ///< Flags left out since they change nothing.
  std::string shown_types_;                    ///< What `Units` has to explain.
};

}  // namespace

HelpFormatter::HelpFormatter(UsualFlags usual, std::optional<std::size_t> width)
    : usual_(std::move(usual)), width_(width) {}

std::string HelpFormatter::make_help(const CLI::App* app, std::string name,
                                     CLI::AppFormatMode /*mode*/) const {
  const std::size_t columns = width_ ? *width_ : OutputColumns().value_or(kWidthOfFiles);
  Page page(*app, std::move(name), std::clamp(columns, kNarrowest, kWidest));
  if (!app->get_subcommands({}).empty()) {
    return page.OfProgram();
  }
  const auto usual = usual_.find(app->get_name());
  return page.OfCommand(usual == usual_.end() ? "" : usual->second);
}

}  // namespace stagecraft
