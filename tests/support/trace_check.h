#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace stagecraft::test {

/// What a careful reader finds in a Chrome trace, and everything that some viewer would refuse,
/// drop or bind wrongly.
///
/// The rules, all from the behaviour of Perfetto and of Catapult's viewer: complete events with a
/// duration of 0 or more; the slices of a thread nest and do not overlap; times are whole
/// nanoseconds; every process and thread with events has a name, and no thread is numbered like a
/// process; a flow has an integer id, a category, one start and one end with "bp":"e", each
/// strictly inside a slice, and runs forward; a counter has a category, numbers, and the same keys
/// in every event.
class TraceCheck {
 public:
  explicit TraceCheck(const std::string& text) {
    const nlohmann::json root = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (root.is_discarded() || !root.contains("traceEvents")) {
      problems_.emplace_back("not JSON with traceEvents");
      return;
    }
    for (const nlohmann::json& event : root["traceEvents"]) {
      Read(event);
    }
    CheckNesting();
    CheckFlows();
    CheckNames();
  }

  const std::vector<std::string>& Problems() const { return problems_; }
  std::size_t Slices() const { return slices_; }
  std::size_t Arrows() const { return flows_.size(); }
  /// `memory bytes`, `weights versions`, ... of each process.
  const std::set<std::pair<std::int64_t, std::string>>& Counters() const { return counters_; }
  /// From `0 F3` to `1 F3`: process and name of the slices that arrows join.
  const std::multiset<std::pair<std::string, std::string>>& Joined() const { return joined_; }

 private:
  using Thread = std::pair<std::int64_t, std::int64_t>;  ///< Process, thread.
  struct Slice {
    std::int64_t start = 0;
    std::int64_t end = 0;
    std::string name;
  };
  struct FlowEnd {
    Thread thread;
    std::int64_t time = 0;
  };
  struct Flow {
    std::vector<FlowEnd> starts, ends;
  };

  void Problem(const std::string& what, const nlohmann::json& event) {
    problems_.push_back(what + ": " + event.dump());
  }

  std::int64_t Time(const nlohmann::json& event, const char* key) {
    if (!event.contains(key) || !event[key].is_number() || event[key].get<double>() < 0) {
      Problem(std::string("expected a time of 0 or more in ") + key, event);
      return 0;
    }
    const double nanoseconds = event[key].get<double>() * 1000;
    if (std::abs(nanoseconds - std::round(nanoseconds)) > 1e-3) {
      Problem("finer than a nanosecond", event);
    }
    return std::llround(nanoseconds);
  }

  void Read(const nlohmann::json& event) {
    const std::string phase = event.value("ph", "");
    if (!event.contains("pid") || !event["pid"].is_number_integer() || !event.contains("name") ||
        event["name"].get<std::string>().empty()) {
      Problem("expected an integer pid and a name", event);
      return;
    }
    const Thread thread{event["pid"], event.value("tid", std::int64_t{-1})};
    if (phase == "M") {
      Metadata(event, thread);
    } else if (phase == "X") {
      ++slices_;
      const std::int64_t start = Time(event, "ts");
      threads_[thread].push_back({start, start + Time(event, "dur"), event["name"]});
    } else if (phase == "s" || phase == "f") {
      FlowEvent(event, thread, phase == "s");
    } else if (phase == "C") {
      Counter(event);
    } else {
      Problem("unexpected phase", event);
    }
  }

  void Metadata(const nlohmann::json& event, const Thread& thread) {
    const std::string name = event["name"];
    if (name == "process_name") {
      process_names_.insert(thread.first);
    } else if (name == "thread_name") {
      thread_names_.insert(thread);
    } else if (name != "process_sort_index" && name != "thread_sort_index") {
      Problem("unexpected metadata", event);
    }
  }

