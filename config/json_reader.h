#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "config/problems.h"
#include "config/string_map.h"

namespace pilotlight::config {

/// A JSON value as a message shows it: short, on one line, never throwing.
[[nodiscard]] std::string shown(const nlohmann::json& value);

/// A path and its next part: `spec` and `containers` give `spec.containers`.
[[nodiscard]] std::string join(std::string_view path, std::string_view key);
[[nodiscard]] std::string join(std::string_view path, std::size_t index);

/// Collects the problems of one document. `at` turns a path into what stands before it in a
/// message, such as `service.yaml:12`; null means that the path itself comes first.
class Report {
 public:
  using At = std::function<std::string(const std::string& path)>;

  explicit Report(At at = nullptr) : at_(std::move(at)) {}

  /// `got` and `expected` are shown as they are.
  void wrong(const std::string& path, std::string_view got, std::string_view expected);
  /// A problem that is not of that form.
  void say(const std::string& path, std::string_view text);

  [[nodiscard]] const Problems& problems() const noexcept { return problems_; }
  [[nodiscard]] std::string where(const std::string& path) const;

 private:
  At at_;
  Problems problems_;
};

/// Whether fields that nobody asked for are problems: they are in what a user wrote, and are not in
/// what an API server returns.
enum class Unknown : std::uint8_t { refused, ignored };

/// Reads one object field by field. A field that is absent or null gives nothing; one of a wrong
/// type is a problem and gives nothing. With Unknown::refused, end() makes a problem of each field
/// that was not asked for.
class ObjectReader {
 public:
  using json = nlohmann::json;

  /// A value that is not an object is a problem (absent or null ones are an empty object).
  ObjectReader(const json* value, std::string path, Report& report, Unknown unknown);

  /// The field, or null when it is absent or null. Marks it as known.
  [[nodiscard]] const json* field(const char* key);
  [[nodiscard]] bool has(const char* key) { return field(key) != nullptr; }

  [[nodiscard]] std::optional<std::string> text(const char* key);
  /// A text that must be there and not be empty.
  [[nodiscard]] std::string needed_text(const char* key, std::string_view expected);
  [[nodiscard]] std::optional<std::int64_t> integer(const char* key, std::int64_t least,
                                                    std::int64_t most);
  [[nodiscard]] std::optional<bool> boolean(const char* key);
  [[nodiscard]] std::vector<std::string> texts(const char* key);
  /// An object whose values are all strings, as labels and annotations are.
  [[nodiscard]] StringMap strings(const char* key);
  /// The elements of a list, or nothing.
  [[nodiscard]] const json::array_t& list(const char* key);
  [[nodiscard]] ObjectReader object(const char* key);

  /// Known, and with Unknown::refused a problem when present, which says what is expected instead.
  void refuse(const char* key, std::string_view expected);
  /// Known and not looked at.
  void ignore(std::initializer_list<const char*> keys);
  /// Call last.
  void end();

  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] std::string path_of(std::string_view key) const { return join(path_, key); }
  [[nodiscard]] Report& report() noexcept { return report_; }
  [[nodiscard]] Unknown unknown() const noexcept { return unknown_; }

 private:
  const json* value_;
  std::string path_;
  Report& report_;
  Unknown unknown_;
  std::set<std::string, std::less<>> known_;
};

}  // namespace pilotlight::config
