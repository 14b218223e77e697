#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/ip/tcp.hpp>

#include "config/problems.h"

namespace pilotlight::config {

/// Where settings come from: the value of a name, or nothing if it does not exist. main() passes
/// the environment, tests a map.
using Source = std::function<std::optional<std::string>(const std::string& name)>;

/// Turns named strings into typed values, and remembers every problem instead of ending at the
/// first. A value that does not exist or does not parse leaves `value` as it was.
///
/// `required` asks that the name exists; an empty string is then a valid text, and a problem for
/// every other type. `strict` may be absent, but an empty string is a problem too: Knative's rule.
/// With `optional` an empty string counts as absent, except for texts.
class EnvReader {
 public:
  enum class Need : std::uint8_t { optional, strict, required };
  /// The longest time that can be asked for in seconds: a day.
  static constexpr std::int64_t kMostSeconds = 86'400;

  using Endpoint = boost::asio::ip::tcp::endpoint;
  using Address = boost::asio::ip::address;

  explicit EnvReader(Source source) : source_(std::move(source)) {}

  void text(const std::string& name, std::string& value, Need need = Need::optional);
  void integer(const std::string& name, std::uint32_t& value, std::uint32_t least,
               std::uint32_t most, Need need = Need::optional);
  /// A number from 1 to 65535.
  void port(const std::string& name, std::uint16_t& value, Need need = Need::optional);
  /// As Go reads them: 1, t, T, true, TRUE, True and 0, f, F, false, FALSE, False.
  void boolean(const std::string& name, bool& value, Need need = Need::optional);
  /// Whole seconds, at least 1; or, for those that may be off, at least 0, where 0 is nothing.
  void seconds(const std::string& name, std::chrono::seconds& value, Need need);
  void seconds(const std::string& name, std::optional<std::chrono::seconds>& value, Need need);
  /// An IP address, v4 or v6.
  void address(const std::string& name, Address& value);
  /// `ip:port` or `[ip6]:port`.
  void endpoint(const std::string& name, std::optional<Endpoint>& value);
  /// The non-empty elements of a comma-separated list, trimmed.
  void list(const std::string& name, std::vector<std::string>& value);
  /// One of the words. @return its place, or nothing when absent or wrong.
  std::optional<std::size_t> one_of(const std::string& name,
                                    std::initializer_list<std::string_view> words);

  /// The raw value; a problem if it is required and absent.
  [[nodiscard]] std::optional<std::string> raw(const std::string& name, Need need);

  void problem(std::string text) { problems_.push_back(std::move(text)); }
  void wrong(const std::string& name, std::string_view got, std::string_view expected);
  void append(const Problems& more);
  [[nodiscard]] const Problems& problems() const noexcept { return problems_; }

 private:
  /// The value if there is something to parse.
  [[nodiscard]] std::optional<std::string> parsed(const std::string& name, Need need);

  Source source_;
  Problems problems_;
};

}  // namespace pilotlight::config
