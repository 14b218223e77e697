#include "config/probe.h"

#include <algorithm>
#include <optional>

#include <boost/asio/ip/address.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "config/json_reader.h"
#include "config/scalars.h"

namespace pilotlight::config {
namespace {

using nlohmann::json;

/// Reads one Probe object; problems begin with `where`.
class ProbeReader {
 public:
  ProbeReader(Problems& problems, std::string where)
      : problems_(problems), where_(std::move(where)) {}

  Probe read(const json& object) {
    if (!object.is_object()) {
      wrong("", shown(object), "an object");
      return probe_;
    }
    handler(object);
    const auto period = seconds(object, "periodSeconds");
    const auto timeout = seconds(object, "timeoutSeconds");
    if (period > 0) {
      probe_.period = std::chrono::seconds(period);
      probe_.timeout = std::chrono::seconds(std::max<std::int64_t>(timeout, 1));
    }
    const auto threshold = seconds(object, "successThreshold");
    probe_.success_threshold = static_cast<std::uint32_t>(std::max<std::int64_t>(threshold, 1));
    return probe_;
  }

 private:
  void wrong(const std::string& path, const std::string& got, std::string_view expected) {
    problems_.push_back(fmt::format("{}{}: {}", where_, path, got_expected(got, expected)));
  }

  void handler(const json& object) {
    for (const char* refused : {"exec", "grpc"}) {
      if (object.contains(refused) && !object[refused].is_null()) {
        wrong("", fmt::format("the handler {}", refused), "tcpSocket or httpGet");
        return;
      }
    }
    const auto tcp = object.find("tcpSocket");
    const auto http = object.find("httpGet");
    const bool has_tcp = tcp != object.end() && !tcp->is_null();
    const bool has_http = http != object.end() && !http->is_null();
    if (has_tcp == has_http) {
      wrong("", has_tcp ? "tcpSocket and httpGet" : "no handler", "one of tcpSocket and httpGet");
      return;
    }
    const json& inner = has_tcp ? *tcp : *http;
    const std::string path = has_tcp ? ".tcpSocket" : ".httpGet";
    if (!inner.is_object()) {
      wrong(path, shown(inner), "an object");
      return;
    }
    host(inner, path);
    port(inner, path);
    if (has_http) http_get(inner);
  }

  void host(const json& inner, const std::string& path) {
    const auto text = string(inner, "host", path);
    if (text.empty()) return;
    boost::system::error_code error;
    (void)boost::asio::ip::make_address(text, error);
    if (error) {
      wrong(path + ".host", in_quotes(text), "an IP address");
    } else {
      probe_.host = text;
    }
  }

  void port(const json& inner, const std::string& path) {
    const auto found = inner.find("port");
    if (found == inner.end() || found->is_null()) return;
    const std::string text = found->is_string() ? found->get<std::string>() : shown(*found);
    // 0 is what an unset port looks like once it has been through Go's types.
    if (text == "0" || text.empty()) return;
    if (const auto number = parse_port(text)) {
      probe_.port = *number;
    } else {
      wrong(path + ".port", shown(*found), "a port in [1, 65535]");
    }
  }

  void http_get(const json& inner) {
    probe_.kind = Probe::Kind::http;
    probe_.path = string(inner, "path", ".httpGet");
    if (!probe_.path.empty() && probe_.path.front() != '/') probe_.path.insert(0, "/");
    const auto clean = [](char c) { return static_cast<unsigned char>(c) > 0x20 && c != 0x7F; };
    if (!std::all_of(probe_.path.begin(), probe_.path.end(), clean)) {
      wrong(".httpGet.path", in_quotes(probe_.path), "a path without white space");
      probe_.path.clear();
    }
    const auto scheme = string(inner, "scheme", ".httpGet");
    probe_.https = scheme == "HTTPS" || scheme == "https";
    if (!probe_.https && !scheme.empty() && scheme != "HTTP" && scheme != "http") {
      wrong(".httpGet.scheme", in_quotes(scheme), "HTTP or HTTPS");
    }
    const auto headers = inner.find("httpHeaders");
    if (headers == inner.end() || headers->is_null()) return;
    if (!headers->is_array()) {
      wrong(".httpGet.httpHeaders", shown(*headers), "a list");
      return;
    }
    for (const json& header : *headers) add_header(header);
  }

  void add_header(const json& header) {
    const std::string path = ".httpGet.httpHeaders";
    if (!header.is_object()) {
      wrong(path, shown(header), "name and value");
      return;
    }
    auto name = string(header, "name", path);
    auto value = string(header, "value", path);
    const auto token = [](char c) {
      return static_cast<unsigned char>(c) > 0x20 && static_cast<unsigned char>(c) < 0x7F &&
             c != ':';
    };
    const auto printable = [](char c) { return c != '\r' && c != '\n' && c != '\0'; };
    if (name.empty() || !std::all_of(name.begin(), name.end(), token)) {
      wrong(path, in_quotes(name), "the name of a header");
    } else if (!std::all_of(value.begin(), value.end(), printable)) {
      wrong(path, in_quotes(value), "a value on one line");
    } else {
      probe_.headers.emplace_back(std::move(name), std::move(value));
    }
  }

  std::string string(const json& from, const char* key, const std::string& path) {
    const auto found = from.find(key);
    if (found == from.end() || found->is_null()) return "";
    if (found->is_string()) return found->get<std::string>();
    wrong(fmt::format("{}.{}", path, key), shown(*found), "a string");
    return "";
  }

  std::int64_t seconds(const json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end() || found->is_null()) return 0;
    constexpr std::int64_t kMost = 3600;
    if (found->is_number_unsigned() && found->get<std::uint64_t>() <= kMost) {
      return found->get<std::int64_t>();
    }
    wrong(fmt::format(".{}", key), shown(*found), fmt::format("an integer in [0, {}]", kMost));
    return 0;
  }

  Problems& problems_;
  std::string where_;
  Probe probe_;
};

}  // namespace

Checked<std::vector<Probe>> parse_probes(std::string_view text, bool array,
                                         std::string_view where) {
  std::vector<Probe> probes;
  if (text.empty()) return probes;
  Problems problems;
  const json parsed = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (parsed.is_discarded()) {
    problems.push_back(fmt::format("{}: {}", where, got_expected(in_quotes(text), "JSON")));
    return problems;
  }
  if (!array) {
    probes.push_back(ProbeReader(problems, std::string(where)).read(parsed));
  } else if (!parsed.is_array()) {
    problems.push_back(fmt::format("{}: {}", where,
                                   got_expected(in_quotes(text),
                                                "a list, as "
                                                "ENABLE_MULTI_CONTAINER_PROBES says")));
  } else {
    for (std::size_t i = 0; i < parsed.size(); ++i) {
      probes.push_back(ProbeReader(problems, fmt::format("{}[{}]", where, i)).read(parsed[i]));
    }
  }
  if (!problems.empty()) return problems;
  return probes;
}

}  // namespace pilotlight::config
