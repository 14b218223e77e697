#include "config/env_reader.h"

#include <algorithm>

#include <boost/asio/ip/address.hpp>
#include <fmt/format.h>

#include "config/scalars.h"

namespace pilotlight::config {
namespace {

std::optional<EnvReader::Endpoint> parse_endpoint(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const auto port = parse_integer(text.substr(colon + 1));
  if (!port || *port < 0 || *port > 65535 || text.substr(colon + 1).starts_with('+')) {
    return std::nullopt;
  }
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(std::string(host), error);
  if (error || address.is_v6() != bracketed) return std::nullopt;
  return EnvReader::Endpoint(address, static_cast<std::uint16_t>(*port));
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

}  // namespace

std::optional<std::string> EnvReader::raw(const std::string& name, Need need) {
  auto value = source_(name);
  if (!value && need == Need::required) problem(name + ": not set, and it is required");
  return value;
}

std::optional<std::string> EnvReader::parsed(const std::string& name, Need need) {
  auto value = raw(name, need);
  if (value && value->empty() && need == Need::optional) return std::nullopt;
  return value;
}

void EnvReader::wrong(const std::string& name, std::string_view got, std::string_view expected) {
  problem(name + ": " + got_expected(in_quotes(got), expected));
}

void EnvReader::append(const Problems& more) {
  problems_.insert(problems_.end(), more.begin(), more.end());
}

void EnvReader::text(const std::string& name, std::string& value, Need need) {
  if (auto given = raw(name, need)) value = std::move(*given);
}

void EnvReader::integer(const std::string& name, std::uint32_t& value, std::uint32_t least,
                        std::uint32_t most, Need need) {
  const auto given = parsed(name, need);
  if (!given) return;
  const auto number = parse_integer(*given);
  if (!number || *number < least || *number > most) {
    wrong(name, *given, fmt::format("an integer in [{}, {}]", least, most));
    return;
  }
  value = static_cast<std::uint32_t>(*number);
}

void EnvReader::port(const std::string& name, std::uint16_t& value, Need need) {
  const auto given = parsed(name, need);
  if (!given) return;
  if (const auto number = parse_port(*given)) {
    value = *number;
  } else {
    wrong(name, *given, "a port in [1, 65535]");
  }
}

void EnvReader::boolean(const std::string& name, bool& value, Need need) {
  const auto given = parsed(name, need);
  if (!given) return;
  if (const auto flag = parse_boolean(*given)) {
    value = *flag;
  } else {
    wrong(name, *given, "true or false");
  }
}

void EnvReader::seconds(const std::string& name, std::chrono::seconds& value, Need need) {
  const auto given = parsed(name, need);
  if (!given) return;
  const auto number = parse_integer(*given);
  if (!number || *number < 1 || *number > kMostSeconds) {
    wrong(name, *given, fmt::format("whole seconds in [1, {}]", kMostSeconds));
    return;
  }
  value = std::chrono::seconds(*number);
}

void EnvReader::seconds(const std::string& name, std::optional<std::chrono::seconds>& value,
                        Need need) {
  const auto given = parsed(name, need);
  if (!given) return;
  const auto number = parse_integer(*given);
  if (!number || *number < 0 || *number > kMostSeconds) {
    wrong(name, *given, fmt::format("whole seconds in [0, {}]", kMostSeconds));
    return;
  }
  value.reset();
  if (*number > 0) value = std::chrono::seconds(*number);
}

void EnvReader::address(const std::string& name, Address& value) {
  const auto given = parsed(name, Need::optional);
  if (!given) return;
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(*given, error);
  if (error) {
    wrong(name, *given, "an IP address");
  } else {
    value = address;
  }
}

void EnvReader::endpoint(const std::string& name, std::optional<Endpoint>& value) {
  const auto given = parsed(name, Need::optional);
  if (!given) return;
  if (auto endpoint = parse_endpoint(*given)) {
    value = *endpoint;
  } else {
    wrong(name, *given, "an IP address and a port, like 127.0.0.1:9444");
  }
}

void EnvReader::list(const std::string& name, std::vector<std::string>& value) {
  const auto given = parsed(name, Need::optional);
  if (!given) return;
  value.clear();
  std::string_view rest = *given;
  while (!rest.empty()) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    const std::string_view element = trimmed(rest.substr(0, comma));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    if (!element.empty()) value.emplace_back(element);
  }
}

std::optional<std::size_t> EnvReader::one_of(const std::string& name,
                                             std::initializer_list<std::string_view> words) {
  const auto given = parsed(name, Need::optional);
  if (!given) return std::nullopt;
  std::size_t place = 0;
  std::string expected;
  for (const std::string_view word : words) {
    if (*given == word) return place;
    expected += place == 0 ? "" : (place + 1 == words.size() ? " or " : ", ");
    expected += word;
    ++place;
  }
  wrong(name, *given, expected);
  return std::nullopt;
}

}  // namespace pilotlight::config
