#pragma once
#include <memory>

#include "../core/random/random_state.h"
#include "../ops/random.h"

namespace damo {

/// The generator of a model's random variables: `theano_rng`, which must then outlive the model, or if there
/// is none RandomStreams seeded by numpy_rng.randint(2^30), as the tutorials make it.
inline std::shared_ptr<Streams> streams_or_new(Streams* theano_rng, RandomState& numpy_rng) {
  if (theano_rng != nullptr) return {std::shared_ptr<void>(), theano_rng};
  return std::make_shared<RandomStreams>(static_cast<std::uint32_t>(numpy_rng.randint(1 << 30)));
}

}  // namespace damo
