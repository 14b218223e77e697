#include "controller/certificate_keeper.h"

#include "common/base/base64.h"
#include "common/base/log.h"
#include "controller/resources.h"

namespace pilotlight::controller {
namespace {

constexpr std::chrono::seconds kCallTime{10};
constexpr std::chrono::hours kLookAgain{1};

kube::Watcher::What one_object(const kube::Resource& resource, const std::string& space,
                               const std::string& name) {
  kube::Watcher::What what;
  what.resource = resource;
  what.space = space;
  what.selector.fields = "metadata.name=" + name;
  return what;
}

}  // namespace

std::optional<Json> with_bundle(const Json& configuration, const std::string& bundle) {
  const std::string encoded = to_base64(bundle);
  const Json& hooks = kube::array(configuration, {"webhooks"});
  Json out = configuration;
  bool changed = false;
  for (std::size_t i = 0; i < hooks.size(); ++i) {
    if (!hooks[i].is_object() || kube::text(hooks[i], {"clientConfig", "caBundle"}) == encoded) {
      continue;
    }
    out["webhooks"][i]["clientConfig"]["caBundle"] = encoded;
    changed = true;
  }
  if (!changed) return std::nullopt;
  return out;
}

CertificateKeeper::Hooks::Hooks(CertificateKeeper& keeper, const kube::Resource& kind,
                                std::mt19937_64& random)
    : resource(kind),
      seen(keeper),
      watch(keeper.client_, keeper.clock_, one_object(kind, "", keeper.names_.configuration), seen,
            random) {}

CertificateKeeper::CertificateKeeper(kube::Client& client, Clock& clock, Names names, Show show,
                                     Today today, std::mt19937_64& random)
    : client_(client),
      clock_(clock),
      names_(std::move(names)),
      show_(std::move(show)),
      today_(std::move(today)),
      random_(random),
      back_off_(std::chrono::milliseconds(100), std::chrono::seconds(10)),
      changed_(clock),
      secret_(*this),
      secret_watch_(client, clock, one_object(kSecrets, names_.space, names_.secret), secret_,
                    random),
      mutating_(*this, kMutatingHooks, random),
      validating_(*this, kValidatingHooks, random) {}

Task<> CertificateKeeper::run() {
  while (!stopped_) {
    changed_.reset();
    Result<> kept;
    if (secret_watch_.synced()) kept = co_await keep_secret();
    if (kept && !shown_.bundle.empty()) kept = co_await keep_bundle(mutating_);
    if (kept && !shown_.bundle.empty()) kept = co_await keep_bundle(validating_);
    if (stopped_) co_return;
    if (kept) {
      back_off_.reset();
      co_await changed_.wait(clock_.now() + kLookAgain);
      continue;
    }
    // Usually another replica was first; its watch event is what ends the next wait.
    log_warn("certificate not kept", {{"error", kept.error().message()}});
    const TimePoint again = clock_.now() + back_off_.next(random_);
    co_await changed_.wait(again);
  }
}

void CertificateKeeper::stop() noexcept {
  stopped_ = true;
  secret_watch_.close();
  mutating_.watch.close();
  validating_.watch.close();
  changed_.set();
}

Task<Result<>> CertificateKeeper::keep_secret() {
  const auto found = read_credentials(secret_.object);
  const auto wanted = renew_credentials(found, names_.hosts, today_());
  if (!wanted) {
    log_error("no certificate", {{"error", wanted.error()}});
    co_return make_error_code(FlowError::protocol);
  }
  if (found && *found == *wanted) {
    show(*wanted);
    co_return Result<>();
  }
  Json secret = secret_.object;
  const bool there = secret.is_object();
  if (!there) {
    secret = {{"apiVersion", "v1"}, {"kind", "Secret"}};
    secret["metadata"] = {{"name", names_.secret}, {"namespace", names_.space}};
  }
  secret["data"] = secret_data(*wanted);
  const TimePoint deadline = clock_.now() + kCallTime;
  Result<Json> written = Json();
  if (there) {
    written = co_await client_.update(kSecrets, names_.space, std::move(secret), deadline);
  } else {
    written = co_await client_.create(kSecrets, names_.space, std::move(secret), deadline);
  }
  if (!written) co_return written.error();
  secret_.object = *written;
  log_info("certificate renewed", {{"secret", names_.secret}});
  show(*wanted);
  co_return Result<>();
}

Task<Result<>> CertificateKeeper::keep_bundle(Hooks& hooks) {
  auto wanted = with_bundle(hooks.seen.object, shown_.bundle);
  if (!wanted) co_return Result<>();
  const TimePoint deadline = clock_.now() + kCallTime;
  const Result<Json> written =
      co_await client_.update(hooks.resource, "", std::move(*wanted), deadline);
  if (!written) co_return written.error();
  hooks.seen.object = *written;
  co_return Result<>();
}

void CertificateKeeper::show(const Credentials& credentials) {
  if (shown_ == credentials) return;
  shown_ = credentials;
  show_(credentials.serving);
}

}  // namespace pilotlight::controller
