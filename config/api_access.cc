#include "config/api_access.h"

#include "config/kubeconfig.h"

namespace pilotlight::config {
namespace {

Checked<kube::Access> named(std::string_view what, kube::FoundAccess found) {
  if (found) return std::move(*found);
  return Problems(1, std::string(what) + found.error());
}

}  // namespace

Checked<kube::Access> find_api(const ApiFlags& flags) {
  if (!flags.url.empty() && !flags.kubeconfig.empty()) {
    return Problems(1, "--kube, --kubeconfig: got both, expected one of them");
  }
  if (!flags.url.empty()) {
    return named("--kube: ", kube::parse_access(flags.url, flags.token_file));
  }
  if (!flags.kubeconfig.empty()) return read_kubeconfig(flags.kubeconfig);
  kube::FoundAccess found =
      kube::in_cluster_access(flags.service_host, flags.service_port, flags.service_account);
  return named("no --kube and no --kubeconfig: ", std::move(found));
}

}  // namespace pilotlight::config
