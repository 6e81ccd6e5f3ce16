#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "core/random/random_state.h"
#include "tests/expect.h"
#include "tests/golden.h"
#include "tests/ops/theano_pages.h"

using namespace damo;
using nlohmann::json;
using test::check_close;

// The examples of Theano's tutorial pages, with the numbers of Theano 1.0.5. As there, most variables are
// float64 whatever floatX is.

TEST_CASE("computing gradients: x squared, and the logistic function") {
  for (const test::Page& page : test::theano_pages()) {
    INFO(page.name);
    const FloatXScope scope(page.floatX);
    const json& pages = page.content;
    const Var x = dscalar("x");
    const Function f = function({.inputs = {x}, .outputs = grad(pow(x, 2), x)});
    for (const auto& [at, g] : pages["tut_grad_x2"].items())
      CHECK(double(f(std::stod(at))) == doctest::Approx(g.get<double>()).epsilon(page.rtol));

    const Var m = dmatrix("x");
    const Var s = sum(1 / (1 + exp(-m)));
    const json& logistic = pages["tut_dlogistic"];
    check_close(test::evaluate(grad(s, m), {m}, {test::tensor_from_json(logistic["x"], float64)}),
                test::tensor_from_json(logistic["g"], float64), page.rtol, page.atol, "dlogistic");
  }
}

TEST_CASE("Jacobian times a vector, and its transpose") {
  for (const test::Page& page : test::theano_pages()) {
    INFO(page.name);
    const FloatXScope scope(page.floatX);
    const json& pages = page.content;
    const Var W = dmatrix("W"), V = dmatrix("V"), x = dvector("x"), v = dvector("v");
    const Tensor ones = Tensor{{1., 1.}, {1., 1.}}, twos = Tensor{{2., 2.}, {2., 2.}}, at = Tensor{0., 1.},
                 direction = Tensor{2., 2.};
    const Var y = dot(x, W);
    check_close(test::evaluate(Rop(y, {W}, {V}), {W, V, x}, {ones, twos, at}),
                test::tensor_from_json(pages["tut_Rop"], float64), page.rtol, page.atol, "Rop");
    check_close(test::evaluate(Lop(y, {W}, v)[0], {v, x, W}, {direction, at, ones}),
                test::tensor_from_json(pages["tut_Lop"], float64), page.rtol, page.atol, "Lop");

    // The Hessian of sum(x^2) times v, three ways.
    const Var cost = sum(sqr(x));
    const Var g = grad(cost, x);
    check_close(test::evaluate(grad(sum(g * v), x), {x, v}, {Tensor{4., 4.}, direction}),
                test::tensor_from_json(pages["tut_vH"], float64), page.rtol, page.atol, "vH");
    check_close(test::evaluate(Rop(g, {x}, {v}), {x, v}, {Tensor{4., 4.}, direction}),
                test::tensor_from_json(pages["tut_Hv"], float64), page.rtol, page.atol, "Hv");
    check_close(test::evaluate(hessian_times_vector(cost, x, v), {x, v}, {Tensor{4., 4.}, direction}),
                test::tensor_from_json(pages["tut_Hv"], float64), page.rtol, page.atol,
                "hessian_times_vector");
  }
}

TEST_CASE("Jacobian and Hessian of the squares") {
  for (const test::Page& page : test::theano_pages()) {
    INFO(page.name);
    const FloatXScope scope(page.floatX);
    const json& pages = page.content;
    const Var x = dvector("x");
    const Var y = pow(x, 2);
    for (const Mode mode : {Mode::FAST_RUN, Mode::FAST_COMPILE}) {
      check_close(test::evaluate(jacobian(y, x), {x}, {Tensor{4., 4.}}, mode),
                  test::tensor_from_json(pages["tut_jacobian_scan"], float64), page.rtol, page.atol,
                  "jacobian");
      check_close(test::evaluate(hessian(sum(y), x), {x}, {Tensor{4., 4.}}, mode),
                  test::tensor_from_json(pages["tut_hessian_scan"], float64), page.rtol, page.atol,
                  "hessian");
    }
  }
}

