#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "core/shared.h"

/// Random variables of a graph. Each owns a stream of numbers; a function that uses one advances its stream
/// once per call.
namespace damo {

class RandomState;
class MRG31k3p;

struct BinomialArgs {
  Args size;
  Arg n = 1;
  Arg p = 0.5;
  DType dtype = DType::int64;
};
struct UniformArgs {
  Args size;
  Arg low = 0.0;
  Arg high = 1.0;
  DType dtype = floatX();
};
struct NormalArgs {
  Args size;
  Arg avg = 0.0;
  Arg std = 1.0;
  DType dtype = floatX();
};

/// What models hold: either generator.
class Streams {
 public:
  virtual ~Streams() = default;
  /// Successes in n trials of probability p. The call throws Error if p lies outside [0, 1].
  virtual Var binomial(const BinomialArgs& args, Here at = {}) = 0;
  virtual Var uniform(const UniformArgs& args, Here at = {}) = 0;
  virtual Var normal(const NormalArgs& args, Here at = {}) = 0;
  /// The states of the variables made so far, in order.
  const std::vector<Shared>& states() const { return states_; }

 protected:
  std::vector<Shared> states_;
};

/// NumPy's numbers: each variable owns RandomState(gen.randint(2^30)), gen = RandomState(seed)
/// (theano.tensor.shared_randomstreams).
class RandomStreams : public Streams {
 public:
  explicit RandomStreams(std::uint32_t seed);
  ~RandomStreams() override;
  Var binomial(const BinomialArgs& args, Here at = {}) override;
  Var uniform(const UniformArgs& args, Here at = {}) override;
  Var normal(const NormalArgs& args, Here at = {}) override;

 private:
  Shared next_state();
  std::unique_ptr<RandomState> gen_;
};

/// MRG31k3p (theano.sandbox.rng_mrg): substreams 2^72 apart, variables 2^134 apart; only binomial with n = 1.
class MRG_RandomStreams : public Streams {
 public:
  explicit MRG_RandomStreams(std::int64_t seed);  ///< the six words of the seed are equal
  explicit MRG_RandomStreams(const std::vector<std::int64_t>& words);  ///< six words
  ~MRG_RandomStreams() override;
  Var binomial(const BinomialArgs& args, Here at = {}) override;
  Var uniform(const UniformArgs& args, Here at = {}) override;
  Var normal(const NormalArgs& args, Here at = {}) override;

 private:
  Shared next_state(const Args& size, bool known_size);
  std::unique_ptr<MRG31k3p> gen_;
};

}  // namespace damo
