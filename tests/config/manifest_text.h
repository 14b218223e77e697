#pragma once

#include <string>

namespace pilotlight::config::test {

/// A Knative Service with what is given below spec.template.metadata.annotations,
/// spec.template.spec and its container (indented 8, 6 and 10).
inline std::string service(const std::string& annotations = "", const std::string& spec = "",
                           const std::string& container = "          command: [serve]\n") {
  return "apiVersion: serving.knative.dev/v1\n"                    // 1
         "kind: Service\n"                                         // 2
         "metadata:\n"                                             // 3
         "  name: iris\n"                                          // 4
         "spec:\n"                                                 // 5
         "  template:\n" +                                         // 6
         (annotations.empty() ? std::string("    metadata: {}\n")  // 7
                              : "    metadata:\n      annotations:\n" + annotations) +
         "    spec:\n" + spec +
         "      containers:\n"
         "        - image: example.com/iris\n" +
         container;
}

/// A plain Deployment with the labels that ask for the sidecar.
inline std::string deployment(const std::string& metadata = "", const std::string& annotations = "",
                              const std::string& spec = "") {
  return "apiVersion: apps/v1\n"
         "kind: Deployment\n"
         "metadata:\n"
         "  name: iris\n"
         "  labels: {pilotlight.dev/inject: \"true\"}\n" +
         metadata +
         "spec:\n"
         "  selector:\n"
         "    matchLabels: {app: iris}\n" +
         spec +
         "  template:\n"
         "    metadata:\n"
         "      labels: {app: iris, pilotlight.dev/inject: \"true\"}\n" +
         (annotations.empty() ? "" : "      annotations:\n" + annotations) +
         "    spec:\n"
         "      containers:\n"
         "        - name: model\n"
         "          command: [serve]\n";
}

}  // namespace pilotlight::config::test
