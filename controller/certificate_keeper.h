#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "common/async/event.h"
#include "common/async/scope.h"
#include "common/kube/back_off.h"
#include "common/kube/watcher.h"
#include "controller/credentials.h"

namespace pilotlight::controller {

/// The webhook configuration with the bundle in every webhook; none when it is there already, or
/// the object has no webhooks. Pure.
[[nodiscard]] std::optional<Json> with_bundle(const Json& configuration, const std::string& bundle);

/// The ConfigMap with the bundle under `ca.crt`; none when it is there already. Pure.
[[nodiscard]] std::optional<Json> with_ca(const Json& config_map, const std::string& bundle);

/// Keeps our certificates alive and young, each in a Secret, and everybody told whom to trust: the
/// API server in the webhook configurations, our other programs in a ConfigMap.
///
/// Follows all of these objects by watching them, so that it repairs what somebody changes, and
/// another replica's new certificate is shown here as well. A Secret that is removed or emptied is
/// written back as long as what it held lasts. Looks at the ages once an hour. Of several replicas
/// that write at the same time one wins, the others take what it wrote. One shard.
class CertificateKeeper {
 public:
  /// A certificate that another program shows, in a Secret without the authority's key.
  struct Served {
    std::string secret;              ///< deploy/ makes it, empty.
    std::vector<std::string> hosts;  ///< What the certificate is for.
  };
  struct Names {
    std::string space;   ///< Of the Secrets and the ConfigMap.
    std::string secret;  ///< Of our own certificate; deploy/ makes it, empty.
    std::vector<Served> served;
    std::string config_map;          ///< Gets the bundle; deploy/ makes it, empty.
    std::string configuration;       ///< Of both webhook configurations.
    std::vector<std::string> hosts;  ///< What the certificate is for, the Service's name first.
  };
  /// Called with each new certificate to show.
  using Show = std::function<void(const KeyPair&)>;
  /// The calendar, for the certificates' ends.
  using Today = std::function<WallTime()>;

  CertificateKeeper(kube::Client& client, Clock& clock, Names names, Show show, Today today,
                    std::mt19937_64& random);

  /// Spawns the watches and the work on them, until stop(). Once.
  void start(Scope& scope);
  void stop() noexcept;

  /// Whom to trust, as PEM; "" before the first certificate is shown.
  [[nodiscard]] const std::string& bundle() const noexcept { return shown_.bundle; }
  [[nodiscard]] const Credentials& credentials() const noexcept { return shown_; }

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
  /// An object that follows from the authority.
  struct Kept {
    /// What it is to become; none when that is what it is.
    using Wanted = std::function<std::optional<Json>(const Json& now)>;
    Kept(CertificateKeeper& keeper, kube::Watcher::What what, Wanted becomes);
    kube::Watcher::What what;
    Wanted wanted;
    Seen seen;
    kube::Watcher watch;
  };

  void keep_hooks(const kube::Resource& kind);
  void keep_served(const Served& served);
  void keep_config_map();
  [[nodiscard]] std::optional<Json> renewed(const Json& secret, const Served& served) const;
  [[nodiscard]] Task<> run();
  [[nodiscard]] Task<Result<>> keep_all();
  [[nodiscard]] Task<Result<>> keep_secret();
  [[nodiscard]] Task<Result<>> keep(Kept& kept);
  [[nodiscard]] Task<Result<>> write(kube::Resource kind, Json object, Seen& seen);
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
  std::vector<std::unique_ptr<Kept>> kept_;
  Credentials shown_;
  bool stopped_ = false;
};

}  // namespace pilotlight::controller
