#include "engine/model/initial_weights.h"

#include <algorithm>
#include <span>
#include <vector>

#include "engine/model/random.h"

namespace stagecraft {
namespace {

double Draw(const Initialiser& initialiser, Random& random) {
  switch (initialiser.kind) {
    case Initialiser::Kind::kUniform:
      return initialiser.value * (2 * random.Uniform() - 1);
    case Initialiser::Kind::kNormal:
      return initialiser.value * random.Normal();
    default:
      return initialiser.value;
  }
}

template <typename T>
void Fill(const PlacedParameter& parameter, std::uint64_t seed, std::byte* buffer) {
  Random random(seed);
  T* const begin = reinterpret_cast<T*>(buffer) + parameter.offset;
  for (T& element : std::span(begin, static_cast<std::size_t>(Elements(parameter.shape)))) {
    element = static_cast<T>(Draw(parameter.initialiser, random));
  }
}

void FillAs(ElementType type, const PlacedParameter& parameter, std::uint64_t seed,
            std::byte* buffer) {
  if (type == ElementType::kFloat64) {
    Fill<double>(parameter, seed, buffer);
  } else {
    Fill<float>(parameter, seed, buffer);
  }
}

}  // namespace

void FillInitialWeights(const Model& model, std::int32_t stage, std::uint64_t seed,
                        ElementType type, std::byte* buffer) {
  const StageLayout layout = LayoutOf(model, stage);
  std::fill_n(buffer, layout.elements * BytesOf(type), std::byte{0});
  std::size_t next = 0;
  auto layer = static_cast<std::uint64_t>(FirstLayerOf(model, stage));
  for (const Layer& of_stage : model.stages[stage]) {
    const std::size_t parameters = ParametersOf(of_stage).size();
    for (std::size_t i = 0; i < parameters; ++i, ++next) {
      FillAs(type, layout.parameters[next], MixSeed({seed, layer, i}), buffer);
    }
    ++layer;
  }
}

void FillInitialBuffers(const StageLayout& layout, ElementType type, std::byte* buffer) {
  std::fill_n(buffer, layout.buffer_elements * BytesOf(type), std::byte{0});
  for (const PlacedParameter& placed : layout.buffers) {
    FillAs(type, placed, 0, buffer);
  }
}

}  // namespace stagecraft
