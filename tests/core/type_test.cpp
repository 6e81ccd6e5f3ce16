#include "core/tensor/type.h"

#include <doctest/doctest.h>

#include "tests/expect.h"

using namespace damo;
using damo::test::error_of;

TEST_CASE("a dtype has NumPy's name and size") {
  const std::vector<std::pair<DType, std::pair<std::string, int>>> table = {
      {bool_, {"bool", 1}},  {int8, {"int8", 1}},   {int16, {"int16", 2}},     {int32, {"int32", 4}},
      {int64, {"int64", 8}}, {uint8, {"uint8", 1}}, {float32, {"float32", 4}}, {float64, {"float64", 8}}};
  CHECK(table.size() == n_dtypes);
  for (const auto& [dtype, row] : table) {
    CHECK(to_string(dtype) == row.first);
    CHECK(dtype_from_string(row.first) == dtype);
    CHECK(size_of(dtype) == row.second);
  }
  CHECK(error_of([] { dtype_from_string("float16"); }) == "there is no dtype 'float16'");
  CHECK(is_float(float32));
  CHECK_FALSE(is_float(int64));
  CHECK(is_int(uint8));
  CHECK_FALSE(is_int(bool_));
  CHECK_FALSE(is_int(float64));
}

TEST_CASE("promotion is NumPy's") {
  // numpy.promote_types; rows and columns in this order.
  const DType order[] = {bool_, int8, int16, int32, int64, uint8, float32, float64};
  const DType table[8][8] = {{bool_, int8, int16, int32, int64, uint8, float32, float64},
                             {int8, int8, int16, int32, int64, int16, float32, float64},
                             {int16, int16, int16, int32, int64, int16, float32, float64},
                             {int32, int32, int32, int32, int64, int32, float64, float64},
                             {int64, int64, int64, int64, int64, int64, float64, float64},
                             {uint8, int16, int16, int32, int64, uint8, float32, float64},
                             {float32, float32, float32, float64, float64, float32, float32, float64},
                             {float64, float64, float64, float64, float64, float64, float64, float64}};
  for (int i = 0; i < 8; ++i)
    for (int j = 0; j < 8; ++j) {
      INFO(to_string(order[i]), " and ", to_string(order[j]));
      CHECK(promote(order[i], order[j]) == table[i][j]);
    }
}

TEST_CASE("floatX is float32 or float64, and a scope restores it") {
  const DType before = floatX();
  {
    const FloatXScope outer(float64);
    CHECK(matrix("x").dtype() == float64);
    {
      const FloatXScope inner(float32);
      CHECK(matrix("x").dtype() == float32);
      CHECK(Tensor{1.5, 2}.dtype() == float32);
    }
    CHECK(floatX() == float64);
    CHECK(Tensor{1.5, 2}.dtype() == float64);
  }
  CHECK(floatX() == before);
  CHECK(error_of([] { set_floatX(int32); }) == "floatX is float32 or float64, not int32");
  CHECK(floatX() == before);
}

TEST_CASE("sizes are written as NumPy writes a shape") {
  CHECK(to_string(Sizes{}) == "()");
  CHECK(to_string(Sizes{20}) == "(20,)");
  CHECK(to_string(Sizes{20, 784}) == "(20, 784)");
  CHECK(to_string(Sizes{-1, 3}) == "(?, 3)");
  CHECK(to_string(Type(float32, {20, 784})) == "float32 (20, 784)");
  CHECK(to_string(Type(int64, {})) == "int64 ()");
}

TEST_CASE("sizes are a short list") {
  Sizes s{2, 3};
  s.push_back(4);
  s.insert(0, 1);
  CHECK(s == Sizes{1, 2, 3, 4});
  s.erase(1);
  CHECK(s == Sizes{1, 3, 4});
  CHECK(s.product() == 12);
  CHECK(s.back() == 4);
  CHECK(Sizes{}.product() == 1);
  CHECK(Sizes{3, 0, 2}.product() == 0);
  CHECK(Sizes(2, 7) == Sizes{7, 7});
  CHECK_FALSE(Sizes{1, 2} == Sizes{1, 2, 3});
  CHECK(row_major({2, 3, 4}) == Sizes{12, 4, 1});
  CHECK(error_of([] { Sizes{1, 2, 3, 4, 5, 6, 7, 8, 9}; }) == "at most 8 axes are supported, not 9");
  Sizes full(8, 1);
  CHECK(error_of([&] { full.push_back(1); }) == "at most 8 axes are supported");
}

TEST_CASE("a type accepts what may stand in its place") {
  const Type any(float32, {-1, -1}), known(float32, {20, 784}), other(float32, {20, 500});
  CHECK(any.accepts(known));
  CHECK(known.accepts(any));
  CHECK_FALSE(known.accepts(other));
  CHECK_FALSE(any.accepts(Type(float64, {-1, -1})));
  CHECK_FALSE(any.accepts(Type(float32, {-1})));
  // A size that happens to be 1 is not one that is declared to be 1.
  CHECK_FALSE(any.accepts(Type(float32, {1, -1}, 1U)));
  CHECK(any.accepts(Type(float32, {1, -1})));
  CHECK(Type(float32, {1, -1}, 1U).stretches(0));
  CHECK_FALSE(Type(float32, {1, -1}, 1U).stretches(1));
}
