#pragma once

#include <string>
#include <vector>

#include "config/problems.h"
#include "config/revision.h"

namespace pilotlight::config {

/// What manifests say.
struct Manifests {
  std::vector<Revision> revisions;  ///< In the order of the files; never empty.
  /// What was accepted but has no effect on a laptop, each one line, said once per document.
  std::vector<std::string> notes;
};

/// Reads files, and directories' *.yaml, *.yml and *.json (in order of name, not recursive): each
/// document is a Knative Service or a plain Deployment (docs/manifest.md). Blocking file I/O; for
/// start-up only.
///
/// Problems are `file:line: path.in.document: got X, expected Y`, all at once. Nothing is returned
/// half-way: one problem anywhere and there are no revisions. `defaults`: of the scaling.
[[nodiscard]] Checked<Manifests> load_manifests(
    const std::vector<std::string>& paths,
    const AutoscalerDefaults& defaults = AutoscalerDefaults());

/// The same for text that is at hand; `name` stands for the file and `folder` for where it is.
[[nodiscard]] Checked<Manifests> read_manifest(const std::string& text, const std::string& name,
                                               const std::string& folder);

}  // namespace pilotlight::config
