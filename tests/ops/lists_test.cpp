#include <doctest/doctest.h>

#include <functional>
#include <vector>

#include "tests/expect.h"

using namespace damo;
using test::at;
using test::error_of;
using test::evaluate;

// Lists of variables, lists of sizes, and what stands in brackets.

namespace {

using Numbers = std::vector<double>;

Numbers numbers(const Tensor& t) { return t.to_vector<double>(); }

template <class A, class B>
concept HasComma = requires(A a, B b) {
  (a, b);
};

// x[slice(1, 3), 0] would be x[0].
static_assert(!HasComma<Slice, int> && !HasComma<int, Slice> && !HasComma<Slice, Slice>);
static_assert(!HasComma<Slice, Var> && !HasComma<Var, Slice> && !HasComma<Var, Var> && !HasComma<Var, int>);
static_assert(!HasComma<Shared, Var> && !HasComma<long, Var> && !HasComma<const Var&, const Var&>);
static_assert(!HasComma<NewAxis, int> && !HasComma<Ellipsis, int> && !HasComma<int, Ellipsis>);
static_assert(HasComma<int, int>);

template <class T>
concept HasAssignments = requires(T v, Var x) {
  v += x;
  v -= x;
  v *= x;
  v /= x;
};
template <class T>
concept HasAnAssignment = requires(T v, Var x) {
  v += x;
}
|| requires(T v, Var x) { v -= x; }
|| requires(T v, Var x) { v *= x; }
|| requires(T v, Var x) { v /= x; };
static_assert(HasAssignments<Var&>);
static_assert(!HasAnAssignment<Shared&> && !HasAnAssignment<const Var&>);

}  // namespace

TEST_CASE("every list of variables stands for a list of operands") {
  const Shared a = shared(Tensor{1., 2.}, "a"), b = shared(Tensor{3., 4.}, "b");
  const std::vector<Shared> shareds{a, b};
  const std::vector<Var> plain{a, b};
  const Vars vars{a, b};
  const Args args{a, b};
  const std::vector<Arg> plain_args{a, b};
  const Numbers rows{1, 2, 3, 4}, columns{1, 3, 2, 4};
  for (const Var& y :
       {stack(shareds), stack(plain), stack(vars), stack(args), stack(plain_args), stack({a, b})})
    CHECK(numbers(evaluate(y, {}, {})) == rows);
  for (const Var& y : {stack(shareds, 1), stack(vars, 1), stack(plain_args, 1), stack({a, b}, 1)})
    CHECK(numbers(evaluate(y, {}, {})) == columns);
  for (const Var& y : {concatenate(shareds), concatenate(vars), join(0, plain), join(0, args)})
    CHECK(numbers(evaluate(y, {}, {})) == rows);
  CHECK(numbers(evaluate(stack(std::vector<double>{1, 2.5}), {}, {})) == Numbers{1, 2.5});
  CHECK(numbers(evaluate(choose(Tensor{0, 1}, shareds), {}, {})) == Numbers{1, 4});
  CHECK(numbers(evaluate(choose(Tensor{0, 1}, vars), {}, {})) == Numbers{1, 4});
  CHECK(numbers(evaluate(matrix_dot(shareds), {}, {})) == Numbers{11});

  const Var x = vector("x"), y = vector("y");
  const OpFromGraph f(Vars{x, y}, Vars{x * y});
  CHECK(numbers(evaluate(f.all(shareds)[0], {}, {})) == Numbers{3, 8});
  CHECK(numbers(evaluate(f.all(vars)[0], {}, {})) == Numbers{3, 8});

  // What a list holds belongs to the line of the call.
  const Var s = stack(shareds);
  CHECK(to_string(s.node().where) == at(__LINE__ - 1));
}

TEST_CASE("every list of variables stands where gradients are asked for") {
  const Shared W = shared(Tensor{1., 2.}, "W"), b = shared(Tensor{3., 4.}, "b");
  const Var cost = sum(sqr(W) * b);
  const std::vector<Shared> shareds{W, b};
  const std::vector<Var> plain{W, b};
  const Args args{W, b};
  const std::vector<Arg> plain_args{W, b};
  const Numbers gW{6, 16}, gb{1, 4};
  for (const Vars& g : {grad(cost, shareds), grad(cost, plain), grad(cost, Vars{W, b}), grad(cost, args),
                        grad(cost, plain_args), grad(cost, {W, b}), value_and_grad(cost, shareds).grads,
                        value_and_grad(cost, args).grads, jacobian(cost, shareds), Lop(cost, shareds, 1.),
                        Lop(Vars{cost}, args, Vars{constant(Tensor(1.).astype(floatX()))})}) {
    REQUIRE(g.size() == 2);
    CHECK(numbers(evaluate(g[0], {}, {})) == gW);
    CHECK(numbers(evaluate(g[1], {}, {})) == gb);
  }
  CHECK(numbers(evaluate(hessian(cost, shareds)[0], {}, {})) == Numbers{6, 0, 0, 8});
  CHECK(numbers(evaluate(Rop(cost, shareds, shareds), {}, {})) == Numbers{57});
  const Vars v{constant(Tensor{1., 2.}), constant(Tensor{3., 4.})};
  CHECK(numbers(evaluate(hessian_times_vector(cost, shareds, v)[1], {}, {})) == Numbers{2, 8});
  const Vars held =
      grad(cost, shareds, {.consider_constant = shareds, .disconnected_inputs = Disconnected::zero});
  CHECK(numbers(evaluate(held[0], {}, {})) == gW);
  CHECK(subgraph_grad(shareds, shareds, {.cost = cost}).wrt.size() == 2);
  const Vars chosen = ifelse(1, shareds, plain_args);
  CHECK(numbers(evaluate(chosen[1], {}, {})) == Numbers{3, 4});
}

