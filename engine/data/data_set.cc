#include "engine/data/data_set.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "engine/model/random.h"

namespace stagecraft {
namespace {

constexpr std::int64_t kOneInForEvaluation = 5;

template <typename T>
std::span<T> ElementsOf(const HostTensor& tensor) {
  return {reinterpret_cast<T*>(tensor.memory.data),
          static_cast<std::size_t>(Elements(tensor.shape))};
}

/// A tensor whose elements are `value(0), value(1), ...`, rounded to `type`.
template <typename Value>
HostTensor Filled(ElementType type, TensorShape shape, const Value& value) {
  HostTensor tensor = MakeHostTensor(type, std::move(shape));
  const auto fill = [&](auto elements) {
    std::size_t index = 0;
    for (auto& element : elements) {
      element = static_cast<std::remove_reference_t<decltype(element)>>(value(index++));
    }
  };

  if (type == ElementType::kFloat64) {
    fill(ElementsOf<double>(tensor));
  } else if (type == ElementType::kInt64) {
    fill(ElementsOf<std::int64_t>(tensor));
  } else {
    fill(ElementsOf<float>(tensor));
  }
  return tensor;
}

/// The samples for which `take(index)`.
HostTensor Chosen(const HostTensor& from, const std::function<bool(std::int64_t)>& take) {
  std::vector<std::int64_t> chosen;
  for (std::int64_t i = 0; i < from.shape.front(); ++i) {
    if (take(i)) {
      chosen.push_back(i);
    }
  }

  TensorShape shape = from.shape;
  shape.front() = static_cast<std::int64_t>(chosen.size());
  HostTensor tensor = MakeHostTensor(from.type, std::move(shape));
  const std::size_t bytes = from.memory.bytes / static_cast<std::size_t>(from.shape.front());
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    std::memcpy(tensor.memory.data + i * bytes,
                from.memory.data + static_cast<std::size_t>(chosen[i]) * bytes, bytes);
  }
  return tensor;
}

SplitData Split(const DataSet& all) {
  const auto evaluates = [](std::int64_t i) {
    return i % kOneInForEvaluation == kOneInForEvaluation - 1;
  };
  return {{Chosen(all.x, std::not_fn(evaluates)), Chosen(all.y, std::not_fn(evaluates))},
          {Chosen(all.x, evaluates), Chosen(all.y, evaluates)}};
}

/// outputs x tanh(hidden x input), with weights that the seed fixes.
class Teacher {
 public:
  Teacher(std::int64_t inputs, std::int64_t outputs, std::uint64_t seed)
      : outputs_(outputs), random_(seed) {
    Draw(hidden_, kHidden * inputs, 1.5 / std::sqrt(static_cast<double>(inputs)));
    Draw(output_, outputs * kHidden, 1.0 / std::sqrt(static_cast<double>(kHidden)));
  }

  std::vector<double> Answer(std::span<const double> input) const {
    std::vector<double> hidden(kHidden);
    Product(hidden_, input, hidden);
    for (double& value : hidden) {
      value = std::tanh(value);
    }
    std::vector<double> output(static_cast<std::size_t>(outputs_));
    Product(output_, hidden, output);
    return output;
  }

 private:
  static constexpr std::int64_t kHidden = 16;

  void Draw(std::vector<double>& weights, std::int64_t count, double deviation) {
    for (std::int64_t i = 0; i < count; ++i) {
      weights.push_back(deviation * random_.Normal());
    }
  }
  static void Product(const std::vector<double>& weights, std::span<const double> input,
                      std::vector<double>& output) {
    for (std::size_t row = 0; row < output.size(); ++row) {
      for (std::size_t i = 0; i < input.size(); ++i) {
        output[row] += weights[row * input.size() + i] * input[i];
      }
    }
  }

