#include "schedules/fault_list.h"

#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

Diagnostic Fault(std::string where, std::string message) {
  Diagnostic fault;
  fault.where = std::move(where);
  fault.message = std::move(message);
  return fault;
}

TEST(FaultList, CountsFaultsOfLayers) {
  FaultList list("a.json", 50);
  for (int i = 0; i < 12; ++i) {
    list.Add(Fault("a.json", fmt::format("at /layers/{}/forward_ns: got {}.5e3", i, i)));
    list.Add(Fault("a.json", fmt::format("at /layers/{}: unknown key", i)));
  }
  EXPECT_EQ(test::Texts(list.Take()),
            "a.json: error: at /layers/0/forward_ns: got 0.5e3; and 11 more layers\n"
            "a.json: error: at /layers/0: unknown key; and 11 more layers\n");
}

TEST(FaultList, CountsFaultsOfLines) {
  FaultList list("a.sched", 20);
  list.Add(Fault("a.sched:4:8", "expected an op, got 'F0@0'"));
  list.Add(Fault("a.sched:9:8", "expected an op, got 'F3@1'"));
  EXPECT_EQ(test::Texts(list.Take()),
            "a.sched:4:8: error: expected an op, got 'F0@0'; and 1 more line\n");
}

TEST(FaultList, SeveralInALayerAreNotSoManyLayers) {
  FaultList list("a.json", 50);
  for (const char* const pointer : {"0/forward_ns/0", "0/forward_ns/1", "1/forward_ns/0"}) {
    list.Add(Fault("a.json", fmt::format("at /layers/{}: bad", pointer)));
  }
  EXPECT_EQ(test::Texts(list.Take()),
            "a.json: error: at /layers/0/forward_ns/0: bad; and 2 more\n");
}

TEST(FaultList, KeepsWhatDiffersInMoreThanNumbers) {
  FaultList list("a", 20);
  list.Add(Fault("a", "got '3X1'"));
  list.Add(Fault("a", "got '3Y1'"));
  Diagnostic warning = Fault("a", "got '4X2'");
  warning.severity = Severity::kWarning;
  list.Add(warning);
  Diagnostic rule = Fault("a", "got '5X2'");
  rule.rule = "placed";
  list.Add(rule);
  EXPECT_EQ(list.Take().size(), 4U);
}

TEST(FaultList, CountsKindsBeyondTheMost) {
  FaultList list("a.json", 2);
  for (const char* const message : {"one", "two", "three", "two", "four"}) {
    list.Add(Fault("a.json:1:2", message));
  }
  EXPECT_EQ(test::Texts(list.Take()),
            "a.json:1:2: error: one\n"
            "a.json:1:2: error: two; and 1 more\n"
            "a.json: error: and 2 more faults\n");
}

}  // namespace
}  // namespace stagecraft
