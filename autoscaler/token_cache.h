#pragma once

#include <cstddef>
#include <map>
#include <optional>

#include "autoscaler/identity.h"
#include "common/base/clock.h"
#include "common/net/digest.h"

namespace pilotlight::autoscaler {

/// What the API server has said of tokens: of good ones for 5 minutes, of bad ones for 10 s. A good
/// one that is older is still known as long as the token itself lasts, for when the server is away.
/// Holds no token, only digests. Of more than 16,384 good ones, or 1,024 bad ones, the oldest goes;
/// neither kind pushes out the other. Pure.
class TokenCache {
 public:
  static constexpr std::size_t kGoodLimit = 16'384;
  static constexpr std::size_t kBadLimit = 1'024;

  struct Known {
    TokenOwner owner;
    bool fresh = false;  ///< Need not be asked about again.
  };

  [[nodiscard]] std::optional<Known> find(const Digest& token, TimePoint now) const;

  /// `expires`: when the token itself ends.
  void put(const Digest& token, const TokenOwner& owner, TimePoint now, TimePoint expires);

  [[nodiscard]] std::size_t size() const noexcept { return good_.size() + bad_.size(); }

 private:
  struct Entry {
    TokenOwner owner;
    TimePoint reviewed;
    TimePoint expires;
  };
  using Entries = std::map<Digest, Entry>;

  static void make_room(Entries& entries, std::size_t limit);

  Entries good_;
  Entries bad_;
};

}  // namespace pilotlight::autoscaler
