#pragma once

#include "schedules/generator.h"

namespace stagecraft {

// Every schedule that can be generated: a file each, in `schedules/generators/`. `Generate` of
// registry.h checks the options that `make` and `bounds` rely on.
extern const Generator kSequential;
extern const Generator kModelParallel;
extern const Generator kDataParallel;
extern const Generator kGPipe;
extern const Generator kOneFOneB;
extern const Generator kInterleavedOneFOneB;
extern const Generator kBreadthFirst;
extern const Generator kZeroBubbleH1;
extern const Generator kZeroBubbleH2;
extern const Generator kZeroBubbleV;
extern const Generator kDualPipe;
extern const Generator kDualPipeV;
extern const Generator kChimera;
extern const Generator kGreedy;
extern const Generator kZeroBubbleAuto;
extern const Generator kZeroBubbleAutoV;
extern const Generator kAsyncOneFOneB;
extern const Generator kPipeDream;
extern const Generator kPipeDream2BW;
extern const Generator kSpecTrain;
extern const Generator kXPipe;
extern const Generator kPipeOptim;
extern const Generator kPipeMare;
extern const Generator kPipelinedBackprop;

}  // namespace stagecraft
