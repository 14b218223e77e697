#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "controller/selection.h"
#include "controller/takeover.h"

namespace pilotlight::controller {

/// Names an object; the labels and annotations of a Service or slice that matter here are ours.
[[nodiscard]] Key key_of(const Json& object);

/// Private Services of ours carry this once the sidecars take the traffic themselves: "serve".
inline constexpr const char* kPathAnnotation = "pilotlight.dev/traffic-path";

/// What the watches have told, and what follows from it for each Service and Deployment. A plain
/// value; no I/O. Holds all Services and slices of the cluster, and of the Deployments with our
/// label what decides about Services.
///
/// What an event touches, and what it costs, does not depend on how many other Services and
/// Deployments there are; only a change of the activators touches all that lead to them.
class ClusterState {
 public:
  /// `activator` is the Service of the activators, in the namespace that we run in.
  explicit ClusterState(Key activator) : activator_(std::move(activator)) {}

  /// What has to be looked at again.
  struct Touched {
    std::set<Key> services;
    std::set<Key> deployments;  ///< Their private Service.
    /// On the activators, which a Service had and has no more: they close it, and it may become
    /// another one's.
    std::set<std::uint16_t> ports;
  };
  /// An object is new or has changed, or is gone. Kinds that do not matter touch nothing, nor does
  /// a change of a Deployment's status or replicas.
  [[nodiscard]] Touched applied(const kube::Resource& resource, const Json& object);
  [[nodiscard]] Touched removed(const kube::Resource& resource, const Json& object);

  /// All that there is, for after a pause.
  [[nodiscard]] Touched everything() const;

  /// What plan_service() wants to know; none when there is no such Service. Every ready activator
  /// is in `activators`: whether it listens is for the caller to find out. Good until the state
  /// changes.
  [[nodiscard]] std::optional<ServiceFacts> facts(const Key& service) const;

  /// The Deployment of that name, and the private Service that is there for it, or null.
  struct PrivateFacts {
    const Json* deployment = nullptr;
    const Json* service = nullptr;
  };
  [[nodiscard]] PrivateFacts private_facts(const Key& deployment) const;

  /// A private Service of ours whose Deployment has gone, or has lost the label; or null.
  [[nodiscard]] const Json* orphan(const Key& service) const;

  /// The ClusterIP of a Service; "" when there is none.
  [[nodiscard]] std::string cluster_ip(const Key& service) const;

  /// Addresses of the ready activators.
  [[nodiscard]] std::set<std::string> activators() const;

  [[nodiscard]] const Selection& selection() const noexcept { return selection_; }

 private:
  using Objects = std::map<Key, Json>;

  void put_service(const Key& key, const Json& service);
  void forget_service(const Key& key);
  void put_deployment(const Key& key, Json deciding);
  void forget_deployment(const Key& key);
  void forget_slice(const Json& slice);

  [[nodiscard]] std::uint16_t known_port(const Key& service) const;
  void touch_service(const Key& key, Touched& touched) const;
  void touch_deployment(const Key& key, Touched& touched) const;
  void touch_slices(const Key& service, Touched& touched) const;
  /// The Deployments with a private Service of that name, and the Services in front of them.
  void touch_behind(const Key& hidden, Touched& touched) const;

  [[nodiscard]] std::vector<Json> slices_of(const Key& service) const;
  /// Whether a Service before this one in the order of keys has the same port on the activators.
  [[nodiscard]] bool port_is_anothers(const Key& key, const Json& service) const;

  Key activator_;
  Objects services_;
  Objects deployments_;
  std::map<Key, Objects> slices_;  // by the Service that they are of
  Selection selection_;
  KeyIndex<std::uint16_t> ports_;  // on the activators, and whose
  KeyIndex<Key> hidden_;           // private Services, there or not: Deployments
};

}  // namespace pilotlight::controller
