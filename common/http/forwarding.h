#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/http/head.h"

namespace pilotlight::http {

/// What becomes of `Expect: 100-continue` on the way up.
enum class ExpectEdit : std::uint8_t { keep, cut, add };

/// How a request head changes on its way through one of our hops.
struct RequestEdit {
  std::string_view peer;  ///< The downstream peer's IP address, appended to X-Forwarded-For.
  /// The whole line for a request that has none yet: it is the same all through a connection.
  std::string_view peer_line;
  /// The activator's: the Host of the next hop; what the client said moves to K-Original-Host, and
  /// the request is marked as proxied. Empty in a sidecar, which restores K-Original-Host instead.
  std::string_view next_host;
  std::string_view hop_epoch;  ///< The activator's: the value of Pilotlight-Hop.
  ExpectEdit expect = ExpectEdit::keep;
};

/// How a response head changes on its way down.
struct ResponseEdit {
  bool close = false;       ///< The downstream connection ends with this message.
  bool keep_alive = false;  ///< Say so: an HTTP/1.0 client needs to hear it.
  bool plain = false;       ///< The body is sent without its chunks (HTTP/1.0).
};

/// A head on its way to the next hop: the bytes that came, with lines cut out and lines added, and
/// the part of the body that is there already. Hop-by-hop fields go (RFC 9110, section 7.6.1), the
/// framing that the body was received with stays, everything else passes as it came. One per shard,
/// used between two suspensions, so it allocates nothing once warm.
class OutgoingHead {
 public:
  void compose(const RequestHead& head, const RequestEdit& edit);
  void compose(const ResponseHead& head, const ResponseEdit& edit);

  /// Bytes that go out with the head. A few are copied behind it, many are pointed to.
  void append(std::string_view body) {
    if (body.size() <= kCopied) {
      text_ += body;
    } else {
      body_ = body;
    }
  }

  /// What to write first, and what behind it. Valid until the next compose(), and the second as
  /// long as the bytes given to append() stay.
  [[nodiscard]] std::string_view first() const noexcept { return text_; }
  [[nodiscard]] std::string_view second() const noexcept { return body_; }
  [[nodiscard]] std::size_t size() const noexcept { return text_.size() + body_.size(); }
  /// All of it but the first `sent` bytes.
  [[nodiscard]] std::string rest(std::size_t sent) const;

 private:
  static constexpr std::size_t kCopied = 1024;
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  void begin();
  void cut(std::size_t begin, std::size_t end) { cuts_.emplace_back(begin, end); }
  void cut(const Field& field) { cut(field.begin, field.end); }
  void add(std::string_view name, std::string_view value);
  void cut_named_by_connection(const Head& head);
  void finish(std::string_view text);

  void edit_host(const RequestHead& head, const RequestEdit& edit);
  void add_forwarded(const RequestHead& head, const RequestEdit& edit);

  std::string text_;
  std::string_view body_;
  std::vector<std::pair<std::size_t, std::size_t>> cuts_;
  std::string added_;
  std::string list_;                   // X-Forwarded-For, as it is put together
  std::size_t version_digit_ = kNone;  // of an HTTP/1.0 request line: it goes on as 1.1
};

/// The `Forwarded` value that Knative synthesises from the X-Forwarded-* fields (golden vectors
/// 8.1); "" when there is nothing to say.
[[nodiscard]] std::string forwarded_value(std::string_view xff, std::string_view host,
                                          std::string_view proto);

}  // namespace pilotlight::http