TEST_CASE("a richer function: Rop, Lop, Jacobian, Hessian and their products") {
  for (const test::Page& page : test::theano_pages()) {
    INFO(page.name);
    const FloatXScope scope(page.floatX);
    const json& rich = page.content["rich"];
    const Tensor tx = test::tensor_from_json(rich["x"], float64),
                 tW = test::tensor_from_json(rich["W"], float64),
                 tv = test::tensor_from_json(rich["v"], float64);
    const Var x = dvector("x"), v = dvector("v"), u = dvector("u");
    const Var W = constant(tW);
    const Var h = tanh(dot(x, W));
    const Var z = sigmoid(h) * exp(h / 2);
    const auto close = [&](const Var& y, const char* key) {
      check_close(test::evaluate(y, {x, v, u}, {tx, tv, Tensor{1., 2.}}),
                  test::tensor_from_json(rich[key], float64), page.rtol, page.atol, key);
    };
    close(z, "z");
    close(Rop(z, {x}, {v}), "Rop");
    close(Lop(z, {x}, u)[0], "Lop");
    const Var g = grad(sum(z), x);
    close(Rop(g, {x}, {v}), "Hv");
    close(hessian_times_vector(sum(z), x, v), "Hv");
    close(jacobian(z, x), "jacobian");
    close(stack({grad(z[0], x), grad(z[1], x)}), "jacobian");
    close(hessian(sum(z), x), "hessian_of_sum");
    close(stack({grad(g[0], x), grad(g[1], x), grad(g[2], x)}), "hessian_of_sum");
  }
}

TEST_CASE("logistic regression of the first example") {
  for (const test::Page& page : test::theano_pages()) {
    INFO(page.name);
    const FloatXScope scope(page.floatX);
    const json& j = page.content["tut_logreg"];
    RandomState rng(1234);
    const Tensor tx = rng.normal(0., 1., {40, 12}, float64);
    check_close(tx[0], test::tensor_from_json(j["x0"], float64), page.rtol, page.atol, "x0");
    const Tensor ty = test::tensor_from_json(j["y"], float64);

    const Var x = dmatrix("x"), y = dvector("y");
    const Shared w = shared(test::tensor_from_json(j["w0"], float64), "w"),
                 b = shared(Tensor(0.).astype(float64), "b");
    const Var p_1 = 1 / (1 + exp(-dot(x, w) - b));
    const Var prediction = p_1 > 0.5;
    const Var xent = -y * log(p_1) - (1 - y) * log(1 - p_1);
    const Var cost = mean(xent) + 0.01 * sum(sqr(w));
    const Vars g = grad(cost, {w, b});
    const Function probe = function({.inputs = {x, y}, .outputs = {cost, g[0], g[1]}});
    const Values first = probe(tx, ty);
    check_close(first[0], test::tensor_from_json(j["cost0"], float64), page.rtol, page.atol, "cost");
    check_close(first[1], test::tensor_from_json(j["gw0"], float64), page.rtol, page.atol, "gw");
    check_close(first[2], test::tensor_from_json(j["gb0"], float64), page.rtol, page.atol, "gb");

    const Function train = function({.inputs = {x, y},
                                     .outputs = {prediction, xent},
                                     .updates = {{w, w - 0.1 * g[0]}, {b, b - 0.1 * g[1]}}});
    const Function predict = function({.inputs = {x}, .outputs = prediction});
    Values last;
    for (int i = 0; i < 100; ++i) last = train(tx, ty);
    check_close(w.get_value(), test::tensor_from_json(j["w_end"], float64), page.rtol, page.atol,
                "w after 100 steps");
    check_close(b.get_value(), test::tensor_from_json(j["b_end"], float64), page.rtol, page.atol,
                "b after 100 steps");
    check_close(Tensor(predict(tx)), test::tensor_from_json(j["pred_end"], float64), 0, 0, "prediction");
    // Where it is small, a hundred steps' rounding is no small part of it.
    check_close(last[1], test::tensor_from_json(j["xent_end"], float64), std::max(1e-11, page.rtol), 0,
                "cross-entropy in the last step");
  }
}
