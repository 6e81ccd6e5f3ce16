#include "core/data/picture.h"

#include <doctest/doctest.h>
#include <png.h>

#include <cmath>
#include <filesystem>

#include "core/random/random_state.h"
#include "core/tensor/error.h"
#include "tests/support.h"

using damo::Error;
using damo::save_png;
using damo::Sizes;
using damo::Tensor;
using damo::tile_raster_images;

namespace {

Tensor images(damo::DType dtype) {
  return Tensor(std::vector<double>{0, 1, 2, 3,  4,  5,  -1, .5, .25, 3,    2, 1, 7, 7, 7,
                                    7, 7, 7, .1, .2, .3, .4, .5, .9,  1e-9, 0, 0, 0, 0, 2e-9},
                {5, 6})
      .astype(dtype);
}

// 0 or the sum of the pixels, and of the pixels times their positions: NumPy's pictures held as two numbers.
std::pair<std::int64_t, std::int64_t> sums(const Tensor& picture) {
  std::int64_t sum = 0, weighted = 0, i = 0;
  for (const std::uint8_t v : picture.span<std::uint8_t>()) {
    sum += v;
    weighted += v * i++ % 1000003;
  }
  return {sum, weighted};
}

Tensor read_png(const std::string& path) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  REQUIRE(png_image_begin_read_from_file(&image, path.c_str()) != 0);
  CHECK(image.format == PNG_FORMAT_GRAY);
  const Tensor t = Tensor::empty({image.height, image.width}, damo::uint8);
  REQUIRE(png_image_finish_read(&image, nullptr, t.data(), 0, nullptr) != 0);
  return t;
}

}  // namespace

// Expected values: the tutorials' utils.tile_raster_images, run with NumPy 1.24.2.
TEST_CASE("tiles are the tutorials' tiles") {
  const std::vector<int> narrow{0,   51,  102, 0, 0, 0,   95,  79,  0, 0, 0, 0, 0,  //
                                153, 204, 255, 0, 0, 255, 191, 127, 0, 0, 0, 0, 0,  //
                                0,   0,   0,   0, 0, 0,   0,   0,   0, 0, 0, 0, 0,  //
                                0,   31,  63,  0, 0, 21,  0,   0,   0, 0, 0, 0, 0,  //
                                95,  127, 254, 0, 0, 0,   0,   42,  0, 0, 0, 0, 0};
  std::vector<int> wide = narrow;  // in double (5 - 0) / (5 + 1e-8) is below 1
  for (const auto& [at, v] : {std::pair{1, 50}, {2, 101}, {13, 152}, {14, 203}, {15, 254}, {18, 254}})
    wide[static_cast<std::size_t>(at)] = v;
  const damo::TileArgs args{.img_shape = {2, 3}, .tile_shape = {2, 3}, .tile_spacing = {1, 2}};
  const Tensor picture = tile_raster_images(images(damo::float32), args);
  CHECK(picture.dtype() == damo::uint8);
  CHECK(picture.shape() == Sizes{5, 13});
  CHECK(picture.to_vector<int>() == narrow);
  CHECK(tile_raster_images(images(damo::float64), args).to_vector<int>() == wide);
  // A view gives the same picture.
  CHECK(tile_raster_images(images(damo::float32).transposed().copy().transposed(), args).to_vector<int>() ==
        narrow);

  const Tensor random = damo::RandomState(7).uniform(-1, 1, {100, 784});
  const damo::TileArgs filters{.img_shape = {28, 28}, .tile_shape = {10, 10}, .tile_spacing = {1, 1}};
  CHECK(sums(tile_raster_images(random.astype(damo::float32), filters)) ==
        std::pair<std::int64_t, std::int64_t>{9951937, 37228849948});
  CHECK(sums(tile_raster_images(random, filters)) ==
        std::pair<std::int64_t, std::int64_t>{9951861, 37230591419});
}

