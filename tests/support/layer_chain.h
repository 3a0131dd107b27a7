#pragma once

#include <cstdint>
#include <vector>

#include "traces/layer_profile.h"

namespace stagecraft::test {

/// A chain of layers whose forward + backward take `times`, in nanoseconds, for one sample.
inline Profile LayerChain(const std::vector<std::int64_t>& times) {
  Profile profile;
  profile.microbatch_sizes = {1};
  for (const std::int64_t time : times) {
    ProfileLayer& layer = profile.layers.emplace_back();
    layer.at.resize(1);
    layer.at[0].forward = Nanoseconds{time / 3};
    layer.at[0].backward = Nanoseconds{time - time / 3};
  }
  return profile;
}

}  // namespace stagecraft::test
