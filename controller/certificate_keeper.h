#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "common/async/event.h"
#include "common/kube/back_off.h"
#include "common/kube/watcher.h"
#include "controller/credentials.h"

namespace pilotlight::controller {

/// The webhook configuration with the bundle in every webhook; none when it is there already, or
/// the object has no webhooks. Pure.
[[nodiscard]] std::optional<Json> with_bundle(const Json& configuration, const std::string& bundle);

/// Keeps the Secret with our certificate alive and young, and the API server told whom to trust.
///
/// Follows the Secret and both webhook configurations by watching them, so that it repairs what
/// somebody changes, and another replica's new certificate is shown here as well. Looks at the
/// ages once an hour. Of several replicas that write at the same time one wins, the others take
/// what it wrote. One shard.
class CertificateKeeper {
 public:
  struct Names {
    std::string space;               ///< Of the Secret.
    std::string secret;              ///< Its name; deploy/ makes it, empty.
    std::string configuration;       ///< Of both webhook configurations.
    std::vector<std::string> hosts;  ///< What the certificate is for, the Service's name first.
  };
  /// Called with each new certificate to show.
  using Show = std::function<void(const KeyPair&)>;
  /// The calendar, for the certificates' ends.
  using Today = std::function<WallTime()>;

  CertificateKeeper(kube::Client& client, Clock& clock, Names names, Show show, Today today,
                    std::mt19937_64& random);

  /// Works until stop(). Spawn it, and the watches, once.
  [[nodiscard]] Task<> run();
  [[nodiscard]] Task<> watch_secret() { return secret_watch_.run(); }
  [[nodiscard]] Task<> watch_mutating() { return mutating_.watch.run(); }
  [[nodiscard]] Task<> watch_validating() { return validating_.watch.run(); }
  void stop() noexcept;

 private:
  /// What is known of one object, and what is told when it changes.
  struct Seen final : kube::Watcher::Listener {
    explicit Seen(CertificateKeeper& owner) : keeper(owner) {}
    void applied(const Json& seen) override {
      object = seen;
      keeper.changed_.set();
    }
    void removed(const Json& /*seen*/) override {
      object = nullptr;
      keeper.changed_.set();
    }
    void synced() override { keeper.changed_.set(); }
    CertificateKeeper& keeper;
    Json object;
  };
  struct Hooks {
    Hooks(CertificateKeeper& keeper, const kube::Resource& kind, std::mt19937_64& random);
    kube::Resource resource;
    Seen seen;
    kube::Watcher watch;
  };

  [[nodiscard]] Task<Result<>> keep_secret();
  [[nodiscard]] Task<Result<>> keep_bundle(Hooks& hooks);
  void show(const Credentials& credentials);

  kube::Client& client_;
  Clock& clock_;
  Names names_;
  Show show_;
  Today today_;
  std::mt19937_64& random_;
  kube::BackOff back_off_;
  Event changed_;
  Seen secret_;
  kube::Watcher secret_watch_;
  Hooks mutating_;
  Hooks validating_;
  Credentials shown_;
  bool stopped_ = false;
};

}  // namespace pilotlight::controller