  void FlowEvent(const nlohmann::json& event, const Thread& thread, bool start) {
    if (!event.contains("id") || !event["id"].is_number_integer() ||
        event.value("cat", "").empty() || (!start && event.value("bp", "") != "e")) {
      Problem("expected a flow with an integer id, a category and, at its end, bp e", event);
      return;
    }
    Flow& flow = flows_[event["cat"].get<std::string>() + "/" + event["name"].get<std::string>() +
                        "/" + event["id"].dump()];
    (start ? flow.starts : flow.ends).push_back({thread, Time(event, "ts")});
  }

  void Counter(const nlohmann::json& event) {
    Time(event, "ts");
    const std::string name = event["name"];
    if (event.value("cat", "").empty() || !event.contains("args") || event["args"].empty()) {
      Problem("expected a counter with a category and values", event);
      return;
    }
    std::string keys;
    for (const auto& [key, value] : event["args"].items()) {
      if (!value.is_number()) {
        Problem("expected a number", event);
      }
      counters_.insert({event["pid"], name + " " + key});
      keys += key + ",";
    }
    const auto known =
        counter_keys_.emplace(std::pair(event["pid"].get<std::int64_t>(), name), keys);
    if (known.first->second != keys) {
      Problem("counter with other keys than before", event);
    }
  }

  void CheckNesting() {
    for (auto& [thread, slices] : threads_) {
      std::stable_sort(slices.begin(), slices.end(), [](const Slice& a, const Slice& b) {
        return std::pair(a.start, -a.end) < std::pair(b.start, -b.end);
      });
      std::vector<const Slice*> open;
      for (const Slice& slice : slices) {
        while (!open.empty() && open.back()->end <= slice.start) {
          open.pop_back();
        }
        if (!open.empty() && slice.end > open.back()->end) {
          problems_.push_back("slices overlap: " + open.back()->name + " and " + slice.name);
        }
        open.push_back(&slice);
      }
    }
  }

  /// The innermost slice with the time strictly inside; of one of a nanosecond, its start. Null
  /// if there is none.
  const Slice* SliceAt(const FlowEnd& at) const {
    const Slice* found = nullptr;
    const auto slices = threads_.find(at.thread);
    if (slices == threads_.end()) {
      return nullptr;
    }
    for (const Slice& slice : slices->second) {
      const bool single = slice.end - slice.start == 1 && slice.start == at.time;
      if (single || (slice.start < at.time && at.time < slice.end)) {
        found = &slice;
      }
    }
    return found;
  }

  void CheckFlows() {
    for (const auto& [id, flow] : flows_) {
      if (flow.starts.size() != 1 || flow.ends.size() != 1) {
        problems_.push_back("flow without exactly one start and end: " + id);
        continue;
      }
      if (flow.starts[0].time >= flow.ends[0].time) {
        problems_.push_back("flow runs backwards: " + id);
      }
      const Slice* from = SliceAt(flow.starts[0]);
      const Slice* to = SliceAt(flow.ends[0]);
      if (from == nullptr || to == nullptr) {
        problems_.push_back("flow not inside slices: " + id);
        continue;
      }
      joined_.insert({std::to_string(flow.starts[0].thread.first) + " " + from->name,
                      std::to_string(flow.ends[0].thread.first) + " " + to->name});
    }
  }

  void CheckNames() {
    for (const auto& [thread, slices] : threads_) {
      if (!process_names_.contains(thread.first) || !thread_names_.contains(thread)) {
        problems_.push_back("thread without a name: " + std::to_string(thread.second));
      }
      if (process_names_.contains(thread.second)) {
        problems_.push_back("thread numbered like a process: " + std::to_string(thread.second));
      }
    }
    if (slices_ == 0) {
      problems_.emplace_back("no slice");
    }
  }

  std::vector<std::string> problems_;
  std::size_t slices_ = 0;
  std::map<Thread, std::vector<Slice>> threads_;
  std::map<std::string, Flow> flows_;
  std::set<std::int64_t> process_names_;
  std::set<Thread> thread_names_;
  std::map<std::pair<std::int64_t, std::string>, std::string> counter_keys_;
  std::set<std::pair<std::int64_t, std::string>> counters_;
  std::multiset<std::pair<std::string, std::string>> joined_;
};

}  // namespace stagecraft::test