TEST_CASE("tiles need not be scaled, nor be pixels") {
  const Tensor floats = tile_raster_images(
      images(damo::float64), {.img_shape = {2, 3}, .tile_shape = {1, 2}, .output_pixel_vals = false});
  CHECK(floats.shape() == Sizes{2, 6});
  CHECK(floats.to_vector<double>() == std::vector<double>{0.0, 0.1999999996, 0.3999999992, 0.0,
                                                          0.37499999906250003, 0.31249999921875, 0.5999999988,
                                                          0.7999999984, 0.9999999980000001, 0.9999999975,
                                                          0.7499999981250001, 0.49999999875});
  const Tensor eighths = Tensor(
      std::vector<float>{0, .125F, .25F, .375F, .5F, 1, -3, 9, NAN, INFINITY, -INFINITY, .999F}, {2, 6});
  const Tensor cut = tile_raster_images(
      eighths, {.img_shape = {3, 2}, .tile_shape = {2, 1}, .scale_rows_to_unit_interval = false});
  CHECK(cut.to_vector<int>() == std::vector<int>{0, 31, 63, 95, 127, 255, 0, 255, 0, 255, 0, 254});
  const Tensor bits = Tensor(std::vector<std::uint8_t>{0, 1, 1, 0}, {1, 4});
  CHECK(tile_raster_images(bits,
                           {.img_shape = {2, 2}, .tile_shape = {1, 1}, .scale_rows_to_unit_interval = false})
            .to_vector<int>() == std::vector<int>{0, 255, 255, 0});
  CHECK(tile_raster_images(Tensor::empty({0, 4}, damo::float32), {.img_shape = {2, 2}, .tile_shape = {1, 2}})
            .to_vector<int>() == std::vector<int>(8, 0));
}

TEST_CASE("a picture written is the picture read") {
  const std::string folder = damo::test::temp_dir(), path = folder + "/a.png";
  const Tensor picture = damo::RandomState(3).randint(0, 256, {37, 51}).astype(damo::uint8);
  save_png(path, picture);
  CHECK(identical(read_png(path), picture));
  save_png(path, picture.transposed());
  CHECK(identical(read_png(path), picture.transposed().copy()));
  save_png(path, Tensor::full({1, 1}, damo::uint8, 200));
  CHECK(read_png(path).item<int>() == 200);
  CHECK(std::distance(std::filesystem::directory_iterator(folder), {}) == 1);
}

TEST_CASE("what is no picture, or cannot be written, is an error") {
  const Tensor x = images(damo::float32);
  CHECK_THROWS_WITH_AS(tile_raster_images(x, {.img_shape = {2, 2}, .tile_shape = {1, 1}}),
                       "images of 2 x 2 need a matrix of 4 columns, not the shape (5, 6)", Error);
  CHECK_THROWS_WITH_AS(tile_raster_images(x, {.tile_shape = {1, 1}}),
                       "an image needs a positive size, not 0 x 0", Error);
  CHECK_THROWS_WITH_AS(tile_raster_images(x, {.img_shape = {2, 3}}),
                       "there must be a place for an image, not 0 x 0", Error);
  CHECK_THROWS_WITH_AS(
      tile_raster_images(x, {.img_shape = {2, 3}, .tile_shape = {1, 1}, .tile_spacing = {-1, 0}}),
      "the spacing must not be negative, but is -1 x 0", Error);
  const std::string path = damo::test::temp_dir() + "/none/a.png";
  CHECK_THROWS_WITH_AS(save_png(path, Tensor::zeros({2, 2}, damo::uint8)),
                       ("cannot write " + path + ": No such file or directory").c_str(), Error);
  CHECK_THROWS_WITH_AS(save_png(path, x), "a picture must be a uint8 matrix, not float32 (5, 6)", Error);
  CHECK_THROWS_WITH_AS(save_png(path, Tensor::zeros({0, 2}, damo::uint8)),
                       "a picture must have from 1 to 65500 rows and columns, not the shape (0, 2)", Error);
}
