#pragma once
#include <iosfwd>
#include <string>
#include <vector>

#include "../core/graph/graph.h"

/// Values that are looked at, or checked, while a function runs. One whose result nobody uses is not in the
/// graph.
namespace damo {

/// Print("message")(x) is x. Each time that it is computed, "message __str__ = [1. 2.]" is written, a line
/// for each of `attrs`: __str__ (the value), shape, ndim, size, dtype, min, max or mean. Several are written
/// in the order in which the graph reads them; none is merged with another. Throws Error on any other
/// attribute (theano.printing.Print).
class Print {
 public:
  explicit Print(std::string message = {}, std::vector<std::string> attrs = {"__str__"});
  Var operator()(const Arg& x) const;

 private:
  std::string message_;
  std::vector<std::string> attrs_;
};

/// x, whose value is printed: Print(message)(x).
Var print_value(const Arg& x, std::string message = {});

/// Where Print writes: standard error, unless set. The stream must outlive the functions that print.
void set_print_stream(std::ostream& stream);

/// Assert("message")(x, condition, ...) is x. A call in which an element of a condition is 0 throws Error
/// with the message, and leaves all shared variables as they were (theano.tensor.opt.Assert).
class Assert {
 public:
  explicit Assert(std::string message = "the condition does not hold") : message_(std::move(message)) {}
  Var operator()(const Arg& x, const Arg& condition) const { return all(x, {condition}); }
  Var operator()(const Arg& x, const Arg& a, const Arg& b) const { return all(x, {a, b}); }
  Var operator()(const Arg& x, const Arg& a, const Arg& b, const Arg& c) const { return all(x, {a, b, c}); }
  Var all(const Arg& x, const Args& conditions) const;

 private:
  std::string message_;
};

/// x, whose sizes are these: integer scalars, or -1 for one of which nothing is said. A number is known from
/// then on, when the graph is built. Throws Error if the sizes of x differ, when the graph is built or in the
/// call (theano.tensor.specify_shape).
Var specify_shape(const Arg& x, const Shape& sizes);

}  // namespace damo
