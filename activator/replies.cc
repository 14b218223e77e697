#include "activator/replies.h"

#include <fmt/format.h>

#include "common/wire/utf8.h"

namespace pilotlight::activator {
namespace {

constexpr std::string_view kNoSniff = "X-Content-Type-Options: nosniff\r\n";
constexpr std::size_t kCauseMax = 2000;  // bytes; a replica's last words are among them

http::LocalReply plain(unsigned status, std::string body, std::string extra_lines) {
  http::LocalReply reply;
  reply.status = status;
  reply.body = std::move(body);
  reply.extra_lines = std::move(extra_lines);
  return reply;
}

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '&': out += "&amp;"; break;
      case '"': out += "&#34;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

bool kubelet(const ProbeQuestion& question) noexcept {
  return question.kubelet_header || question.user_agent.substr(0, 11) == "kube-probe/";
}

std::string name_of(const RevisionInfo& revision) {
  return fmt::format("{}/{}", revision.name_space, revision.name);
}

std::string cause_part(std::string_view cause) {
  if (cause.empty()) return {};
  return fmt::format("; the cause: {}", wire::utf8_prefix(cause, kCauseMax));
}

}  // namespace

http::LocalReply no_route(std::string explanation) {
  return plain(404, std::move(explanation), std::string(kNoSniff));
}

http::LocalReply no_room(const RevisionInfo& revision, Refusal bound, const ParkLimits& limits,
                         std::uint32_t retry_after_s, std::string_view cause) {
  std::string detail;
  switch (bound) {
    case Refusal::bytes:
      detail = fmt::format("the requests of {} that wait take {} bytes, as much as they may{}",
                           name_of(revision), limits.bytes, cause_part(cause));
      break;
    case Refusal::requests_total:
      detail =
          fmt::format("{} requests of all revisions wait, as many as may", limits.requests_total);
      break;
    case Refusal::bytes_total:
      detail = fmt::format(
          "the requests of all revisions that wait take {} bytes, as much as they "
          "may",
          limits.bytes_total);
      break;
    default:
      detail = fmt::format("{} requests of {} wait, as many as may{}", limits.requests,
                           name_of(revision), cause_part(cause));
      break;
  }
  return http::problem(503, "pending request queue full", detail, retry_after_s);
}

http::LocalReply waited_too_long(const RevisionInfo& revision, std::string_view cause) {
  const auto seconds = std::chrono::duration<double>(revision.timeout).count();
  std::string detail =
      fmt::format("no replica of {} took the request within {:g} s", name_of(revision), seconds);
  detail += cause_part(cause);
  return http::problem(504, "activator request timeout", detail);
}

http::LocalReply ran_too_long() {
  return plain(504, "activator request timeout", std::string(kNoSniff));
}

http::LocalReply revision_gone(const RevisionInfo& revision) {
  return http::problem(503, "revision deleted",
                       fmt::format("{} was deleted while the request waited", name_of(revision)));
}

bool is_probe(const ProbeQuestion& question) noexcept {
  return kubelet(question) || !question.network_probe.empty();
}

http::LocalReply probe_answer(const ProbeQuestion& question, bool ready, bool draining) {
  if (kubelet(question)) {
    if (draining) return plain(500, "received SIGTERM from kubelet\n", std::string(kNoSniff));
    if (!ready) {
      return plain(500, "connection has not yet been established\n", std::string(kNoSniff));
    }
    return plain(200, "", {});
  }
  if (question.network_probe == "probe") {
    if (question.network_hash.empty()) {
      return plain(400, "a probe request must contain a non-empty \"K-Network-Hash\" header\n",
                   std::string(kNoSniff));
    }
    return plain(200, "", fmt::format("K-Network-Hash: {}\r\n", question.network_hash));
  }
  if (question.network_probe == "activator") return plain(200, "activator", {});
  return plain(
      400,
      fmt::format("unexpected probe header value: \"{}\"\n", escape_html(question.network_probe)),
      std::string(kNoSniff));
}

}  // namespace pilotlight::activator
