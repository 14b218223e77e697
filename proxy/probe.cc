#include "proxy/probe.h"

#include <charconv>

#include <fmt/format.h>

#include "common/base/log.h"
#include "common/http/head_parser.h"
#include "common/net/dialer.h"
#include "common/net/listener.h"
#include "proxy/head_text.h"

namespace pilotlight::proxy {
namespace {

constexpr int kRedirectsMax = 10;  // Go's client, which Knative's probe uses, gives up there

/// An address as it stands in a URL.
std::string url_host(const asio::ip::address& address) {
  return address.is_v6() ? fmt::format("[{}]", address.to_string()) : address.to_string();
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

/// The part of a reference before its fragment, which is never sent.
std::string_view without_fragment(std::string_view reference) {
  return reference.substr(0, reference.find('#'));
}

/// The head of one GET. The probe's own Host and User-Agent replace ours, as kubelet's do.
std::string get_request(const ReadinessProbe& probe, const tcp::endpoint& to,
                        std::string_view path) {
  std::string lines;
  bool host = false;
  bool agent = false;
  for (const auto& [name, value] : probe.headers) {
    host = host || http::same_name(name, "host");
    agent = agent || http::same_name(name, "user-agent");
    lines += fmt::format("{}: {}\r\n", name, value);
  }
  std::string request = fmt::format("GET {} HTTP/1.1\r\n", path);
  if (!host) request += fmt::format("Host: {}\r\n", to_string(to));
  if (!agent) request += "User-Agent: kube-probe//\r\n";
  return request + lines + "Connection: close\r\n\r\n";
}

bool redirects(unsigned status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

}  // namespace

std::optional<Redirect> follow(std::string_view location, bool https, std::string_view host,
                               std::uint16_t port, std::string_view path) {
  const std::string_view scheme = https ? "https://" : "http://";
  location = without_fragment(location);
  Redirect to;
  to.port = port;
  std::string_view rest = location;
  if (location.starts_with(scheme) || location.starts_with("//")) {
    rest.remove_prefix(location.front() == '/' ? 2 : scheme.size());
    std::string_view authority = rest.substr(0, rest.find_first_of("/?"));
    rest.remove_prefix(authority.size());
    const std::size_t colon = authority.rfind(':');
    if (colon != std::string_view::npos && !authority.ends_with(']')) {
      const auto named = parse_port(authority.substr(colon + 1));
      if (!named) return std::nullopt;
      to.port = *named;
      authority = authority.substr(0, colon);
    } else {
      to.port = https ? 443 : 80;
    }
    if (!http::same_name(authority, host)) return std::nullopt;
    to.path = rest.starts_with('/') ? std::string(rest) : "/" + std::string(rest);
    return to;
  }
  const std::size_t colon = location.find(':');
  if (colon != std::string_view::npos && colon < location.find_first_of("/?")) return std::nullopt;
  const std::string_view base = path.substr(0, path.find('?'));
  if (location.empty()) {
    to.path = path;
  } else if (location.front() == '/') {
    to.path = location;
  } else if (location.front() == '?') {
    to.path = std::string(base) + std::string(location);
  } else {
    to.path = std::string(base.substr(0, base.rfind('/') + 1)) + std::string(location);
  }
  return to;
}

/// Where one GET goes.
struct SocketProber::Target {
  tcp::endpoint address;
  std::string path;
};

/// What came back.
struct SocketProber::Answer {
  bool connected = false;
  unsigned status = 0;  // 0: no answer
  std::string location;
};

Task<ProbeTry> SocketProber::attempt(const ReadinessProbe& probe, TimePoint deadline,
                                     Interruption& stop) {
  if (probe.kind == ReadinessProbe::Kind::http) {
    co_return co_await attempt_http(probe, deadline, stop);
  }
  TcpStream stream(parts_.executor);
  const Interruption::Target target(stop, &cancel_stream, &stream);
  const Result<> dialed = co_await dial(stream, parts_.deadlines, probe.address, deadline);
  ProbeTry found;
  found.connected = dialed.has_value();
  found.ok = dialed.has_value();
  co_return found;
}

Task<ProbeTry> SocketProber::attempt_http(const ReadinessProbe& probe, TimePoint deadline,
                                          Interruption& stop) {
  ProbeTry found;
  const std::string host = url_host(probe.address.address());
  Target target;
  target.address = probe.address;
  target.path = probe.path;
  for (int hops = 0; hops <= kRedirectsMax && !stop.raised(); ++hops) {
    const Answer answer = co_await get(probe, target, deadline, stop);
    found.connected = found.connected || answer.connected;
    found.ok = answer.status >= 200 && answer.status < 400;
    if (!redirects(answer.status) || answer.location.empty()) co_return found;
    auto next = follow(answer.location, probe.https, host, target.address.port(), target.path);
    if (!next) co_return found;
    target.address.port(next->port);
    target.path = std::move(next->path);
  }
  found.ok = false;  // it leads in a circle
  co_return found;
}

Task<SocketProber::Answer> SocketProber::get(const ReadinessProbe& probe, const Target& target,
                                             TimePoint deadline, Interruption& stop) {
  TcpStream stream(parts_.executor);
  const Interruption::Target interruptible(stop, &cancel_stream, &stream);
  const Result<> dialed = co_await dial(stream, parts_.deadlines, target.address, deadline);
  Answer answer;
  if (!dialed || stop.raised()) co_return answer;
  const std::string request = get_request(probe, target.address, target.path);
  Transport app =
      probe.https ? secured(std::move(stream), target.address) : Transport(std::move(stream));
  const Interruption::Target asking(stop, &cancel_stream, &app.tcp());
  Deadline limit(parts_.deadlines, &cancel_stream, &app.tcp());
  limit.set(deadline);
  const bool open = !app.handshake_due() || co_await handshake(app);
  if (open) answer = co_await ask(app, request);
  answer.connected = true;
  co_return answer;
}

Transport SocketProber::secured(TcpStream stream, const tcp::endpoint& to) {
  if (trust_ == nullptr) trust_ = *TlsContext::client("");  // the system's roots alone: cannot fail
  return trust_->connect(std::move(stream), to.address().to_string());
}

/// An app that cannot be verified is not ready: an operator has to know why, but not each time.
Task<bool> SocketProber::handshake(Transport& app) {
  const ErrorCode ec = co_await app.handshake();
  if (ec && !handshake_failed_) log_warn("https probe failed", {{"error", ec.message()}});
  handshake_failed_ = static_cast<bool>(ec);
  co_return !ec;
}

Task<SocketProber::Answer> SocketProber::ask(Transport& app, const std::string& request) {
  Answer answer;
  const auto [ec, n] = co_await app.write(asio::buffer(request));
  if (ec) co_return answer;
  http::ReadBuffer in(parts_.blocks);
  http::ResponseHead head;
  for (;;) {
    const Result<std::size_t> used = http::parse_response(in.view(), false, head);
    if (!used) co_return answer;
    if (*used > 0 && !head.interim()) {
      answer.status = head.status;
      answer.location = field_value(head.text, "location");
      co_return answer;
    }
    in.consume(*used);
    if (*used > 0) continue;  // the final answer may be here already
    const auto room = in.prepare();
    if (room.size() == 0) co_return answer;
    const auto [read_error, bytes] = co_await app.read_some(room);
    if (read_error) co_return answer;
    in.commit(bytes);
  }
}

}  // namespace pilotlight::proxy
