#pragma once

#include <cstdint>
#include <vector>

#include "schedules/generator.h"
#include "schedules/generators/batch_writer.h"
#include "schedules/op.h"
#include "schedules/schedule.h"

namespace stagecraft {

/// One rank of DualPipe or DualPipeV, whose eight phases are the same. Forwards of one chunk are
/// paired with backwards of the other.
struct DualRank {
  std::int32_t span = 1;      ///< Ranks from the end where chunk 0 begins to the turning point.
  std::int32_t distance = 0;  ///< From that end, in [0, span).
  std::int32_t steady = 0;    ///< Pairs of cells between the first and the last of the phases.
  BatchWriter::Chunk first;   ///< Chunk 0: the one that enters here.
  BatchWriter::Chunk second;
};

Program DualBatch(const DualRank& rank, Cells cells);

}  // namespace stagecraft
