#pragma once

#include <memory>
#include <optional>
#include <string>

#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include "common/async/deadline_queue.h"
#include "common/net/tls.h"

namespace pilotlight {

/// The server's certificate and key in one folder, `tls.crt` and `tls.key`, as Kubernetes mounts a
/// Secret, and the TlsContext made of them.
///
/// Changes are seen by inotify on the folder, which covers the swap of its `..data` link, and acted
/// on once it has been quiet for 50 ms; a look each minute finds what inotify cannot. New
/// connections then get the new context, those that exist keep theirs. A pair that does not work is
/// logged once and changes nothing. Lives on one shard.
class TlsFiles {
 public:
  TlsFiles(Executor executor, Clock& clock, DeadlineQueue& deadlines, std::string folder,
           TlsSettings settings);
  TlsFiles(const TlsFiles&) = delete;
  TlsFiles& operator=(const TlsFiles&) = delete;

  /// Whether both files exist in `folder`: else there is no TLS, and no reason to make one of
  /// these.
  [[nodiscard]] static bool present(const std::string& folder);

  /// Loads the pair for the first time. @return what is wrong with it, or nothing.
  [[nodiscard]] std::optional<std::string> load();

  /// Keeps the context up to date until stop(). Spawn it once, after load().
  [[nodiscard]] Task<> run();
  void stop() noexcept;

  /// What a new connection gets. Not before load().
  [[nodiscard]] const TlsContext& context() const noexcept { return *context_; }

 private:
  struct Pair {
    std::string certificate;
    std::string key;
    bool operator==(const Pair&) const = default;
  };

  void watch();
  void forget_events() noexcept;
  void reload();
  [[nodiscard]] std::optional<Pair> read() const;
  [[nodiscard]] std::optional<std::string> make(Pair pair);

  Clock& clock_;
  DeadlineQueue& deadlines_;
  std::string folder_;
  TlsSettings settings_;
  asio::posix::basic_stream_descriptor<Executor> changes_;  // inotify; closed where there is none
  std::unique_ptr<Timer> minute_;                           // for that case
  std::shared_ptr<const TlsContext> context_;
  Pair last_;  // what was looked at last, good or not
  bool stopped_ = false;
};

}  // namespace pilotlight
