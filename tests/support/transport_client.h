#pragma once

#include <string>
#include <string_view>

#include "common/net/tls.h"
#include "common/net/transport.h"
#include "tests/support/loopback.h"

namespace pilotlight::test {

/// A client over TLS, or over plain TCP, that sends bytes and collects what comes back. It knows
/// what an end means: with TLS only a close_notify is a polite one.
class TransportClient {
 public:
  /// `trust`: null for plain TCP. Connects at once; the handshake and all else as the loop runs.
  TransportClient(LoopbackShard& shard, tcp::endpoint to, const TlsContext* trust);
  ~TransportClient();
  TransportClient(const TransportClient&) = delete;
  TransportClient& operator=(const TransportClient&) = delete;

  void send(std::string_view bytes);
  /// Without a close_notify.
  void close();
  [[nodiscard]] const std::string& received() const noexcept { return received_; }
  [[nodiscard]] bool got(std::string_view text) const {
    return received_.find(text) != std::string::npos;
  }
  /// The handshake, if there is one, has been made.
  [[nodiscard]] bool secured() const noexcept { return secured_; }
  [[nodiscard]] bool ended() const noexcept { return ended_; }
  /// It ended as somebody ends who has sent everything.
  [[nodiscard]] bool ended_politely() const noexcept { return ended_ && polite_; }

 private:
  [[nodiscard]] Task<> run();
  [[nodiscard]] Task<> write();

  LoopbackShard& shard_;
  Transport transport_;
  std::string unsent_;
  std::string received_;
  bool secured_ = false;
  bool writing_ = false;
  bool reading_ = true;
  bool ended_ = false;
  bool polite_ = false;
};

}  // namespace pilotlight::test
