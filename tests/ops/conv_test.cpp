#include <doctest/doctest.h>

#include <random>

#include "core/run/threads.h"
#include "tests/expect.h"
#include "tests/support.h"

using namespace damo;
using test::check_close;
using test::error_of;

namespace {

/// Sums of some dozen terms of the size of 4.
constexpr double n_ulps = 100;

void expect_conv(const ConvArgs& args, const std::vector<std::vector<Sizes>>& shapes, bool twice = true) {
  test::expect_op({.name = "conv2d",
                   .build = [args](const Vars& x) { return conv2d(x[0], x[1], args); },
                   .shapes = shapes,
                   .twice = twice,
                   .n_ulps = n_ulps});
}

int draw(std::mt19937& engine, int least, int most) {
  return least + static_cast<int>(engine() % static_cast<unsigned>(most - least + 1));
}

}  // namespace

TEST_CASE("conv2d: borders, steps, flips, dilations, with first and second derivatives") {
  const std::vector<std::vector<Sizes>> one = {{{2, 2, 5, 4}, {3, 2, 3, 2}}};
  for (const BorderMode& border :
       {BorderMode(Border::valid), BorderMode(Border::full), BorderMode(Border::half), BorderMode(1),
        BorderMode(0, 2), BorderMode(2, 1)})
    for (const bool flip : {true, false}) expect_conv({.border_mode = border, .filter_flip = flip}, one);
  expect_conv({.subsample = 2}, one);
  expect_conv({.border_mode = {1, 0}, .subsample = {1, 2}}, one);
  expect_conv({.border_mode = Border::full, .subsample = {3, 2}, .filter_flip = false}, one);
  expect_conv({.filter_dilation = {1, 2}}, one);
  expect_conv({.border_mode = Border::half, .subsample = {2, 1}, .filter_dilation = 2}, one);
  expect_conv({}, {{{1, 1, 1, 1}, {1, 1, 1, 1}}, {{1, 3, 3, 3}, {2, 3, 3, 3}}, {{2, 1, 6, 1}, {1, 1, 2, 1}}});
}

TEST_CASE("conv2d: rows of whole packets") {
  // Of 4, 8 and 16 elements, with more filters and channels than registers hold at once.
  expect_conv({}, {{{3, 2, 6, 12}, {9, 2, 3, 5}}, {{2, 11, 3, 8}, {5, 11, 2, 1}}}, false);
  expect_conv({.border_mode = Border::half, .subsample = {2, 1}}, {{{2, 5, 5, 16}, {10, 5, 3, 3}}}, false);
  expect_conv({.border_mode = {1, 2}, .filter_dilation = {2, 1}}, {{{2, 9, 4, 16}, {4, 9, 2, 5}}}, false);
}

TEST_CASE("conv2d: nothing in a batch, no channels, no filters") {
  expect_conv({}, {{{0, 2, 4, 4}, {3, 2, 2, 2}}, {{2, 0, 4, 4}, {3, 0, 2, 2}}, {{2, 2, 4, 4}, {0, 2, 2, 2}}},
              false);
  expect_conv({.border_mode = 1}, {{{0, 2, 4, 4}, {3, 2, 2, 2}}}, false);
}

TEST_CASE("conv2d: random sizes and arguments") {
  std::mt19937 engine(7);
  for (std::uint32_t i = 0; i < test::n_random(20); ++i) {
    const int rows = draw(engine, 1, 4), cols = draw(engine, 1, 4), channels = draw(engine, 1, 3);
    ConvArgs args{.subsample = {draw(engine, 1, 3), draw(engine, 1, 3)},
                  .filter_flip = draw(engine, 0, 1) == 1,
                  .filter_dilation = {draw(engine, 1, 2), draw(engine, 1, 2)}};
    const BorderMode modes[] = {Border::valid, Border::full, Border::half,
                                BorderMode(draw(engine, 0, 3), draw(engine, 0, 3))};
    args.border_mode = modes[draw(engine, 0, 3)];
    const Sizes x{draw(engine, 1, 3), channels, 2 * rows + draw(engine, 0, 4), 2 * cols + draw(engine, 0, 4)};
    expect_conv(args, {{x, {draw(engine, 1, 3), channels, rows, cols}}}, i % 4 == 0);
  }
}

