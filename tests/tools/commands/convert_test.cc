#include <string>

#include <gtest/gtest.h>

#include "tests/tools/program.h"

namespace stagecraft {
namespace {

const std::string kDeferred = STAGECRAFT_SOURCE_DIR "/tests/interop/zb_v_deferred.csv";

TEST(ConvertCommand, WritesTorchsFormatAndReadsItBack) {
  const std::string csv = TestPath("zb.csv");
  ASSERT_EQ(Stagecraft("convert zb-h1 " + csv + " -p 2 -m 2").code, 0);
  EXPECT_EQ(ReadTestFile(csv), "0F0,0F1,0I0,0W0,0I1,0W1\n1F0,1I0,1F1,1I1,1W0,1W1\n");
  const Outcome back = Stagecraft("convert " + csv + " -");
  EXPECT_EQ(back.code, 0) << back.err;
  EXPECT_NE(back.out.find("rank 1    1F0@0 1I0@0 1F1@0 1I1@0 1W0@0 1W1@0 1S@0\n"),
            std::string::npos)
      << back.out;
}

TEST(ConvertCommand, TakesTheFormatThatIsAskedFor) {
  const std::string csv = TestPath("comms.csv");
  ASSERT_EQ(Stagecraft("convert gpipe " + csv + " -p 2 -m 1 --to compute_comms").code, 0);
  EXPECT_EQ(ReadTestFile(csv),
            "0F0,0SEND_F0,0RECV_B0,0B0,0WAIT_SEND_F0\n1RECV_F0,1F0,1B0,1SEND_B0,1WAIT_SEND_B0\n");
  // A file with transfers keeps them unless told otherwise.
  const std::string plain = TestPath("plain.csv");
  ASSERT_EQ(Stagecraft("convert " + csv + " " + plain + " --to compute_only").code, 0);
  EXPECT_EQ(ReadTestFile(plain), "0F0,0B0\n1F0,1B0\n");
  const std::string again = TestPath("again.csv");
  ASSERT_EQ(Stagecraft("convert " + csv + " " + again).code, 0);
  EXPECT_EQ(ReadTestFile(again), ReadTestFile(csv));
}

TEST(ConvertCommand, SaysWhatTheFormatLacks) {
  const Outcome dropped = Stagecraft("convert pipedream " + TestPath("x.csv") + " -p 2 -m 2");
  EXPECT_EQ(dropped.code, 0);
  EXPECT_NE(dropped.err.find("weight versions and steps are left out"), std::string::npos);
  const Outcome refused = Stagecraft("convert chimera " + TestPath("y.csv") + " -p 2 -m 2");
  EXPECT_EQ(refused.code, 1);
  EXPECT_EQ(refused.err,
            "torch csv: error: stage 0 is on ranks 0, 1; torch's files have a stage on one rank\n");
}

TEST(ConvertCommand, FlagsForTorchsFilesAreForThem) {
  EXPECT_EQ(Stagecraft("convert gpipe x.sched --to compute_only").err,
            "--to: error: is for torch's format, but x.sched does not end in .csv\n");
  EXPECT_EQ(Stagecraft("convert gpipe - --place 0/1").err,
            "--place: error: is for torch's files, but gpipe does not end in .csv\n");
}

TEST(ConvertCommand, NoFlagIsIgnored) {
  const std::string csv = WriteTestFile("f.csv", "0F0,0B0\n1F0,1B0\n");
  EXPECT_EQ(Stagecraft("convert " + csv + " - --place 0/1 -m 9").code, 2);
  EXPECT_EQ(Stagecraft("convert " + csv + " -  -m 9").code, 2);
  EXPECT_EQ(Stagecraft("simulate " + csv + " --dry-run --trace t.json").code, 2);
  EXPECT_EQ(Stagecraft("simulate " + csv + " --dry-run --diagram").code, 2);
  EXPECT_EQ(Stagecraft("convert gpipe " + TestPath("no/such/folder.csv")).code, 2);
  EXPECT_EQ(Stagecraft("convert gpipe " + TestPath("UPPER.CSV") + " -p 1 -m 1").code, 0);
  EXPECT_EQ(ReadTestFile(TestPath("UPPER.CSV")), "0F0,0B0\n");
}

TEST(ConvertCommand, APlacementIsCheckedAgainstTheRows) {
  const std::string csv = TestPath("v.csv");
  ASSERT_EQ(Stagecraft("convert zb-v " + csv + " -p 2 -m 4").code, 0);
  const Outcome good = Stagecraft("convert " + csv + " - --place 3,0/1,2");
  EXPECT_EQ(good.code, 0) << good.err;
  EXPECT_NE(good.out.find("place     0: 3 0\n"), std::string::npos) << good.out;
  const Outcome bad = Stagecraft("convert " + csv + " - --place 0,1/2,3");
  EXPECT_EQ(bad.code, 2);
  EXPECT_NE(bad.err.find("the rows have stages on other ranks"), std::string::npos) << bad.err;
}

TEST(TorchFiles, AreTakenWhereverAScheduleIs) {
  const std::string csv = TestPath("f.csv");
  ASSERT_EQ(Stagecraft("convert 1f1b " + csv + " -p 4 -m 8").code, 0);
  EXPECT_EQ(Stagecraft("check " + csv).code, 0);
  const Outcome simulated = Stagecraft("simulate " + csv + " --forward 1ms --backward 2ms");
  EXPECT_NE(simulated.out.find("33 ms"), std::string::npos) << simulated.out << simulated.err;
  EXPECT_EQ(Stagecraft("simulate " + csv + " --dry-run").out, "61 steps\n");
}

TEST(TorchFiles, ChannelsOutOfOrderAreRefusedWithBothOps) {
  const Outcome outcome = Stagecraft("check " + kDeferred);
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find(
                "zb_v_deferred.csv, rank 1, cell 11 (2RECV_B0): error: the 3rd receive on the "
                "channel from rank 0 to rank 1 gets 0SEND_F2, but 2RECV_B0 needs 3SEND_B0, "
                "which is sent 4th [channel-order]"),
            std::string::npos)
      << outcome.err;

  EXPECT_EQ(Stagecraft("simulate " + kDeferred).code, 1);

  for (const char* name : {"dualpipe_v_deferred", "interleaved_zero_bubble_deferred"}) {
    const Outcome other =
        Stagecraft(std::string("check ") + STAGECRAFT_SOURCE_DIR "/tests/interop/" + name + ".csv");
    EXPECT_EQ(other.code, 1) << name;
    EXPECT_NE(other.err.find("[channel-order]"), std::string::npos) << other.err;
  }
}

TEST(TorchFiles, AListThatTorchPublishesWronglyIsRefusedWithItsCell) {
  const std::string csv = WriteTestFile("wrong.csv", "0F0,0F1,0B0,0B1\n1F1,1B0,1F2,1B1\n");
  const Outcome outcome = Stagecraft("check " + csv);
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.err.find(csv + ", rank 1, cell 2 (1B0): error: lacks its forward"), 0U)
      << outcome.err;
}

}  // namespace
}  // namespace stagecraft
