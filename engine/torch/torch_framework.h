#pragma once

#include "engine/model_stage.h"

namespace stagecraft {

/// LibTorch on the CPU.
class TorchFramework : public Framework {
 public:
  std::string Version() const override;
  void PrepareThread() override;
  std::unique_ptr<ModelStage> MakeStage(StageSetup setup) override;
  std::unique_ptr<Store> ConnectStore(const StoreAddress& address) override;
};

}  // namespace stagecraft