TEST_CASE("the gradients of a convolution are functions of their own, with gradients") {
  const ConvArgs args{.border_mode = {1, 0}, .subsample = {2, 1}};
  test::expect_op({.name = "conv2d_grad_wrt_inputs",
                   .build =
                       [=](const Vars& x) {
                         return conv2d_grad_wrt_inputs(x[0], x[1], {-1, -1, 5, 4}, args);
                       },
                   .shapes = {{{2, 3, 3, 3}, {3, 2, 3, 2}}, {{0, 3, 3, 3}, {3, 2, 3, 2}}},
                   .twice = true,
                   .n_ulps = n_ulps});
  test::expect_op({.name = "conv2d_grad_wrt_weights",
                   .build =
                       [=](const Vars& x) {
                         return conv2d_grad_wrt_weights(x[0], x[1], {3, 2, 3, 2}, args);
                       },
                   .shapes = {{{2, 2, 5, 4}, {2, 3, 3, 3}}, {{0, 2, 5, 4}, {0, 3, 3, 3}}},
                   .twice = true,
                   .n_ulps = n_ulps});
  // Rows that no window reaches have no gradient.
  const Var g = tensor4("g", float64), w = tensor4("w", float64);
  const Tensor gx =
      test::evaluate(conv2d_grad_wrt_inputs(g, w, {1, 1, 4, 3}, {.subsample = 2}), {g, w},
                     {Tensor::full({1, 1, 1, 1}, float64, 2), Tensor::full({1, 1, 3, 3}, float64, 1)});
  CHECK(gx.at<double>(0, 0, 2, 2) == 2);
  CHECK(gx.at<double>(0, 0, 3, 0) == 0);
}

TEST_CASE("conv2d of many images and of large ones, on one thread and on several") {
  struct Case {
    Sizes x, w;
    ConvArgs args;
  };
  const Case cases[] = {{{37, 3, 12, 12}, {5, 3, 5, 5}, {}},
                        {{29, 9, 12, 20}, {11, 9, 5, 5}, {}},
                        {{70, 1, 9, 7}, {4, 1, 3, 3}, {.border_mode = Border::half}},
                        {{1, 3, 60, 90}, {8, 3, 5, 5}, {.border_mode = Border::full, .subsample = {1, 2}}},
                        {{2, 40, 33, 35}, {8, 40, 5, 5}, {.border_mode = 2}}};
  for (const Case& c : cases)
    for (const DType dtype : {float32, float64}) {
      const Var x = tensor4("x", dtype), w = tensor4("w", dtype);
      const Var y = conv2d(x, w, c.args);
      const Vars outputs{y, grad(sum(sqr(y)), x), grad(sum(sqr(y)), w)};
      const test::Tensors values{test::random(c.x, dtype, 1), test::random(c.w, dtype, 2)};
      std::vector<Tensor> alone;
      for (const int threads : {1, 2, 3}) {
        set_threads(threads);
        for (std::size_t i = 0; i < outputs.size(); ++i) {
          const Tensor got = test::evaluate(outputs[i], {x, w}, values);
          if (threads == 1) {
            alone.push_back(got);
          } else {
            const double largest = i == 2 ? 1e3 : 1e2;
            check_close(got, alone[i], test::ulps(dtype, 200), test::ulps(dtype, 200) * largest,
                        to_string(c.x) + ", output " + std::to_string(i));
          }
        }
      }
      // One image of the batch by itself.
      const Tensor last = values[0].slice(0, c.x[0] - 1, c.x[0]);
      check_close(test::evaluate(y, {x, w}, {last, values[1]}), alone[0].slice(0, c.x[0] - 1, c.x[0]),
                  test::ulps(dtype, 100), test::ulps(dtype, 100), "the last image");
    }
  set_threads(0);
}

