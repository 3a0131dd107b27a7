#pragma once

#include <algorithm>
#include <cstdint>
#include <regex>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace stagecraft::test {

/// What of a JSON value a JSON Schema does not allow, one line per fault with its pointer. Knows
/// the keywords that our schemas use; any other is a fault, so that none is passed over.
class SchemaCheck {
 public:
  using Json = nlohmann::ordered_json;

  explicit SchemaCheck(const Json& schema) : root_(schema) {}

  std::vector<std::string> Faults(const Json& value) {
    faults_.clear();
    Check(root_, value, "");
    return faults_;
  }

 private:
  void Fault(const std::string& where, const std::string& what) {
    faults_.push_back((where.empty() ? "/" : where) + ": " + what);
  }

  void Check(const Json& schema, const Json& value, const std::string& where) {
    for (const auto& [keyword, argument] : schema.items()) {
      if (!Holds(keyword, argument, value) && !Descends(keyword)) {
        Fault(where, keyword + " " + argument.dump() + ", got " + value.dump().substr(0, 60));
      }
    }

    if (schema.contains("$ref")) {
      Check(root_.at(Json::json_pointer(schema["$ref"].get<std::string>().substr(1))), value,
            where);
    }

    // Members and items have schemas of their own.
    if (value.is_object()) {
      CheckMembers(schema, value, where);
    }
    for (std::size_t i = 0; value.is_array() && schema.contains("items") && i < value.size(); ++i) {
      Check(schema["items"], value[i], where + "/" + std::to_string(i));
    }
  }

  void CheckMembers(const Json& schema, const Json& value, const std::string& where) {
    const Json known = schema.value("properties", Json::object());
    const Json others = schema.value("additionalProperties", Json(true));
    for (const auto& [key, member] : value.items()) {
      const std::string at = where + "/" + key;
      if (known.contains(key)) {
        Check(known[key], member, at);
      } else if (others.is_object()) {
        Check(others, member, at);
      } else if (!others.get<bool>()) {
        Fault(at, "not in the schema");
      }
    }

    const Json dependent = schema.value("dependentRequired", Json::object());
    for (const auto& [key, needed] : dependent.items()) {
      for (const Json& other : needed) {
        if (value.contains(key) && !value.contains(other.get<std::string>())) {
          Fault(where, key + " without " + other.get<std::string>());
        }
      }
    }
  }

  /// Keywords that `Check` and `CheckMembers` follow, or that say nothing about values.
  static bool Descends(const std::string& keyword) {
    constexpr std::string_view kKnown[] = {
        "$schema",          "$defs",      "$ref",  "title",
        "description",      "properties", "items", "additionalProperties",
        "dependentRequired"};
    return std::find(std::begin(kKnown), std::end(kKnown), keyword) != std::end(kKnown);
  }

  static bool Holds(const std::string& keyword, const Json& argument, const Json& value) {
    if (keyword == "type") {
      return argument.is_array() ? std::any_of(argument.begin(), argument.end(),
                                               [&](const Json& type) { return Is(type, value); })
                                 : Is(argument, value);
    }

    if (keyword == "const") {
      return value == argument;
    }
    if (keyword == "enum") {
      return std::find(argument.begin(), argument.end(), value) != argument.end();
    }

    if (keyword == "required") {
      return !value.is_object() ||
             std::all_of(argument.begin(), argument.end(),
                         [&](const Json& key) { return value.contains(key.get<std::string>()); });
    }

    // Keywords on numbers say nothing of other values, and so on below.
    if (keyword == "minimum") {
      return !value.is_number() || value.get<double>() >= argument.get<double>();
    }
    if (keyword == "maximum") {
      return !value.is_number() || value.get<double>() <= argument.get<double>();
    }
    if (keyword == "exclusiveMinimum") {
      return !value.is_number() || value.get<double>() > argument.get<double>();
    }

    if (keyword == "minItems") {
      return !value.is_array() || value.size() >= argument.get<std::size_t>();
    }
    if (keyword == "pattern") {
      return !value.is_string() ||
             std::regex_search(value.get<std::string>(), std::regex(argument.get<std::string>()));
    }

    return false;
  }

  static bool Is(const Json& type, const Json& value) {
    const std::string name = type;
    return (name == "object" && value.is_object()) || (name == "array" && value.is_array()) ||
           (name == "string" && value.is_string()) || (name == "number" && value.is_number()) ||
           (name == "integer" && value.is_number_integer()) ||
           (name == "boolean" && value.is_boolean()) || (name == "null" && value.is_null());
  }

  const Json& root_;
  std::vector<std::string> faults_;
};

}  // namespace stagecraft::test
