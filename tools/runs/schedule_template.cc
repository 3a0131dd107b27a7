#include "tools/runs/schedule_template.h"

namespace stagecraft {

std::string_view ScheduleTemplate() {
  return R"(stagecraft schedule 1
# A schedule to begin with. From a '#' to the end of its line everything is a comment.

# What reports call it, and where it comes from; both lines may be left out.
name      my schedule
source    a template of stagecraft

# Ranks, stages (parts of the model) and micro-batches of the whole schedule; all count from 0.
shape     ranks 2 stages 2 microbatches 4

# training (the default): every micro-batch goes forward and backward through every stage.
# forward: evaluation, forwards only.
mode      training

# The stages that each rank holds: here rank 0 has stage 0, and rank 1 has stage 1.
place     0: 0
place     1: 1

# What each rank does, in order. An op begins with its stage, and @V is the version of the weights
# that it reads, which is the number of updates they have seen:
#   0F2@1    forward of micro-batch 2 on stage 0, with version 1 of its weights
#   0B2@1    its backward; or in two halves, 0I2@1 for the input and later 0W2@1 for the weights
#   0S@1     optimizer step with the gradients so far: version 1 becomes version 2
#   0P@1+1   predicts the weights one update after version 1, for ops that read @1+1
# A second line of a rank goes on where the first ended. Transfers are added by the program.

# The first batch: micro-batches 0 and 1, then an update.
rank 0    0F0@0 0F1@0 0B0@0 0B1@0 0S@0
rank 1    1F0@0 1B0@0 1F1@0 1I1@0 1W1@0 1S@0

# The second: micro-batches 2 and 3, with the updated weights.
rank 0    0F2@1 0F3@1 0B2@1 0B3@1 0S@1
rank 1    1F2@1 1B2@1 1F3@1 1I3@1 1W3@1 1S@1

# Next: stagecraft check FILE, stagecraft show FILE, stagecraft simulate FILE --forward 1ms
)";
}

}  // namespace stagecraft