TEST_CASE("conv2d promotes two dtypes to one") {
  CHECK(conv2d(tensor4("x", float32), tensor4("w", float64)).dtype() == float64);
  CHECK(conv2d(tensor4("x", float32), tensor4("w", int8)).dtype() == float32);
  const Var x = tensor4("x", float32), w = tensor4("w", float64);
  CHECK(grad(sum(conv2d(x, w)), x).dtype() == float32);
}

TEST_CASE("what is known of the sizes when the graph is built") {
  const auto shape_of = [](const Sizes& x, const Sizes& w, const ConvArgs& args) {
    return conv2d(variable(Type(float32, x)), variable(Type(float32, w)), args).type().shape;
  };
  CHECK(shape_of({7, 3, 10, 12}, {5, 3, 3, 4}, {}) == Sizes{7, 5, 8, 9});
  CHECK(shape_of({7, 3, 10, 12}, {5, 3, 3, 4}, {.border_mode = Border::full}) == Sizes{7, 5, 12, 15});
  CHECK(shape_of({7, 3, 10, 12}, {5, 3, 3, 4}, {.border_mode = Border::half}) == Sizes{7, 5, 10, 13});
  CHECK(shape_of({7, 3, 10, 12}, {5, 3, 3, 4}, {.subsample = {2, 3}}) == Sizes{7, 5, 4, 3});
  CHECK(shape_of({-1, -1, 10, -1}, {5, -1, 3, 4}, {}) == Sizes{-1, 5, 8, -1});
  CHECK(shape_of({-1, -1, -1, -1}, {-1, -1, -1, -1},
                 {.input_shape = {-1, 2, 6, 6}, .filter_shape = {4, 2, 3, 3}}) == Sizes{-1, 4, 4, 4});
  const Var x = tensor4("x"), w = tensor4("w");
  CHECK(grad(sum(conv2d(x, w)), x).type().shape == x.type().shape);
}

