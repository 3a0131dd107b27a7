#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace stagecraft {

/// A `std::vector` that is indexed and sized by whatever integer numbers its entries: ranks,
/// stages, micro-batches and op ids are `std::int32_t` here, and never negative where they index.
template <typename T>
class Table : public std::vector<T> {
 public:
  using std::vector<T>::vector;
  explicit Table(std::int32_t count) : std::vector<T>(static_cast<std::size_t>(count)) {}
  Table(std::int32_t count, const T& value)
      : std::vector<T>(static_cast<std::size_t>(count), value) {}
  // NOLINTNEXTLINE(google-explicit-constructor): a vector is one.
  Table(std::vector<T> values) : std::vector<T>(std::move(values)) {}

  decltype(auto) operator[](std::integral auto i) {
    return std::vector<T>::operator[](static_cast<std::size_t>(i));
  }
  decltype(auto) operator[](std::integral auto i) const {
    return std::vector<T>::operator[](static_cast<std::size_t>(i));
  }

  using std::vector<T>::assign;
  void assign(std::integral auto count, const T& value) {
    std::vector<T>::assign(static_cast<std::size_t>(count), value);
  }
  void resize(std::integral auto count) { std::vector<T>::resize(static_cast<std::size_t>(count)); }
  void resize(std::integral auto count, const T& value) {
    std::vector<T>::resize(static_cast<std::size_t>(count), value);
  }
  void reserve(std::integral auto count) {
    std::vector<T>::reserve(static_cast<std::size_t>(count));
  }

  /// The number of entries in the type that numbers them.
  std::int32_t Count() const { return static_cast<std::int32_t>(this->size()); }
};

/// A `std::span` that is indexed in the same way.
template <typename T>
class TableView : public std::span<T> {
 public:
  using std::span<T>::span;
  // NOLINTNEXTLINE(google-explicit-constructor): a span is one.
  TableView(std::span<T> values) : std::span<T>(values) {}

  T& operator[](std::integral auto i) const {
    return std::span<T>::operator[](static_cast<std::size_t>(i));
  }

  /// The entries from `begin` on, up to `end` and without it.
  TableView Between(std::integral auto begin, std::integral auto end) const {
    return this->subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
  }

  std::int32_t Count() const { return static_cast<std::int32_t>(this->size()); }
};

/// One entry for every enumerator of `Enum`, which are numbered from 0.
template <typename Enum, typename T, std::size_t count>
struct EnumTable : std::array<T, count> {
  constexpr T& operator[](Enum i) {
    return std::array<T, count>::operator[](static_cast<std::size_t>(i));
  }
  constexpr const T& operator[](Enum i) const {
    return std::array<T, count>::operator[](static_cast<std::size_t>(i));
  }
};

}  // namespace stagecraft
