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

/// An object that is not there yet.
Json named(const char* kind, const std::string& space, const std::string& name) {
  Json out = {{"apiVersion", "v1"}, {"kind", kind}};
  out["metadata"] = {{"name", name}, {"namespace", space}};
  return out;
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

std::optional<Json> with_ca(const Json& config_map, const std::string& bundle) {
  if (kube::text(config_map, {"data", "ca.crt"}) == bundle) return std::nullopt;
  Json out = config_map;
  out["data"]["ca.crt"] = bundle;
  return out;
}

CertificateKeeper::Kept::Kept(CertificateKeeper& keeper, kube::Watcher::What which, Wanted becomes)
    : what(std::move(which)),
      wanted(std::move(becomes)),
      seen(keeper),
      watch(keeper.client_, keeper.clock_, what, seen, keeper.random_) {}

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
                    random) {
  for (const Served& served : names_.served) keep_served(served);
  keep_config_map();
  keep_hooks(kMutatingHooks);
  keep_hooks(kValidatingHooks);
}

void CertificateKeeper::keep_hooks(const kube::Resource& kind) {
  kept_.push_back(
      std::make_unique<Kept>(*this, one_object(kind, "", names_.configuration),
                             [this](const Json& now) { return with_bundle(now, shown_.bundle); }));
}

void CertificateKeeper::keep_served(const Served& served) {
  kept_.push_back(
      std::make_unique<Kept>(*this, one_object(kSecrets, names_.space, served.secret),
                             [this, served](const Json& now) { return renewed(now, served); }));
}

void CertificateKeeper::keep_config_map() {
  kept_.push_back(std::make_unique<Kept>(
      *this, one_object(kConfigMaps, names_.space, names_.config_map), [this](const Json& now) {
        return with_ca(now.is_object() ? now : named("ConfigMap", names_.space, names_.config_map),
                       shown_.bundle);
      }));
}

std::optional<Json> CertificateKeeper::renewed(const Json& secret, const Served& served) const {
  const KeyPair found = read_pair(secret);
  const MadePair wanted = renew_certificate(found, shown_.authority, served.hosts, today_());
  if (!wanted) log_error("no certificate", {{"secret", served.secret}, {"error", wanted.error()}});
  if (!wanted || *wanted == found) return std::nullopt;
  Json out = secret.is_object() ? secret : named("Secret", names_.space, served.secret);
  out["data"] = pair_data(*wanted);
  return out;
}

void CertificateKeeper::start(Scope& scope) {
  scope.spawn(secret_watch_.run());
  for (const auto& kept : kept_) scope.spawn(kept->watch.run());
  scope.spawn(run());
}

Task<> CertificateKeeper::run() {
  while (!stopped_) {
    changed_.reset();
    const Result<> kept = co_await keep_all();
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
  for (const auto& kept : kept_) kept->watch.close();
  changed_.set();
}

/// The authority first, then what follows from it; one failure does not keep the others waiting.
Task<Result<>> CertificateKeeper::keep_all() {
  Result<> went;
  if (secret_watch_.synced()) went = co_await keep_secret();
  if (shown_.bundle.empty()) co_return went;
  for (const auto& kept : kept_) {
    const Result<> one = co_await keep(*kept);
    if (!one) went = one;
  }
  co_return went;
}

Task<Result<>> CertificateKeeper::keep_secret() {
  const auto found = read_credentials(secret_.object);
  // Whoever has removed the Secret, or emptied it: what we show is what everybody trusts.
  const bool lost = !found && !shown_.bundle.empty();
  const auto last = lost ? std::optional<Credentials>(shown_) : found;
  const auto wanted = renew_credentials(last, names_.hosts, today_());
  if (!wanted) {
    log_error("no certificate", {{"error", wanted.error()}});
    co_return make_error_code(FlowError::protocol);
  }
  if (found && *found == *wanted) {
    show(*wanted);
    co_return Result<>();
  }
  Json secret =
      secret_.object.is_object() ? secret_.object : named("Secret", names_.space, names_.secret);
  secret["data"] = secret_data(*wanted);
  const Result<> written = co_await write(kSecrets, std::move(secret), secret_);
  if (!written) co_return written;
  show(*wanted);
  co_return Result<>();
}

Task<Result<>> CertificateKeeper::keep(Kept& kept) {
  if (!kept.watch.synced()) co_return Result<>();
  auto wanted = kept.wanted(kept.seen.object);
  if (!wanted) co_return Result<>();
  co_return co_await write(kept.what.resource, std::move(*wanted), kept.seen);
}

/// Creates what is not there.
Task<Result<>> CertificateKeeper::write(kube::Resource kind, Json object, Seen& seen) {
  const TimePoint deadline = clock_.now() + kCallTime;
  const std::string name(kube::name_of(object));
  std::string space(kube::namespace_of(object));
  Result<Json> written = Json();
  if (seen.object.is_object()) {
    written = co_await client_.update(kind, std::move(space), std::move(object), deadline);
  } else {
    written = co_await client_.create(kind, std::move(space), std::move(object), deadline);
  }
  if (!written) co_return written.error();
  seen.object = *written;
  log_info("certificates: written", {{"kind", kind.plural}, {"name", name}});
  co_return Result<>();
}

void CertificateKeeper::show(const Credentials& credentials) {
  if (shown_ == credentials) return;
  shown_ = credentials;
  show_(credentials.serving);
}

}  // namespace pilotlight::controller
