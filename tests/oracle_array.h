#pragma once
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "core/graph/graph.h"

/// The arrays of the oracle, and one function per family of ops.
namespace damo::test {

/// Elements in row-major order: of a float dtype in `real`, else in `whole`.
struct Array {
  DType dtype = DType::float64;
  Sizes shape;
  std::vector<double> real;
  std::vector<std::int64_t> whole;

  Array() = default;
  Array(DType d, const Sizes& s);

  std::size_t size() const { return static_cast<std::size_t>(shape.product()); }
  double number(std::size_t i) const { return is_float(dtype) ? real[i] : static_cast<double>(whole[i]); }
  std::int64_t integer(std::size_t i) const {
    if (!is_float(dtype)) return whole[i];
    // What no integer holds is as x86-64 converts it.
    return std::abs(real[i]) < 0x1p63 ? static_cast<std::int64_t>(real[i])
                                      : std::numeric_limits<std::int64_t>::min();
  }
  /// Element i := element j of x, converted.
  void assign(std::size_t i, const Array& x, std::size_t j);
  void add(std::size_t i, const Array& x, std::size_t j);
};

using Arrays = std::vector<Array>;

/// What an op's name says: "sum{axis=(0, 2)}" is the name "sum" with fields.
struct OpName {
  std::string name;
  std::string fields;  ///< between the braces

  explicit OpName(const std::string& text);
  /// The fields taken apart at commas, blanks and brackets.
  std::vector<std::string> words() const;
  /// The numbers among them.
  std::vector<int> numbers() const;
};

/// As oracle(), where sigmoid is 1 beyond 15 (float32) or 19, and 0 where it is no normal number, as
/// Theano's.
std::vector<Tensor> saturating_oracle(const Vars& outputs, const VarMap<Tensor>& inputs);

Array read(const Tensor& t);
Tensor write(const Array& a);
/// Rounds floats, wraps integers around to the dtype.
void round_to_dtype(Array& a);

/// Calls f with the index of every element, in row-major order.
void each_index(const Sizes& shape, const std::function<void(const Sizes&)>& f);
std::size_t position(const Sizes& shape, const Sizes& index);

/// Each returns false if it does not know the op.
bool oracle_elementwise(const OpName& op, const Types& types, const Arrays& x, Array& y);
bool oracle_reduction(const OpName& op, const Arrays& x, Array& y);
bool oracle_movement(const OpName& op, const Arrays& x, Array& y);
bool oracle_indexing(const OpName& op, const Arrays& x, Array& y);
bool oracle_linalg(const OpName& op, const Arrays& x, Array& y);
bool oracle_images(const OpName& op, const Arrays& x, Array& y);
bool oracle_order(const OpName& op, const Arrays& x, Array& y);

}  // namespace damo::test
