#pragma once

#include <string>

namespace pilotlight::test {

/// A certificate that signs itself, and its key, as PEM. Valid for `localhost` and 127.0.0.1.
struct TlsIdentity {
  std::string certificate;
  std::string key;
};

/// A new one each time (EC, P-256), made in a millisecond.
[[nodiscard]] TlsIdentity make_tls_identity(const std::string& common_name);

}  // namespace pilotlight::test
