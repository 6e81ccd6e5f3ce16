#include "ops/random.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "core/graph/op.h"
#include "core/random/mrg.h"
#include "core/random/random_state.h"
#include "ops/create.h"
#include "ops/elemwise.h"
#include "ops/index.h"
#include "ops/random/random_op.h"
#include "ops/shape.h"

namespace damo {
namespace {

void check_float(DType dtype, const char* law) {
  check(is_float(dtype), "{}: the dtype is a float, not {}", law, dtype);
}

/// `what` of a law as an int64 scalar, or of any rank if `array`.
Var integers(const Arg& a, const char* law, const char* what, bool array = false) {
  const Var v = a.is_literal() && !a.is_float_literal() ? a.var(DType::int64) : a.var();
  check(!v.type().is_float() && (array || v.ndim() == 0), "{}: {} is an integer{}, not {}", law, what,
        array ? " or an array of them" : " scalar", v.type());
  return cast(v, DType::int64);
}

Var floats(const Arg& a) {
  const Var v = a.var();
  return v.type().is_float() ? v : cast(v, floatX());
}

std::array<std::int64_t, 6> six(const std::vector<std::int64_t>& words) {
  check(words.size() == 6, "the seed of MRG_RandomStreams is one number or six, not {}", words.size());
  std::array<std::int64_t, 6> a{};
  std::copy(words.begin(), words.end(), a.begin());
  return a;
}

}  // namespace

RandomStreams::RandomStreams(std::uint32_t seed) : gen_(std::make_unique<RandomState>(std::int64_t{seed})) {}
RandomStreams::~RandomStreams() = default;

Shared RandomStreams::next_state() {
  const RandomState own(gen_->randint(std::int64_t{1} << 30));
  constexpr std::int64_t words = sizeof(MT19937State) / sizeof(std::int64_t);
  const Tensor state = Tensor::empty({words}, DType::int64);
  std::memcpy(state.data(), &own.state(), sizeof(MT19937State));
  states_.push_back(shared(state, fmt::format("random_state_{}", states_.size()), {.borrow = true}));
  return states_.back();
}

Var RandomStreams::binomial(const BinomialArgs& args, Here at) {
  const Scope here(at);
  const SampleSizes size("random_binomial", args.size);
  return draw(Law::binomial, Generator::numpy, args.dtype, next_state(), args.n, args.p, size);
}
Var RandomStreams::uniform(const UniformArgs& args, Here at) {
  const Scope here(at);
  check_float(args.dtype, "uniform");
  const SampleSizes size("random_uniform", args.size);
  return draw(Law::uniform, Generator::numpy, args.dtype, next_state(), args.low, args.high, size);
}
Var RandomStreams::normal(const NormalArgs& args, Here at) {
  const Scope here(at);
  check_float(args.dtype, "normal");
  const SampleSizes size("random_normal", args.size);
  return draw(Law::normal, Generator::numpy, args.dtype, next_state(), args.avg, args.std, size);
}
Var RandomStreams::random_integers(const RandomIntegersArgs& args, Here at) {
  const Scope here(at);
  const SampleSizes size("random_integers", args.size);
  return draw(Law::integers, Generator::numpy, args.dtype, next_state(),
              integers(args.low, "random_integers", "low", true),
              integers(args.high, "random_integers", "high", true), size);
}
Var RandomStreams::poisson(const PoissonArgs& args, Here at) {
  const Scope here(at);
  const SampleSizes size("random_poisson", args.size);
  return draw(Law::poisson, Generator::numpy, args.dtype, next_state(), 0., args.lam, size);
}

Var RandomStreams::multinomial(const MultinomialArgs& args, Here at) {
  const Scope here(at);
  const SampleSizes size("random_multinomial", args.size);
  const Var n = integers(args.n, "random_multinomial", "n", true);
  return draw_multinomials(args.dtype, next_state(), n, floats(args.pvals), size);
}

Var RandomStreams::choice(const ChoiceArgs& args, Here at) {
  const Scope here(at);
  const SampleSizes size("random_choice", args.size);
  const Arg a = args.a.value_or(2);
  const bool is_vector = !a.is_literal() && a.var().ndim() == 1;
  const Var n = is_vector ? shape(a, 0) : integers(a, "random_choice", "a that is no vector");
  // No probabilities are an empty vector of them.
  const Var p = args.p ? floats(*args.p) : constant(Tensor::zeros({0}, floatX()));
  const Var places =
      draw_choices(is_vector ? DType::int64 : args.dtype, next_state(), n, args.replace, p, size);
  return is_vector ? cast(subtensor(a, {Index(places, at)}), args.dtype) : places;
}

Var RandomStreams::permutation(const PermutationArgs& args, Here at) {
  const Scope here(at);
  const SampleSizes size("random_permutation", args.size);
  return draw_permutations(args.dtype, next_state(), integers(args.n, "random_permutation", "n"), size);
}

Var RandomStreams::shuffle_row_elements(const Arg& arg) {
  const Scope here(arg);
  const Var x = arg.var();
  check(x.ndim() > 0, "shuffle_row_elements: x has no axes, and must have at least one");
  const Var n = shape(x, -1);
  Args rows, whole;
  Var n_rows = constant(Tensor(std::int64_t{1}));
  for (int axis = 0; axis + 1 < x.ndim(); ++axis) {
    rows.emplace_back(shape(x, axis));
    n_rows = n_rows * shape(x, axis);
  }
  const Var order = draw_permutations(DType::int64, next_state(), n, SampleSizes("random_permutation", rows));
  if (x.ndim() == 1) return subtensor(x, {order});
  whole = rows;
  whole.emplace_back(n);
  const Var row = dimshuffle(arange(n_rows), {0, 'x'});
  const Var shuffled = subtensor(reshape(x, {n_rows, n}), {row, reshape(order, {n_rows, n})});
  return reshape(shuffled, whole);
}

MRG_RandomStreams::MRG_RandomStreams(std::int64_t seed) : gen_(std::make_unique<MRG31k3p>(seed)) {}
MRG_RandomStreams::MRG_RandomStreams(const std::vector<std::int64_t>& words)
    : gen_(std::make_unique<MRG31k3p>(six(words))) {}
MRG_RandomStreams::~MRG_RandomStreams() = default;

Shared MRG_RandomStreams::next_state(const SampleSizes& size, bool known_size) {
  const bool known = known_size && size.known;
  const Tensor state = gen_->next_stream(known ? std::max(1, mrg_n_streams(*size.known)) : mrg_max_streams);
  states_.push_back(shared(state, fmt::format("mrg_state_{}", states_.size()), {.borrow = true}));
  return states_.back();
}

Var MRG_RandomStreams::binomial(const BinomialArgs& args, Here at) {
  const Scope here(at);
  const Var n = args.n.var();
  check(n.type().has_value && n.type().value == 1, "MRG_RandomStreams::binomial draws with n = 1 only");
  const SampleSizes size("mrg_binomial", args.size);
  return draw(Law::binomial, Generator::mrg, args.dtype, next_state(size, true), args.n, args.p, size);
}
Var MRG_RandomStreams::uniform(const UniformArgs& args, Here at) {
  const Scope here(at);
  check_float(args.dtype, "uniform");
  const SampleSizes size("mrg_uniform", args.size);
  return draw(Law::uniform, Generator::mrg, args.dtype, next_state(size, true), args.low, args.high, size);
}
// Theano's normal asks for a number of uniforms that it computes in the graph: its size is never known
// beforehand.
Var MRG_RandomStreams::normal(const NormalArgs& args, Here at) {
  const Scope here(at);
  check_float(args.dtype, "normal");
  const SampleSizes size("mrg_normal", args.size);
  return draw(Law::normal, Generator::mrg, args.dtype, next_state(size, false), args.avg, args.std, size);
}

// Nor is the size of the uniform numbers that the others ask for, a number for each row.
Var MRG_RandomStreams::uniform_numbers(const Var& n) {
  const SampleSizes size("mrg_uniform", {n});
  return draw(Law::uniform, Generator::mrg, floatX(), next_state(size, false), 0., 1., size);
}

Var MRG_RandomStreams::multinomial(const MultinomialArgs& args, Here at) {
  const Scope here(at);
  const Var p = floats(args.pvals);
  check(args.size.empty(),
        "MRG_RandomStreams::multinomial takes no size: there is a sample for each row of pvals");
  check(p.ndim() == 2, "MRG_RandomStreams::multinomial: pvals is a matrix, not {}", p.type());
  const Var n = integers(args.n, "MRG_RandomStreams::multinomial", "n");
  return multinomial_from_uniform(args.dtype, p, uniform_numbers(shape(p, 0) * n));
}

Var MRG_RandomStreams::choice(const ChoiceArgs& args, Here at) {
  const Scope here(at);
  check(!args.replace, "MRG_RandomStreams::choice draws without repetition only: say .replace = false");
  check(!args.a, "MRG_RandomStreams::choice takes no a: it draws of the columns of p");
  check(args.p.has_value(), "MRG_RandomStreams::choice needs p");
  check(args.size.size() <= 1, "MRG_RandomStreams::choice: the size is one number, not {}", args.size.size());
  const Var p = floats(*args.p);
  check(p.ndim() == 2, "MRG_RandomStreams::choice: p is a matrix, not {}", p.type());
  const Var n = integers(args.size.empty() ? Arg(1) : args.size[0], "MRG_RandomStreams::choice", "the size");
  return choice_from_uniform(args.dtype, p, uniform_numbers(shape(p, 0) * n), n);
}

}  // namespace damo
