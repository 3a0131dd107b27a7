#pragma once

#include <vector>

#include "schedules/dependencies.h"
#include "schedules/verify/findings.h"

namespace stagecraft {

/// Parts of Verify: SENDs and RECVs, if there are any, and the order of each channel.
void CheckCommunication(const Schedule& schedule, const Dependencies& dependencies,
                        const PairTable<PairPlaces>& pairs, Findings& findings);

/// Members and order of the all-reduces.
void CheckCollectives(const Schedule& schedule, const Dependencies& dependencies,
                      Findings& findings);

}  // namespace stagecraft