TEST_CASE("conv2d: errors") {
  const auto message = [](const Sizes& x, const Sizes& w, const ConvArgs& args = {}) {
    const std::string text =
        error_of([&] { conv2d(variable(Type(float32, x), "x"), variable(Type(float32, w), "w"), args); });
    return text.substr(0, text.find('\n'));
  };
  const Sizes x{2, 3, 5, 6}, w{4, 3, 3, 3};
  CHECK(error_of([&] {
          conv2d(variable(Type(float32, x), "x"), variable(Type(float32, {4, 2, 3, 3}), "w"));
        }) ==
        "conv2d{valid}: the images have 3 channels, and the filters 2\n  float32 (2, 3, 5, 6)   x\n"
        "  float32 (4, 2, 3, 3)   w\n  at HERE");
  CHECK(message({3, 5, 6}, w) ==
        "conv2d{valid}: the images have 4 axes, (batch, channels, rows, columns), not 3");
  CHECK(message(x, {3, 3}) ==
        "conv2d{valid}: the filters have 4 axes, (filters, channels, rows, columns), not 2");
  CHECK(message(x, {4, 3, 6, 3}) ==
        "conv2d{valid}: the filters have 6 rows, which do not fit into 5 rows of the padded images");
  CHECK(
      message(x, {4, 3, 3, 9}, {.border_mode = {0, 1}}) ==
      "conv2d{pad (0, 1)}: the filters have 9 columns, which do not fit into 8 columns of the padded images");
  CHECK(message(x, w, {.filter_dilation = 3}) ==
        "conv2d{valid, dilation (3, 3)}: the filters have 7 rows, which do not fit into 5 rows of the padded "
        "images");
  CHECK(message(x, {4, 3, 0, 3}) == "conv2d{valid}: the filters have no rows");
  CHECK(message(x, w, {.border_mode = -1}) ==
        "conv2d{pad (-1, -1)}: border_mode is (-1, -1), and must not be negative");
  CHECK(message(x, w, {.subsample = {1, 0}}) ==
        "conv2d{valid, step (1, 0)}: subsample is (1, 0), and must be at least 1");
  CHECK(message(x, w, {.filter_dilation = {0, 1}}) ==
        "conv2d{valid, dilation (0, 1)}: filter_dilation is (0, 1), and must be at least 1");
  CHECK(message(x, w, {.input_shape = {2, 1, 5, 6}}) ==
        "conv2d{valid}: axis 1 of the images has size 3, and input_shape says 1");
  CHECK(message(x, w, {.filter_shape = {4, 3, 3}}) == "conv2d{valid}: filter_shape has 4 sizes, not 3");
  CHECK(error_of([] {
          conv2d(tensor4("x", int32), tensor4("w", int64));
        }).starts_with("conv2d{valid}: one operand at least must hold floats, not int32 and int64\n"));
  const Var g = variable(Type(float32, {2, 4, 3, 3}), "g"), v = variable(Type(float32, w), "w");
  CHECK(
      error_of([&] {
        conv2d_grad_wrt_inputs(g, v, {2, 3, 5, 6});
      })
          .starts_with("conv2d_grad_wrt_inputs{valid}: the output's gradient has shape (2, 4, 3, 3), and the "
                       "output (2, 4, 3, 4)\n"));
  CHECK(error_of([&] {
          conv2d_grad_wrt_inputs(g, v, {5, 6});
        }).starts_with("conv2d_grad_wrt_inputs{valid}: input_shape has 4 sizes, not 2\n"));
  CHECK(error_of([&] {
          conv2d_grad_wrt_inputs(g, v, {2, 3, -1, 6});
        })
            .starts_with("conv2d_grad_wrt_inputs{valid}: input_shape must tell the rows and columns of the "
                         "images\n"));
  CHECK(error_of([&] {
          conv2d_grad_wrt_weights(g, v, {2, 4, scalar("s"), 3});
        }).starts_with("conv2d_grad_wrt_weights{valid}: a size is an integer scalar, not float32 ()\n"));
}

TEST_CASE("conv2d: errors that only the call can tell") {
  const Var x = tensor4("x", float32), w = tensor4("w", float32);
  const Function f = function({.inputs = {x, w}, .outputs = conv2d(x, w, {.input_shape = {2, -1, -1, -1}})});
  const auto zeros = [](const Sizes& shape) { return Tensor::zeros(shape, float32); };
  CHECK(Tensor(f(zeros({2, 3, 5, 6}), zeros({4, 3, 3, 3}))).shape() == Sizes{2, 4, 3, 4});
  CHECK(error_of([&] {
          f(zeros({2, 3, 5, 6}), zeros({4, 2, 3, 3}));
        }).starts_with("conv2d{valid}: the images have 3 channels, and the filters 2\n"));
  CHECK(error_of([&] {
          f(zeros({3, 3, 5, 6}), zeros({4, 3, 3, 3}));
        }).starts_with("conv2d{valid}: axis 0 of the images has size 3, and input_shape says 2\n"));
  CHECK(error_of([&] {
          f(zeros({2, 3, 2, 6}), zeros({4, 3, 3, 3}));
        }).starts_with("conv2d{valid}: the filters have 3 rows, which do not fit into 2 rows"));
}

TEST_CASE("the gradient with respect to the images is not computed if nobody asks for it") {
  const Var x = tensor4("x", float32), w = tensor4("w", float32);
  const Function f = function({.inputs = {x, w}, .outputs = grad(sum(sqr(conv2d(x, w))), w)});
  const std::string text = debugprint(f);
  CHECK(text.find("conv2d_grad_wrt_weights") != std::string::npos);
  CHECK(text.find("conv2d_grad_wrt_inputs") == std::string::npos);
}
