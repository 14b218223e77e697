#include "activator/route_table.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace pilotlight::activator {
namespace {

constexpr std::size_t kNameMax = 253;  // a Kubernetes name; anything longer matches nothing
constexpr std::size_t kExamples = 10;  // services named in a 404
constexpr std::size_t kEchoMax = 200;  // bytes of a client's own words in a 404

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string key_of(std::string_view name_space, std::string_view name) {
  return fmt::format("{}/{}", name_space, name);
}

/// The first three labels of a host.
struct Labels {
  std::string_view first;
  std::string_view second;
  std::string_view third;
};

Labels split(std::string_view host) noexcept {
  std::array<std::string_view, 3> labels{};
  for (std::string_view& label : labels) {
    const std::size_t dot = host.find('.');
    label = host.substr(0, dot);
    host = dot == std::string_view::npos ? std::string_view() : host.substr(dot + 1);
  }
  return {labels[0], labels[1], labels[2]};
}

bool is_svc(std::string_view label) noexcept {
  return label.size() == 3 && lower(label[0]) == 's' && lower(label[1]) == 'v' &&
         lower(label[2]) == 'c';
}

/// `<namespace>/<service>`, or `<service>` of namespace default.
std::pair<std::string_view, std::string_view> socket_key(std::string_view socket) noexcept {
  const std::size_t slash = socket.find('/');
  if (slash == std::string_view::npos) return {"default", socket};
  return {socket.substr(0, slash), socket.substr(slash + 1)};
}

bool names_service(std::string_view socket) noexcept {
  return !socket.empty() && socket != "gateway";
}

/// A client's own words, safe to print: bounded, and without control characters.
std::string quoted(std::string_view words) {
  std::string out = "\"";
  for (const char c : words.substr(0, kEchoMax)) {
    const auto byte = static_cast<unsigned char>(c);
    out += byte < 0x20 || byte >= 0x7f ? '?' : c;
  }
  return out + (words.size() > kEchoMax ? "...\"" : "\"");
}

}  // namespace

std::size_t home_shard(const std::string& name_space, const std::string& name,
                       std::size_t shards) noexcept {
  // FNV-1a: the same in every process, which std::hash does not promise.
  std::uint64_t hash = 14695981039346656037ull;
  const auto mix = [&hash](char c) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  };
  std::for_each(name_space.begin(), name_space.end(), mix);
  mix('/');
  std::for_each(name.begin(), name.end(), mix);
  return static_cast<std::size_t>(hash % shards);
}

std::string_view bare_host(std::string_view host) noexcept {
  if (!host.empty() && host.front() == '[') {
    const std::size_t end = host.find(']');
    return end == std::string_view::npos ? host : host.substr(0, end + 1);
  }
  host = host.substr(0, host.find(':'));
  if (!host.empty() && host.back() == '.') host.remove_suffix(1);
  return host;
}

const RevisionPtr& Route::pick(std::uint64_t ticket) const noexcept {
  if (rows.size() == 1) return rows.front().revision;
  std::uint64_t total = 0;
  for (const Row& row : rows) total += row.weight;
  std::uint64_t left = total == 0 ? 0 : ticket % total;
  for (const Row& row : rows) {
    if (left < row.weight) return row.revision;
    left -= row.weight;
  }
  return rows.back().revision;
}

RouteTable::RouteTable(const std::vector<RevisionPtr>& revisions) {
  for (const RevisionPtr& revision : revisions) {
    Route::Row row;
    row.revision = revision;
    revisions_[key_of(revision->name_space, revision->name)].rows.push_back(row);
    // Of several revisions of one service the newest takes all: Knative numbers them upwards.
    Route& service = services_[key_of(revision->name_space, revision->service)];
    if (service.rows.empty()) {
      service.rows.push_back(row);
    } else if (service.rows.front().revision->name < revision->name) {
      service.rows.front() = row;
    }
  }
}

const Route* RouteTable::find(const Rows& rows, std::string_view name_space,
                              std::string_view name) {
  if (name_space.empty() || name.empty()) return nullptr;
  const std::size_t size = name_space.size() + 1 + name.size();
  std::array<char, 2 * kNameMax + 1> key;
  if (size > key.size()) return nullptr;
  char* end = std::transform(name_space.begin(), name_space.end(), key.begin(), lower);
  *end++ = '/';
  std::transform(name.begin(), name.end(), end, lower);
  const auto found = rows.find(std::string_view(key.data(), size));
  return found == rows.end() ? nullptr : &found->second;
}

const Route* RouteTable::lookup(const RouteQuery& query) const {
  if (names_service(query.socket)) {
    const auto [name_space, service] = socket_key(query.socket);
    if (const Route* route = find(services_, name_space, service)) return route;
  }
  if (const Route* route = find(revisions_, query.name_space, query.revision)) return route;
  const Labels labels = split(bare_host(query.host));
  if (is_svc(labels.third)) {
    if (const Route* route = find(revisions_, labels.second, labels.first)) return route;
  }
  if (labels.third.empty()) return nullptr;
  return find(services_, labels.second, labels.first);
}

std::string RouteTable::explain(const RouteQuery& query) const {
  std::string text = "no service or revision for this request\nlooked for:\n";
  if (names_service(query.socket)) {
    text += fmt::format("  the service of the socket {}\n", quoted(query.socket));
  }
  if (!query.revision.empty() || !query.name_space.empty()) {
    text += fmt::format("  headers Knative-Serving-Revision: {}, Knative-Serving-Namespace: {}{}\n",
                        quoted(query.revision), quoted(query.name_space),
                        query.revision.empty() || query.name_space.empty() ? " (needs both)" : "");
  }
  const std::string_view host = bare_host(query.host);
  const Labels labels = split(host);
  if (labels.third.empty()) {
    text += fmt::format("  host {}, which is not <service>.<namespace>.<domain>\n", quoted(host));
  } else {
    text += fmt::format("  host {}: {} {} in namespace {}\n", quoted(host),
                        is_svc(labels.third) ? "revision or service" : "service",
                        quoted(labels.first), quoted(labels.second));
  }
  if (services_.empty()) return text + "would match: nothing, no service is known\n";
  std::vector<std::string> names;
  for (const auto& [key, route] : services_) {
    const RevisionInfo& revision = *route.rows.front().revision;
    names.push_back(fmt::format("{}.{}.<domain>", revision.service, revision.name_space));
  }
  const std::size_t shown = std::min(kExamples, names.size());
  std::partial_sort(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), names.end());
  text += "would match:\n";
  for (std::size_t i = 0; i < shown; ++i) text += fmt::format("  {}\n", names[i]);
  if (names.size() > shown) text += fmt::format("  and {} more\n", names.size() - shown);
  return text;
}

}  // namespace pilotlight::activator
