#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "../core/graph/shared.h"

/// Random variables of a graph. Each owns a stream of numbers; a function that uses one advances its stream
/// once per call.
///
/// A size is a list of integers and integer scalars. The parameters of a law may be arrays: they are
/// stretched to the size, like the operands of an elementwise operation, and if there is no size, they say it
/// together.
namespace damo {

class RandomState;
class MRG31k3p;
struct SampleSizes;

struct BinomialArgs {
  Shape size = {};
  Arg n = 1;
  Arg p = 0.5;
  DType dtype = DType::int64;
};
struct UniformArgs {
  Shape size = {};
  Arg low = 0.0;
  Arg high = 1.0;
  DType dtype = floatX();
};
struct NormalArgs {
  Shape size = {};
  Arg avg = 0.0;
  Arg std = 1.0;
  DType dtype = floatX();
};
struct MultinomialArgs {
  Shape size = {};
  Arg n = 1;
  Arg pvals = Tensor{0.5, 0.5};
  DType dtype = DType::int64;
};
struct ChoiceArgs {
  Shape size = {};
  std::optional<Arg> a = {};
  bool replace = true;
  std::optional<Arg> p = {};
  DType dtype = DType::int64;
};
struct RandomIntegersArgs {
  Shape size = {};
  Arg low = 0;
  Arg high = 1;
  DType dtype = DType::int64;
};
struct PoissonArgs {
  Shape size = {};
  Arg lam = 1.0;
  DType dtype = DType::int64;
};
struct PermutationArgs {
  Shape size = {};
  Arg n = 1;
  DType dtype = DType::int64;
};

/// What models hold: either generator.
class Streams {
 public:
  virtual ~Streams() = default;
  /// Successes in n trials of probability p. The call throws Error if p lies outside [0, 1].
  virtual Var binomial(const BinomialArgs& args, Here at = {}) = 0;
  virtual Var uniform(const UniformArgs& args, Here at = {}) = 0;
  virtual Var normal(const NormalArgs& args, Here at = {}) = 0;
  /// How many of n trials fall on each of the outcomes with probabilities pvals, a vector or the rows of a
  /// matrix: the sample has one more axis than the size, of as many elements as pvals has in its last one.
  virtual Var multinomial(const MultinomialArgs& args, Here at = {}) = 0;
  /// Elements of 0 .. a-1, or of the vector a, with the probabilities p or equal ones, with repetition or
  /// without.
  virtual Var choice(const ChoiceArgs& args, Here at = {}) = 0;
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
  /// The call throws Error unless the probabilities of each row have a sum of at most 1.
  Var multinomial(const MultinomialArgs& args, Here at = {}) override;
  /// a is 2 unless given. The call throws Error if p does not sum to 1, or if there are not enough elements.
  Var choice(const ChoiceArgs& args, Here at = {}) override;
  /// Integers in [low, high], both ends included. The call throws Error if low is above high.
  Var random_integers(const RandomIntegersArgs& args, Here at = {});
  /// Poisson draws of mean lam.
  Var poisson(const PoissonArgs& args, Here at = {});
  /// Permutations of 0 .. n-1: the sample has one more axis than the size, of n elements.
  Var permutation(const PermutationArgs& args, Here at = {});
  /// x with the elements along its last axis in random order, another one for each row.
  Var shuffle_row_elements(const Arg& x);

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
  /// For the rows of a matrix pvals, without a size: (rows, outcomes). The probabilities are not checked:
  /// what they leave falls on no outcome.
  Var multinomial(const MultinomialArgs& args, Here at = {}) override;
  /// For the rows of a matrix p, without repetition: (rows, size), the size being one number, 1 unless given,
  /// and no a. The probabilities are not checked; -1 where none is left.
  Var choice(const ChoiceArgs& args, Here at = {}) override;

 private:
  Shared next_state(const SampleSizes& size, bool known_size);
  Var uniform_numbers(const Var& n);
  std::unique_ptr<MRG31k3p> gen_;
};

}  // namespace damo
