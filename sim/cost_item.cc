#include "sim/cost_item.h"

#include <cstddef>

#include <fmt/format.h>

namespace stagecraft {
namespace {

/// `0, 2 to 5, 7`.
std::string Ranges(std::span<const CostItem> items) {
  std::string text;
  for (std::size_t begin = 0; begin < items.size();) {
    std::size_t end = begin + 1;
    while (end < items.size() && items[end].index == items[end - 1].index + 1) {
      ++end;
    }

    // Two neighbours are not worth a range.
    const std::size_t last = end - begin == 2 ? begin : end - 1;
    text += fmt::format("{}{}", text.empty() ? "" : ", ", items[begin].index);
    text += last > begin ? fmt::format(" to {}", items[last].index) : "";
    begin = last + 1;
  }
  return text;
}

}  // namespace

std::string ToString(const CostItem& item) {
  return ToString(std::span(&item, 1));
}

std::string ToString(std::span<const CostItem> alike) {
  const char* const plural = alike.size() > 1 ? "s" : "";
  switch (alike.front().what) {
    case CostItem::What::kOp:
      return fmt::format("{} of stage{} {}", TraitsOf(alike.front().kind).text, plural,
                         Ranges(alike));
    case CostItem::What::kCell:
      return fmt::format("cell of stage{} {}", plural, Ranges(alike));
    case CostItem::What::kLatency:
      return "latency";
    case CostItem::What::kBandwidth:
      return "bandwidth";
    case CostItem::What::kSpeed:
      break;
  }
  return fmt::format("speed of rank{} {}", plural, Ranges(alike));
}

}  // namespace stagecraft