TEST_CASE("every list of variables stands for a function's inputs and outputs, and for parameters") {
  const Var x = scalar("x"), y = scalar("y");
  const std::vector<Var> plain{x, y};
  const Vars vars{x, y};
  const Args args{x, y};
  for (const Function& f :
       {function({.inputs = plain, .outputs = x - y}), function({.inputs = vars, .outputs = x - y}),
        function({.inputs = args, .outputs = x - y}),
        function({.inputs = std::vector<In>{x, In(y, 1.)}, .outputs = x - y}),
        function({.inputs = {x, y}, .outputs = x - y})})
    CHECK(double(f(5., 2.)) == 3);
  const std::vector<Shared> shareds{shared(Tensor{1.}, "a"), shared(Tensor{2.}, "b")};
  for (const Function& f :
       {function({.outputs = shareds}), function({.outputs = Vars(shareds)}),
        function({.outputs = Args(shareds)}), function({.outputs = {shareds[0], shareds[1]}})}) {
    const auto [a, b] = f().bind<2>();
    CHECK(a.item() == 1);
    CHECK(b.item() == 2);
  }
  const Var cost = sum(sqr(shareds[0]) + shareds[1]);
  for (const Updates& u : {sgd(cost, shareds, 0.5), sgd(cost, Vars(shareds), 0.5),
                           sgd(cost, Args(shareds), 0.5), sgd(cost, {shareds[0], shareds[1]}, 0.5)}) {
    CHECK(numbers(evaluate(u[0].value, {}, {})) == Numbers{0});
    CHECK(numbers(evaluate(u[1].value, {}, {})) == Numbers{1.5});
  }
  CHECK(momentum(cost, Vars(shareds), 0.5).size() == 4);
  CHECK(adam(cost, Args(shareds)).size() == 7);
  const Var z = (shareds[0] * 2).named("z");
  CHECK(error_of([&] { sgd(cost, {shareds[0], z}, 0.1); }) == "sgd: z is not a shared variable\n  at HERE");
  CHECK(error_of([&] { momentum(cost, Vars{x}, 0.1); }) == "momentum: x is not a shared variable\n  at HERE");
  CHECK(error_of([&] { adam(cost, Vars{Var()}); }) == "adam: a parameter is an empty Var\n  at HERE");
  CHECK(error_of([&] { sgd(cost, std::vector<Shared>{Shared()}, 0.1); }) ==
        "sgd: a parameter is an empty Var\n  at HERE");
}

