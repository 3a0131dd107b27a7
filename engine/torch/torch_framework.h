#pragma once

#include "engine/model_stage.h"

namespace stagecraft {

/// LibTorch on the CPU. Sets this process's malloc to keep what is freed.
class TorchFramework : public Framework {
 public:
  TorchFramework();
  std::string Version() const override;
  std::unique_ptr<Device> PrepareThread(const RankPlace& place) override;
  std::unique_ptr<ModelStage> MakeStage(StageSetup setup) override;
  std::unique_ptr<Store> ConnectStore(const StoreAddress& address) override;
};

}  // namespace stagecraft
