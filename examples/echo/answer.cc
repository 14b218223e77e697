#include "examples/echo/answer.h"

#include <cstdio>

#include <time.h>
#include <unistd.h>

namespace pilotlight::echo {
namespace {

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(c));
      out += escape;
    } else {
      out += c;
    }
  }
  return out + '"';
}

void field(std::string& json, std::string_view name, std::string_view value) {
  if (json.size() > 1) json += ", ";
  json += quoted(name);
  json += ": ";
  json += value;
}

template <class T>
void field(std::string& json, std::string_view name, T value) requires std::is_integral_v<T> {
  field(json, name, std::string_view(std::to_string(value)));
}

}  // namespace

std::int64_t monotonic_us() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
}

std::string answer_head(const Exchange& exchange, const Stats& stats, unsigned status,
                        const char* content_type, std::optional<std::uint64_t> length) {
  const Request& request = exchange.request;
  std::string head = "HTTP/1.1 " + std::to_string(status) + (status < 400 ? " OK" : " Error");
  head += "\r\nContent-Type: ";
  head += content_type;
  if (length) {
    head += "\r\nContent-Length: " + std::to_string(*length);
  } else if (!request.http_1_0) {
    head += "\r\nTransfer-Encoding: chunked";
  }
  if (!request.keep_alive) head += "\r\nConnection: close";
  if (request.keep_alive && request.http_1_0) head += "\r\nConnection: keep-alive";
  head += "\r\nX-Echo-Pid: " + std::to_string(getpid());
  head += "\r\nX-Echo-Listening-Us: " + std::to_string(stats.listening_us);
  head += "\r\nX-Echo-Received-Us: " + std::to_string(exchange.received_us);
  return head + "\r\n\r\n";
}

std::string describe(const Exchange& exchange, const Stats& stats) {
  const Request& request = exchange.request;
  std::string json = "{";
  field(json, "method", quoted(request.method));
  field(json, "path", quoted(request.path));
  field(json, "body_bytes", exchange.body_bytes);
  field(json, "pid", getpid());
  field(json, "in_flight", stats.in_flight);
  field(json, "max_in_flight", stats.max_in_flight);
  if (request.query.contains("headers")) {
    std::string headers = "{";
    for (const auto& [name, value] : request.headers) field(headers, name, quoted(value));
    field(json, "headers", headers + "}");
  }
  return json + "}\n";
}

std::string describe(const Stats& stats, const Options& options) {
  std::string json = "{";
  field(json, "pid", getpid());
  field(json, "in_flight", stats.in_flight);
  field(json, "max_in_flight", stats.max_in_flight);
  if (options.limit) field(json, "limit", *options.limit);
  field(json, "violations", stats.violations);
  field(json, "served", stats.served);
  field(json, "dropped", stats.dropped);
  field(json, "body_bytes", stats.body_bytes);
  field(json, "listening_us", stats.listening_us);
  std::string order = "[";
  for (const std::string& id : stats.order) order += (order.size() > 1 ? ", " : "") + quoted(id);
  field(json, "order", order + "]");
  return json + "}\n";
}

}  // namespace pilotlight::echo
