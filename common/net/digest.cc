#include "common/net/digest.h"

#include <openssl/evp.h>

#include "common/base/check.h"

namespace pilotlight {

Digest digest_of(std::string_view text) {
  Digest out{};
  unsigned int size = 0;
  const int done =
      EVP_Digest(text.data(), text.size(), out.data(), &size, EVP_sha256(), /*engine=*/nullptr);
  PILOTLIGHT_CHECK(done == 1 && size == out.size());  // it fails for want of memory only
  return out;
}

}  // namespace pilotlight