TEST_CASE("a vector of sizes stands wherever sizes are taken") {
  const Var x = matrix("x"), v = vector("v"), n = iscalar("n");
  const Tensor X = Tensor::full({2, 3}, floatX(), 1), V = Tensor::full({6}, floatX(), 2);
  const Numbers twos(6, 2);
  struct Row {
    std::string name;
    Var y;
    Sizes shape;
  };
  RandomStreams streams(1);
  MRG_RandomStreams mrg(1);
  const Var last = x.shape()[slice(1, none)];
  const std::vector<int> ints{2, 3};
  const Row rows[] = {
      {"zeros", zeros(x.shape()) + 2, {2, 3}},
      {"zeros of dtype", zeros(x.shape(), float64) + 2, {2, 3}},
      {"ones", ones(x.shape()) + 1, {2, 3}},
      {"alloc", alloc(2., x.shape()), {2, 3}},
      {"full", full(x.shape(), 2.), {2, 3}},
      {"reshape", reshape(v, x.shape()), {2, 3}},
      {"method", v.reshape(x.shape()), {2, 3}},
      {"shape function", v.reshape(shape(x)), {2, 3}},
      {"transposed", v.reshape(x.T().shape()), {3, 2}},
      {"braces", v.reshape({x.shape()}), {2, 3}},
      {"with a number in front", v.reshape({1, x.shape()}), {1, 2, 3}},
      {"with a number behind", v.reshape({x.shape(), 1}), {2, 3, 1}},
      {"part of it", v.reshape({-1, last}), {2, 3}},
      {"a stack", v.reshape(stack({n, n + 1})), {2, 3}},
      {"a join", zeros(join(0, {x.shape(), x.shape()})) + 2, {2, 3, 2, 3}},
      {"a scalar", zeros(x.shape(0)) + 2, {2}},
      {"a number", zeros(3) + 2, {3}},
      {"sizes of a tensor", v.reshape(X.shape()), {2, 3}},
      {"a vector of integers", v.reshape(ints), {2, 3}},
      {"a tensor", v.reshape(Tensor{3, 2}), {3, 2}},
      {"no axes", zeros(sum(x).shape()) + 2, {}},
      {"tile", tile(constant(Tensor(2.)), x.shape()), {2, 3}},
      {"specify_shape", specify_shape(reshape(v, {2, 3}), x.shape()), {2, 3}},
      {"binomial", streams.binomial({.size = x.shape(), .n = 2, .p = 1.}), {2, 3}},
      {"uniform", streams.uniform({.size = x.shape()}) * 0 + 2, {2, 3}},
      {"normal", streams.normal({.size = x.shape()}) * 0 + 2, {2, 3}},
      {"multinomial", streams.multinomial({.size = x.shape(), .n = 2, .pvals = Tensor{1.}}), {2, 3, 1}},
      {"choice", streams.choice({.size = x.shape(), .a = 1}) + 2, {2, 3}},
      {"integers", streams.random_integers({.size = x.shape(), .low = 2, .high = 2}), {2, 3}},
      {"poisson", streams.poisson({.size = x.shape(), .lam = 0.}) + 2, {2, 3}},
      {"permutation", streams.permutation({.size = x.shape(), .n = 1}) + 2, {2, 3, 1}},
      {"mrg binomial", mrg.binomial({.size = x.shape(), .p = 1.}) + 1, {2, 3}},
      {"mrg uniform", mrg.uniform({.size = x.shape()}) * 0 + 2, {2, 3}},
      {"mrg normal", mrg.normal({.size = x.shape()}) * 0 + 2, {2, 3}},
  };
  for (const Row& row : rows)
    for (const Mode mode : {Mode::FAST_RUN, Mode::FAST_COMPILE}) {
      INFO(row.name, ", ", to_string(mode));
      const Function f = function(
          {.inputs = {x, v, n}, .outputs = row.y, .on_unused_input = OnUnusedInput::ignore, .mode = mode});
      const Tensor y = f(X, V, Tensor(2).astype(int32));
      CHECK(y.shape() == row.shape);
      CHECK(numbers(y) == Numbers(static_cast<std::size_t>(y.size()), 2));
    }

  const Var images = tensor4("images"), filters = tensor4("filters");
  const Var y = conv2d(images, filters);
  const Tensor I = Tensor::full({1, 1, 3, 3}, floatX(), 1), F = Tensor::full({1, 1, 2, 2}, floatX(), 1);
  CHECK(evaluate(conv2d_grad_wrt_inputs(y, filters, images.shape()), {images, filters}, {I, F}).shape() ==
        I.shape());
  CHECK(evaluate(conv2d_grad_wrt_weights(images, y, filters.shape()), {images, filters}, {I, F}).shape() ==
        F.shape());
}

TEST_CASE("vectors that are no sizes") {
  const Var v = ivector("v"), m = imatrix("m"), f = vector("f");
  CHECK(
      error_of([&] { zeros(v); }) ==
      "a vector of sizes must have a known length, as x.shape() has, unlike v\n  int32 (?,)   v\n  at HERE");
  CHECK(
      error_of([&] {
        f.reshape({2, v});
      }) ==
      "a vector of sizes must have a known length, as x.shape() has, unlike v\n  int32 (?,)   v\n  at HERE");
  CHECK(error_of([&] { zeros(m); }).starts_with("alloc: a size is an integer scalar, not int32 (?, ?)\n"));
  CHECK(error_of([&] { zeros({2, f}); }).starts_with("alloc: a size is an integer scalar, not float"));
  RandomStreams streams(1);
  CHECK(error_of([&] {
          streams.normal({.size = v});
        }).starts_with("a vector of sizes must have a known length, as x.shape() has, unlike v\n"));
}

TEST_CASE("+=, -=, *= and /= put the result in the handle's place") {
  const Var x = vector("x");
  Var h = x;
  h += x;
  h *= 3;
  h -= 1.5;
  h /= x;
  CHECK(pp(h) == pp(((x + x) * 3 - 1.5) / x));
  CHECK(numbers(evaluate(h, {x}, {Tensor{3.}.astype(floatX())})) == Numbers{5.5});
  CHECK(to_string(h.node().where) == at(__LINE__ - 3));
  CHECK(x.node().kind == Node::Kind::input);
  Var total = scalar("c");
  for (int i = 0; i < 3; ++i) total += sqr(total);
  CHECK(total.dtype() == floatX());
  CHECK(error_of([&] { h += Var(); }).ends_with("  at HERE"));
  const Shared W = shared(Tensor{1.}, "W");
  Var w = W;
  w -= 1;
  CHECK(W.node().kind == Node::Kind::shared);
}
