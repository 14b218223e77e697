#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "activator/revision_info.h"

namespace pilotlight::activator {

/// What a request says about where it wants to go. Views into the request; none need exist.
struct RouteQuery {
  std::string_view socket;      ///< Name of the passed listening socket; "" or "gateway" is none.
  std::string_view revision;    ///< Knative-Serving-Revision.
  std::string_view name_space;  ///< Knative-Serving-Namespace.
  std::string_view host;        ///< Host, as the client wrote it.
};

/// The revisions behind one key. Weights are relative; today there is always one row.
struct Route {
  struct Row {
    RevisionPtr revision;
    std::uint32_t weight = 1;
  };
  std::vector<Row> rows;

  /// The row that `ticket`, any evenly spread number, falls on. Requires at least one row with a
  /// weight.
  [[nodiscard]] const RevisionPtr& pick(std::uint64_t ticket) const noexcept;
};

/// From a request to its revision: an immutable snapshot, the same on every shard.
///
/// The first of these that matches wins: the listening socket's name (`<service>` in namespace
/// default, or `<namespace>/<service>`); the revision and namespace headers, when both are there;
/// a host `<revision>.<namespace>.svc[.<anything>]`; a host `<service>.<namespace>.<anything>`.
/// Hosts match without their port and final dot, in any case. A look-up allocates nothing.
class RouteTable {
 public:
  RouteTable() = default;
  explicit RouteTable(const std::vector<RevisionPtr>& revisions);

  /// The route, or null: then explain() says why.
  [[nodiscard]] const Route* lookup(const RouteQuery& query) const;

  /// For a 404: what was looked for, and a bounded list of what would match.
  [[nodiscard]] std::string explain(const RouteQuery& query) const;

  [[nodiscard]] std::size_t size() const noexcept { return revisions_.size(); }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const noexcept {
      return std::hash<std::string_view>()(key);
    }
  };
  using Rows = std::unordered_map<std::string, Route, Hash, std::equal_to<>>;

  [[nodiscard]] static const Route* find(const Rows& rows, std::string_view name_space,
                                         std::string_view name);

  Rows revisions_;  // "<namespace>/<revision>"
  Rows services_;   // "<namespace>/<service>"
};

/// A host without port and final dot. "[::1]:80" gives "[::1]".
[[nodiscard]] std::string_view bare_host(std::string_view host) noexcept;

}  // namespace pilotlight::activator
