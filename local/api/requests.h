#pragma once

#include "common/control/server.h"
#include "local/api/store.h"
#include "local/api/target.h"

namespace pilotlight::local {

/// What a request is answered.
struct Outcome {
  unsigned code = 200;
  Json body;
};

/// Does what `request` asks of `target`: everything but a watch. Never suspends, so a request is
/// one step for everybody else.
[[nodiscard]] Outcome answer(ApiStore& store, const Target& target,
                             const control::Request& request);

/// {"kind": "Scale", ...} of a Deployment.
[[nodiscard]] Json scale_of(const Json& deployment);

/// The Status that `refusal` is.
[[nodiscard]] Outcome refused(const Refusal& refusal);

}  // namespace pilotlight::local
