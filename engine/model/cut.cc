#include "engine/model/cut.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "schedules/diagnostic.h"

namespace stagecraft {

std::vector<std::int32_t> EvenCut(const std::vector<double>& work, std::int32_t stages) {
  const std::size_t units = work.size();
  const auto parts = static_cast<std::size_t>(stages);
  if (units < parts) {
    throw Error(
        fmt::format("the model has {} units, layers that stay together, which is too few "
                    "for {} stages; expected a deeper model or fewer ranks",
                    units, stages));
  }

  // least[s][i]: the largest stage when the units from i on make s + 1 stages; begin of the second.
  std::vector<std::vector<double>> least(
      parts, std::vector<double>(units + 1, std::numeric_limits<double>::infinity()));
  std::vector<std::vector<std::size_t>> second(parts, std::vector<std::size_t>(units + 1, units));

  // The best cut into s + 1 stages is a first stage and the best cut of the rest into s.
  for (std::size_t s = 0; s < parts; ++s) {
    for (std::size_t i = 0; i + s < units; ++i) {
      double first = 0;
      if (s == 0) {
        for (std::size_t j = i; j < units; ++j) {
          first += work[j];
        }
        least[s][i] = first;
        continue;
      }

      for (std::size_t j = i + 1; j + s <= units; ++j) {
        first += work[j - 1];
        const double largest = std::max(first, least[s - 1][j]);
        if (largest < least[s][i]) {
          least[s][i] = largest;
          second[s][i] = j;
        }
      }
    }
  }

  std::vector<std::int32_t> cut;
  std::size_t at = 0;
  for (std::size_t s = parts - 1; s > 0; --s) {
    at = second[s][at];
    cut.push_back(static_cast<std::int32_t>(at));
  }
  return cut;
}

Model CutModel(const std::vector<std::vector<Layer>>& units, const std::vector<std::int32_t>& cut,
               std::string name) {
  const auto count = static_cast<std::int32_t>(units.size());
  std::int32_t begin = 0;
  for (const std::int32_t next : cut) {
    if (next <= begin || next >= count) {
      throw Error(fmt::format("expected a cut that ascends within 1 to {}, got {}", count - 1,
                              fmt::join(cut, ",")));
    }
    begin = next;
  }

  Model model{std::move(name), {}};
  std::int32_t unit = 0;
  for (const std::vector<Layer>& layers : units) {
    if (unit == 0 || std::find(cut.begin(), cut.end(), unit) != cut.end()) {
      model.stages.emplace_back();
    }
    ++unit;
    model.stages.back().insert(model.stages.back().end(), layers.begin(), layers.end());
  }
  return model;
}

std::vector<double> WorkOfUnits(const std::vector<std::vector<Layer>>& units,
                                const TensorShape& sample) {
  TensorShape shape = sample;
  shape.insert(shape.begin(), 1);
  std::vector<double> work;
  for (const std::vector<Layer>& unit : units) {
    work.push_back(0);
    for (const Layer& layer : unit) {
      const TensorShape output = OutputShape(layer, shape);  // First: it checks the input.
      work.back() += EstimatedWork(layer, shape);
      shape = output;
    }
  }
  return work;
}

}  // namespace stagecraft
