#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "core/tensor/finite.h"
#include "ops/ops.h"

// What is multiplied by 0 may be left out only where it is finite: 0 * NaN and 0 * Inf are NaN.
using namespace damo;

namespace {

const double not_a_number = std::numeric_limits<double>::quiet_NaN(),
             inf = std::numeric_limits<double>::infinity();

/// (rows, cols) of ones, with zeros in column 1.
Tensor ones_but_column_1(std::int64_t rows, std::int64_t cols, DType dtype) {
  Tensor x = Tensor::full({rows, cols}, dtype, 1);
  copy_into(x.slice(1, 1, 2).view(), Tensor::zeros({rows, 1}, dtype).view());
  return x;
}

/// The matrix with `bad` at (1, 2).
Tensor with_bad(std::int64_t rows, std::int64_t cols, DType dtype, double bad) {
  Tensor w = Tensor::full({rows, cols}, dtype, .5);
  copy_into(w.slice(0, 1, 2).slice(1, 2, 3).view(), Tensor::full({1, 1}, dtype, bad).view());
  return w;
}

void check_column_2_is_nan(const Tensor& y) {
  const std::vector<double> values = y.to_vector<double>();
  const auto cols = static_cast<std::size_t>(y.shape(1));
  for (std::size_t i = 0; i < values.size(); ++i) {
    CAPTURE(i);
    CHECK(std::isnan(values[i]) == (i % cols == 2));
  }
}

}  // namespace

TEST_CASE("0 times NaN or Inf is NaN in products of vectors") {
  const Var a = vector("a"), b = vector("b");
  for (const Mode mode : {Mode::FAST_RUN, Mode::FAST_COMPILE}) {
    const Function f = function({.inputs = {a, b}, .outputs = dot(a, b), .mode = mode});
    CHECK(std::isnan(f(Tensor{0., 1.}, Tensor{{not_a_number}, {1.}}.reshaped({2})).item()));
    CHECK(std::isnan(f(Tensor{0., 1.}, Tensor{{inf}, {1.}}.reshaped({2})).item()));
    CHECK(f(Tensor{0., 1.}, Tensor{5., 1.}).item() == 1);
  }
}

TEST_CASE("0 times NaN or Inf is NaN in products with a matrix, whatever the number of rows") {
  for (const DType dtype : {DType::float32, DType::float64})
    for (const std::int64_t rows : {1, 2, 3, 5, 20, 32, 33, 64})
      for (const double bad : {not_a_number, inf, -inf}) {
        CAPTURE(rows);
        const Var x = matrix("x", dtype), w = matrix("w", dtype);
        const Tensor left = ones_but_column_1(rows, 70, dtype);
        const Shared W = shared(Tensor::full({70, 40}, dtype, .5), "W");
        const Function of_input = function({.inputs = {x, w}, .outputs = dot(x, w)});
        const Function of_shared = function({.inputs = {x}, .outputs = dot(x, W)});
        const Tensor finite = of_shared(left);
        CHECK(finite.astype(DType::float64).at<double>(0, 2) == 34.5);
        CHECK(identical(of_shared(left), finite));  // now it is known that W is finite
        check_column_2_is_nan(of_input(left, with_bad(70, 40, dtype, bad)));
        W.set_value(with_bad(70, 40, dtype, bad));
        check_column_2_is_nan(of_shared(left));
        W.set_value(Tensor::full({70, 40}, dtype, .5));
        CHECK(identical(of_shared(left), finite));
      }
}

TEST_CASE("a NaN that an update writes is seen by the next product") {
  for (const std::int64_t rows : {1, 2, 20, 40}) {
    CAPTURE(rows);
    const Var x = matrix("x", float64), g = matrix("g", float64), a = matrix("a", float64);
    const Shared W = shared(Tensor::full({70, 40}, float64, .5), "W");
    const Tensor left = ones_but_column_1(rows, 70, float64);
    const Function product = function({.inputs = {x}, .outputs = dot(x, W)});
    const Function by_rank_one = function({.inputs = {a, g}, .updates = {{W, W - 0.1 * dot(a.T(), g)}}});
    const Function by_two = function(
        {.inputs = {x, a, g}, .outputs = dot(x, W), .updates = {{W, W + dot(a.T(), g) + dot(g.T(), a).T()}}});
    const Function by_elements = function({.inputs = {g}, .updates = {{W, W + g}}});
    const Tensor nothing = Tensor::zeros({rows, 70}, float64);
    Tensor of_row = Tensor::zeros({rows, 70}, float64), column = Tensor::zeros({rows, 40}, float64);
    for (std::int64_t r = 0; r < rows; ++r) of_row.at<double>(r, 1) = 1e200, column.at<double>(r, 2) = 1e200;
    const auto begin_again = [&] {
      W.set_value(Tensor::full({70, 40}, float64, .5));
      product(left);
      CHECK(std::isfinite(Tensor(product(left)).at<double>(0, 2)));
    };
    begin_again();
    by_rank_one(of_row, column);  // W(1, 2) = -inf
    check_column_2_is_nan(product(left));
    begin_again();
    by_two(left, of_row, column);
    check_column_2_is_nan(product(left));
    begin_again();
    by_elements(with_bad(70, 40, float64, not_a_number));
    check_column_2_is_nan(product(left));
    begin_again();
    by_rank_one(nothing, column);
    CHECK(std::isfinite(Tensor(product(left)).at<double>(0, 2)));
  }
}

