#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <boost/beast/http/verb.hpp>
#include <boost/container/small_vector.hpp>

namespace pilotlight::http {

/// The header fields that a hop of ours reads, cuts or adds to. All others are `other` and pass
/// through as the bytes that came.
enum class FieldKind : std::uint8_t {
  other,
  connection,
  proxy_connection,
  keep_alive,
  te,
  trailer,
  transfer_encoding,
  content_length,
  upgrade,
  expect,
  host,
  proxy_authenticate,
  proxy_authorization,
  user_agent,
  forwarded,
  x_forwarded_for,
  x_forwarded_host,
  x_forwarded_proto,
  k_original_host,
  k_proxy_request,
  k_network_probe,
  k_network_hash,
  k_kubelet_probe,
  serving_revision,
  serving_namespace,
  pilotlight_hop,
  pilotlight_not_started,
  pilotlight_other,
};

/// One field of interest in a head: where its line stands, and its value without surrounding
/// white space.
struct Field {
  FieldKind kind = FieldKind::other;
  std::uint32_t begin = 0;  ///< Offset of the line in the head.
  std::uint32_t end = 0;    ///< Offset behind the line's CRLF.
  std::string_view value;
};

/// How the body of a message ends (RFC 9112, section 6.3).
enum class Framing : std::uint8_t { none, length, chunked, until_close };

/// What both directions have in common. A head is a set of views into the bytes it was parsed
/// from; it is valid as long as they stay where they are.
struct Head {
  std::string_view text;  ///< The whole head, up to and including the empty line.
  unsigned version = 11;  ///< 10 or 11.
  Framing framing = Framing::none;
  std::uint64_t content_length = 0;  ///< With Framing::length.
  bool keep_alive = true;            ///< What this message says of its connection.
  bool upgrade = false;              ///< `Connection: upgrade` with an `Upgrade` field.
  bool connection_names = false;     ///< `Connection` lists fields beyond the usual tokens.
  boost::container::small_vector<Field, 16> fields;  ///< Those of interest, in order.

  /// As it was made; keeps the memory of `fields`.
  void clear() noexcept;
  /// Appends to `fields`.
  void add(const Field& field) {
    repeated_ |= present_ & bit(field.kind);
    present_ |= bit(field.kind);
    fields.push_back(field);
  }

  /// The first field of that kind; null when there is none.
  [[nodiscard]] const Field* find(FieldKind kind) const noexcept;
  /// Its value; "" when there is none.
  [[nodiscard]] std::string_view value(FieldKind kind) const noexcept;
  [[nodiscard]] bool has(FieldKind kind) const noexcept { return (present_ & bit(kind)) != 0; }
  /// Whether there is more than one.
  [[nodiscard]] bool repeats(FieldKind kind) const noexcept { return (repeated_ & bit(kind)) != 0; }

 private:
  static constexpr std::uint64_t bit(FieldKind kind) noexcept {
    return std::uint64_t{1} << static_cast<unsigned>(kind);
  }

  std::uint64_t present_ = 0;  // a bit for each kind
  std::uint64_t repeated_ = 0;
};

struct RequestHead : Head {
  std::string_view method;
  std::string_view target;
  bool is_head = false;           ///< HEAD: the response has no body.
  bool expects_continue = false;  ///< `Expect: 100-continue` of an HTTP/1.1 client.
};

struct ResponseHead : Head {
  unsigned status = 0;
  std::uint32_t reason_begin = 0;  ///< Offset of the status code in the status line.
  /// Seconds of `Keep-Alive: timeout=n`.
  std::optional<std::uint32_t> keep_alive_seconds;

  [[nodiscard]] bool interim() const noexcept { return status >= 100 && status < 200; }
};

}  // namespace pilotlight::http