  std::int64_t outputs_;
  Random random_;
  std::vector<double> hidden_, output_;
};

std::int64_t Largest(const std::vector<double>& values) {
  return std::max_element(values.begin(), values.end()) - values.begin();
}

/// `sample` many inputs of `width` numbers each, answered by a teacher.
DataSet Answered(const TeacherOptions& options, ElementType type, TensorShape sample,
                 const std::function<double(Random&)>& draw) {
  const std::int64_t width = Elements(sample);
  const Teacher teacher(width, options.outputs, MixSeed({options.seed, 1}));
  Random random(MixSeed({options.seed, 2}));
  std::vector<double> inputs;
  std::vector<double> answers;
  std::vector<std::int64_t> classes;

  // Every sample draws its inputs and is answered; what is kept of that depends on the task.
  for (std::int64_t i = 0; i < options.samples; ++i) {
    for (std::int64_t j = 0; j < width; ++j) {
      inputs.push_back(draw(random));
    }
    const std::vector<double> answer =
        teacher.Answer(std::span(inputs).subspan(static_cast<std::size_t>(i * width)));
    answers.insert(answers.end(), answer.begin(), answer.end());
    classes.push_back(Largest(answer));
  }

  sample.insert(sample.begin(), options.samples);
  DataSet data;
  data.x = Filled(type, std::move(sample), [&](std::size_t i) { return inputs[i]; });
  if (options.task == TeacherOptions::Task::kRegression) {
    data.y =
        Filled(type, {options.samples, options.outputs}, [&](std::size_t i) { return answers[i]; });
  } else {
    data.y =
        Filled(ElementType::kInt64, {options.samples}, [&](std::size_t i) { return classes[i]; });
  }
  return data;
}

/// After each token, one of three comes with 0.6, 0.25 and 0.1; else any.
DataSet Tokens(const TeacherOptions& options) {
  Random rules(MixSeed({options.seed, 1}));
  constexpr std::size_t kChoices = 3;
  std::vector<std::int64_t> likely;
  for (std::int64_t i = 0; i < options.outputs * static_cast<std::int64_t>(kChoices); ++i) {
    likely.push_back(rules.Below(options.outputs));
  }

  // Every token is followed by one of its likely ones, and by any other in one of twenty cases.
  Random random(MixSeed({options.seed, 2}));
  const auto next = [&](std::int64_t token) {
    constexpr double kUpTo[kChoices] = {0.6, 0.85, 0.95};
    const double draw = random.Uniform();
    for (std::size_t i = 0; i < kChoices; ++i) {
      if (draw < kUpTo[i]) {
        return likely[static_cast<std::size_t>(token) * kChoices + i];
      }
    }
    return random.Below(options.outputs);
  };

  std::vector<std::int64_t> x;
  std::vector<std::int64_t> y;
  for (std::int64_t i = 0; i < options.samples; ++i) {
    std::int64_t token = random.Below(options.outputs);
    for (std::int64_t t = 0; t < options.size; ++t) {
      x.push_back(token);
      token = next(token);
      y.push_back(token);
    }
  }

  const TensorShape shape = {options.samples, options.size};
  return {Filled(ElementType::kInt64, shape, [&](std::size_t i) { return x[i]; }),
          Filled(ElementType::kInt64, shape, [&](std::size_t i) { return y[i]; })};
}

template <typename From>
std::string NumberText(From value) {
  if constexpr (std::is_floating_point_v<From>) {
    if (std::isnan(value)) {
      return "NaN";
    }
  }
  return fmt::format("{}", value);
}

/// Whether `value` is also one of T.
template <typename T, typename From>
bool IsOneOf(From value) {
  constexpr double kMost = 0x1p53;  // Below it, every whole number is a double.
  if constexpr (std::is_integral_v<T> && std::is_floating_point_v<From>) {
    return std::floor(value) == value && std::abs(static_cast<double>(value)) <= kMost;
  } else if constexpr (std::is_floating_point_v<T> && std::is_integral_v<From>) {
    const auto there = static_cast<T>(value);
    return std::abs(static_cast<double>(there)) <= kMost && static_cast<From>(there) == value;
  } else {
    return true;
  }
}

template <typename T, typename From>
HostTensor ConvertedTo(const HostTensor& tensor, ElementType type) {
  const std::span<const From> from = ElementsOf<const From>(tensor);
  HostTensor result = MakeHostTensor(type, tensor.shape);
  const std::span<T> to = ElementsOf<T>(result);

  for (std::size_t i = 0; i < from.size(); ++i) {
    if (!IsOneOf<T>(from[i])) {
      const char* const expected = std::is_integral_v<T>           ? "a whole number"
                                   : type == ElementType::kFloat32 ? "a number that float32 has"
                                                                   : "a number that float64 has";
      throw Error(fmt::format("element {} is {}; expected {}",
                              PlaceText(tensor.shape, static_cast<std::int64_t>(i)),
                              NumberText(from[i]), expected));
    }
    to[i] = static_cast<T>(from[i]);
  }
  return result;
}

template <typename From>
HostTensor ConvertedFrom(const HostTensor& tensor, ElementType type) {
  if (tensor.type == type) {
    return tensor;
  }
  if (type == ElementType::kInt64) {
    return ConvertedTo<std::int64_t, From>(tensor, type);
  }
  return type == ElementType::kFloat64 ? ConvertedTo<double, From>(tensor, type)
                                       : ConvertedTo<float, From>(tensor, type);
}

}  // namespace

HostTensor Converted(const HostTensor& tensor, ElementType type) {
  switch (tensor.type) {
    case ElementType::kFloat32:
      return ConvertedFrom<float>(tensor, type);
    case ElementType::kFloat64:
      return ConvertedFrom<double>(tensor, type);
    case ElementType::kInt64:
      return ConvertedFrom<std::int64_t>(tensor, type);
    case ElementType::kUint8:
      return ConvertedFrom<std::uint8_t>(tensor, type);
  }
  return tensor;
}

std::string PlaceText(const TensorShape& shape, std::int64_t element) {
  TensorShape place(shape.size());
  for (std::size_t i = shape.size(); i-- > 0; element /= shape[i]) {
    place[i] = element % shape[i];
  }
  return fmt::format("[{}]", fmt::join(place, ", "));
}

SplitData SplitDigits(const Safetensors& content, ElementType type) {
  constexpr double kMostGrey = 16;
  const auto x = content.tensors.find("x");
  const auto y = content.tensors.find("y");
  if (x == content.tensors.end() || y == content.tensors.end() ||
      x->second.type != ElementType::kUint8 || y->second.type != ElementType::kUint8 ||
      x->second.shape != TensorShape{y->second.shape.front(), 1, 8, 8}) {
    throw Error("the digits' file: expected tensors x [n, 1, 8, 8] and y [n] of U8");
  }
  const std::span<const std::uint8_t> grey = ElementsOf<std::uint8_t>(x->second);
  const std::span<const std::uint8_t> digit = ElementsOf<std::uint8_t>(y->second);
  return Split(
      {Filled(type, x->second.shape, [&](std::size_t i) { return grey[i] / kMostGrey; }),
       Filled(ElementType::kInt64, y->second.shape, [&](std::size_t i) { return digit[i]; })});
}

SplitData TeacherData(const TeacherOptions& options, ElementType type) {
  switch (options.task) {
    case TeacherOptions::Task::kTokens:
      return Split(Tokens(options));
    case TeacherOptions::Task::kImages:
      return Split(Answered(options, type, {options.inputs, options.size, options.size},
                            [](Random& random) { return random.Uniform(); }));
    default:
      return Split(Answered(options, type, {options.inputs},
                            [](Random& random) { return random.Normal(); }));
  }
}

}  // namespace stagecraft