TEST_CASE("rows with factor 0 are updated where what they would add is not finite") {
  for (const std::int64_t rows : {1, 2, 20}) {
    CAPTURE(rows);
    const Var a = matrix("a", float64), g = matrix("g", float64);
    const Shared W = shared(Tensor::full({70, 40}, float64, .5), "W");
    const Function f = function({.inputs = {a, g}, .updates = {{W, W + dot(a.T(), g)}}});
    f(Tensor::zeros({rows, 70}, float64), with_bad(std::max<std::int64_t>(rows, 2), 40, float64, inf)
                                              .slice(0, rows == 1 ? 1 : 0, rows == 1 ? 2 : rows));
    check_column_2_is_nan(W.get_value());
  }
}

TEST_CASE("a product that is added times 0, or times infinity, is what its parts give") {
  struct Case {
    std::int64_t rows, inner, cols;
  };
  for (const DType dtype : {float32, float64})
    for (const Case& c : {Case{1, 1, 3}, {4, 1, 3}, {1, 3, 4}, {4, 2, 3}, {40, 40, 40}, {70, 3, 40}}) {
      CAPTURE(c.rows);
      CAPTURE(c.cols);
      const Var s = scalar("s", dtype), t = scalar("t", dtype), p = matrix("p", dtype),
                a = matrix("a", dtype), b = matrix("b", dtype), x = matrix("x", dtype);
      const Var one = p - s * dot(a, b) * .5, two = p - s * dot(a, b) - t * dot(a, b),
                scaled = s * p + dot(a, b), gone = (p + dot(a, b)) - (p + dot(a, b));
      const Tensor full_p = Tensor::full({c.rows, c.cols}, dtype, 1),
                   full_a = Tensor::full({c.rows, c.inner}, dtype, 2),
                   full_b = Tensor::full({c.inner, c.cols}, dtype, 3),
                   row = Tensor::full({1, c.cols}, dtype, 1);
      const auto bad_of = [](const Tensor& good, double bad) {
        const Tensor y = good.copy();
        copy_into(y.slice(0, 0, 1).slice(1, 0, 1).view(), Tensor::full({1, 1}, y.dtype(), bad).view());
        return y;
      };
      const double product = 6. * static_cast<double>(c.inner);
      const auto check = [&](const Var& v, double factor, const Tensor& vp, const Tensor& va, double corner,
                             double last) {
        for (const Mode mode : {Mode::FAST_RUN, Mode::FAST_COMPILE}) {
          // With x p^T beside it both are one sweep, if there is one row x.
          for (const bool beside : {false, true}) {
            const Function f = function({.inputs = {s, t, p, a, b, x},
                                         .outputs = beside ? Outputs{v, dot(x, p.T())} : Outputs{v},
                                         .on_unused_input = OnUnusedInput::ignore,
                                         .mode = mode});
            const std::vector<double> y =
                f(Tensor(factor).astype(dtype), Tensor(factor).astype(dtype), vp, va, full_b, row)[0]
                    .to_vector<double>();
            CHECK((y.front() == corner || (std::isnan(y.front()) && std::isnan(corner))));
            CHECK((y.back() == last || (std::isnan(y.back()) && std::isnan(last))));
          }
        }
      };
      const double of_last_row = c.rows == 1 ? not_a_number : 1;
      // 0 (a b) is NaN in the row where a is not finite, and 0 elsewhere.
      for (const double bad : {not_a_number, inf}) {
        check(one, 0, full_p, bad_of(full_a, bad), not_a_number, of_last_row);
        check(two, 0, full_p, bad_of(full_a, bad), not_a_number, of_last_row);
        check(scaled, 0, bad_of(full_p, bad), full_a, not_a_number, product);
        check(gone, 1, bad_of(full_p, bad), full_a, not_a_number, 0);
      }
      check(one, 0, full_p, full_a, 1, 1);
      check(scaled, 0, full_p, full_a, product, product);
      // An infinite factor of a sum, not of its terms, of which one may be 0.
      check(one, inf, full_p, bad_of(full_a, 0), c.inner == 1 ? not_a_number : -inf,
            c.rows == 1 && c.inner == 1 ? not_a_number : -inf);
      check(one, -inf, full_p, full_a, inf, inf);
    }
}

TEST_CASE("memory that somebody else may write to is never known to be finite") {
  const Var x = matrix("x", float64);
  const Shared W = shared(Tensor::full({70, 40}, float64, .5), "W");
  const Function f = function({.inputs = {x}, .outputs = dot(x, W)});
  const Tensor left = ones_but_column_1(1, 70, float64);
  f(left);
  f(left);
  const Tensor live = W.get_value({.borrow = true});
  f(left);
  copy_into(live.view(), with_bad(70, 40, float64, not_a_number).view());
  check_column_2_is_nan(f(left));
}

TEST_CASE("a feature that is NaN shows in the first cost of a logistic regression that begins at 0") {
  for (const std::int64_t rows : {1, 4, 20}) {
    const Var x = matrix("x", float64), y = ivector("y");
    const Shared W = shared(Tensor::zeros({70, 3}, float64), "W"),
                 b = shared(Tensor::zeros({3}, float64), "b");
    const Var cost = -mean(log(softmax(dot(x, W) + b))[{arange(y.shape(0)), y}]);
    const Function train = function({.inputs = {x, y}, .outputs = cost, .updates = sgd(cost, {W, b}, 0.1)});
    Tensor data = Tensor::full({rows, 70}, float64, 1);
    data.at<double>(0, 5) = not_a_number;
    CHECK(std::isnan(train(data, Tensor::zeros({rows}, DType::int32)).item()));
  }
}
