#pragma once

// Measured costs of a model, and the way from there to costs of stages:
//
//   *.profile.json --ParseProfile--------> Profile ---CutForPlacement---> Partition
//   graph.txt ------ParsePipeDreamGraph-->    |                               |
//                                             +--------StageCostsOf-----------+--> Costs
#include "traces/layer_profile.h"
#include "traces/partition.h"
#include "traces/pipedream_graph.h"
#include "traces/placed_cut.h"
#include "traces/profile_json.h"
#include "traces/stage_costs.h"
