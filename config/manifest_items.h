#pragma once

#include <vector>

#include "config/yaml_documents.h"

namespace pilotlight::config {

/// The objects of these documents: those of a v1 List (`kubectl get -o yaml`) each by itself. A
/// document or item that is no object of Kubernetes (no kind, no apiVersion) is a problem, and so
/// is a List of nothing: what goes through unseen would look as if it had been taken care of.
[[nodiscard]] std::vector<Document> objects_of(const std::vector<Document>& documents,
                                               Problems& problems);

}  // namespace pilotlight::config
