#include "core/data/synthetic.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "core/random/random_state.h"
#include "core/tensor/check.h"

namespace damo {
namespace {

constexpr int side = 28;

struct Point {
  double x, y;
};
using Line = std::vector<Point>;
using Figure = std::vector<Line>;
using Image = std::array<double, side * side>;

/// A piece of an ellipse, from one angle to another in degrees, clockwise from the right as y points down.
Line arc(Point center, double rx, double ry, double from, double to) {
  constexpr int n = 16;
  Line line;
  for (int i = 0; i <= n; ++i) {
    const double a = (from + (to - from) * i / n) * 0.017453292519943295;
    line.push_back({center.x + rx * std::cos(a), center.y + ry * std::sin(a)});
  }
  return line;
}

/// A straight line in short pieces, so that it bends with the paper.
Line straight(Point a, Point b) {
  constexpr int n = 6;
  Line line;
  for (int i = 0; i <= n; ++i) line.push_back({a.x + (b.x - a.x) * i / n, a.y + (b.y - a.y) * i / n});
  return line;
}

/// The strokes of the ten digits, some 1 wide and 1.6 high around the origin.
const std::array<Figure, 10>& figures() {
  static const std::array<Figure, 10> all{{
      {arc({0, 0}, .5, .8, 0, 360)},
      {straight({0, -.8}, {0, .8}), straight({-.3, -.5}, {0, -.8})},
      {arc({0, -.35}, .48, .45, 190, 400), straight({.36, -.06}, {-.5, .8}), straight({-.5, .8}, {.5, .8})},
      {arc({-.05, -.4}, .45, .4, 205, 450), arc({-.05, .4}, .5, .4, 270, 515)},
      {straight({.2, -.8}, {-.5, .3}), straight({-.5, .3}, {.5, .3}), straight({.2, -.8}, {.2, .8})},
      {straight({.45, -.8}, {-.4, -.8}), straight({-.4, -.8}, {-.42, -.1}),
       arc({-.02, .3}, .5, .5, 230, 500)},
      {arc({0, .4}, .45, .4, 0, 360), arc({.4, .3}, .85, 1.1, 180, 265)},
      {straight({-.5, -.8}, {.5, -.8}), straight({.5, -.8}, {-.1, .8})},
      {arc({0, -.4}, .38, .38, 0, 360), arc({0, .4}, .46, .42, 0, 360)},
      {arc({0, -.38}, .44, .42, 0, 360), straight({.44, -.38}, {.25, .8})},
  }};
  return all;
}

/// One hand and one sheet of paper: where a point of a figure comes to lie, in pixels.
class Hand {
 public:
  explicit Hand(RandomState& rng)
      : turn_(rng.uniform(-.3, .3)),
        slant_(rng.uniform(-.35, .35)),
        width_(rng.uniform(7, 11)),
        height_(rng.uniform(8, 11)),
        center_{13.5 + rng.uniform(-3, 3), 13.5 + rng.uniform(-2.5, 2.5)} {
    for (Wave& w : waves_)
      w = {rng.uniform(-.12, .12), rng.uniform(1, 4), rng.uniform(1, 4), rng.uniform(0, 6.3)};
  }

  Point operator()(Point p) const {
    // The paper is uneven: a wave along each axis.
    const double x = p.x + waves_[0].at(p), y = p.y + waves_[1].at(p);
    const double u = width_ * (x - slant_ * y), v = height_ * y;
    const double c = std::cos(turn_), s = std::sin(turn_);
    return {center_.x + c * u - s * v, center_.y + s * u + c * v};
  }

 private:
  struct Wave {
    double height, kx, ky, phase;
    double at(Point p) const { return height * std::sin(kx * p.x + ky * p.y + phase); }
  };
  double turn_, slant_, width_, height_;
  Point center_;
  std::array<Wave, 2> waves_{};
};

/// Inks every pixel nearer than `radius` to the segment, fading over one pixel.
void ink(Image& image, Point a, Point b, double radius) {
  const double reach = radius + .5;
  const auto first = [&](double lo) { return std::max(0, static_cast<int>(std::ceil(lo - reach))); };
  const auto last = [&](double hi) { return std::min(side - 1, static_cast<int>(std::floor(hi + reach))); };
  const double dx = b.x - a.x, dy = b.y - a.y, length2 = std::max(dx * dx + dy * dy, 1e-12);
  for (int y = first(std::min(a.y, b.y)); y <= last(std::max(a.y, b.y)); ++y) {
    for (int x = first(std::min(a.x, b.x)); x <= last(std::max(a.x, b.x)); ++x) {
      const double t = std::clamp(((x - a.x) * dx + (y - a.y) * dy) / length2, 0.0, 1.0);
      const double distance = std::hypot(x - a.x - t * dx, y - a.y - t * dy);
      double& pixel = image[static_cast<std::size_t>(y * side + x)];
      pixel = std::max(pixel, std::clamp(reach - distance, 0.0, 1.0));
    }
  }
}

void draw(Image& image, const Figure& figure, const Hand& hand, double radius) {
  for (const Line& line : figure)
    for (std::size_t i = 1; i < line.size(); ++i) ink(image, hand(line[i - 1]), hand(line[i]), radius);
}

/// 256 times the pixels of one example.
Image example(RandomState& rng, std::int64_t label) {
  Image image{};
  const Hand hand(rng);
  draw(image, figures()[static_cast<std::size_t>(label)], hand, rng.uniform(.6, 1.6));
  // Every third image has a stray stroke.
  if (rng.uniform() < .33) {
    const Point a{rng.uniform(0, side - 1), rng.uniform(0, side - 1)};
    ink(image, a, {a.x + rng.uniform(-6, 6), a.y + rng.uniform(-6, 6)}, .7);
  }
  const double darkness = rng.uniform(.6, 1);
  for (double& pixel : image)
    if (pixel > 0) pixel = std::floor(255 * std::clamp(pixel * darkness + rng.uniform(-.15, .15), 0.0, 1.0));
  return image;
}

template <class T>
void fill(RandomState& rng, const Tensor& x, const Tensor& y) {
  T* to = x.span<T>().data();
  for (T& label : y.span<T>()) {
    const std::int64_t digit = rng.randint(10);
    label = static_cast<T>(digit);
    for (const double pixel : example(rng, digit)) *to++ = static_cast<T>(pixel / 256);
  }
}

}  // namespace

Dataset synthetic_digits(const SyntheticArgs& args) {
  check(is_float(args.dtype), "digits are drawn in float32 or float64, not {}", args.dtype);
  RandomState rng(args.seed);
  const auto part = [&](std::int64_t n, Tensor& x, Tensor& y) {
    check(n >= 0, "the number of examples must not be negative, but is {}", n);
    x = Tensor::empty({n, side * side}, args.dtype);
    y = Tensor::empty({n}, args.dtype);
    if (args.dtype == float32)
      fill<float>(rng, x, y);
    else
      fill<double>(rng, x, y);
  };
  Dataset d;
  part(args.n_train, d.train_x, d.train_y);
  part(args.n_valid, d.valid_x, d.valid_y);
  part(args.n_test, d.test_x, d.test_y);
  return d;
}

}  // namespace damo
