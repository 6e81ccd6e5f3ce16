#pragma once
#include <algorithm>
#include <array>
#include <concepts>
#include <initializer_list>
#include <iosfwd>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../graph/graph.h"
#include "../graph/shared.h"
#include "../rewrite/rewrite.h"

/// From a graph to something that runs.
namespace damo {

/// An input of a function, with an optional default value and, if the variable has no name of its own, a
/// name.
struct In {
  In(const Var& v) : variable(v) {}
  In(const Var& v, Tensor default_value, std::string keyword = {})
      : variable(v), value(std::move(default_value)), name(std::move(keyword)) {}

  Var variable;
  Tensor value;
  std::string name;
};
using Param = In;

/// The inputs of a function.
class Inputs : public std::vector<In> {
 public:
  using std::vector<In>::vector;
  Inputs() = default;
  Inputs(std::vector<In> list) : std::vector<In>(std::move(list)) {}
  template <class List>
  requires std::convertible_to<const List&, Vars> Inputs(const List& list) {
    for (const Var& v : Vars(list)) emplace_back(v);
  }
};

/// The outputs of a function: none, one or many. Numbers and Shareds are welcome.
class Outputs {
 public:
  Outputs() = default;
  Outputs(const Var& v) : vars_{v} {}
  Outputs(std::initializer_list<Var> vars) : vars_(vars) {}
  template <class List>
  requires std::convertible_to<const List&, Vars> Outputs(const List& vars) : vars_(vars) {}
  const Vars& vars() const { return vars_; }

 private:
  Vars vars_;
};

/// The new value of a shared variable; all updates of a call see the old values.
struct Update {
  Update(const Shared& v, const Arg& new_value);
  Shared variable;
  Var value;
};
using Updates = std::vector<Update>;

struct Given {
  Given(const Var& v, const Arg& by);
  Var variable;
  Var replacement;
};
using Givens = std::vector<Given>;

/// `warn` writes a line to standard error.
enum class OnUnusedInput { raise, warn, ignore };

/// FAST_RUN applies every rewrite; FAST_COMPILE runs the graph as it was written. The others find mistakes,
/// are slow, and leave every Shared as it was when they throw. NanGuardMode: FAST_RUN, where the first NaN,
/// Inf or |x| > 1e10 is an Error that names the op that made it. DebugMode: FAST_RUN, where each call is
/// compared with the graph as it was written, each rule's two sides with each other, and each op with what it
/// declares of views and memory; a difference is a Bug.
enum class Mode { FAST_RUN, FAST_COMPILE, NanGuardMode, DebugMode };

/// The mode of functions that name none: FAST_RUN, unless set.
Mode default_mode();
void set_default_mode(Mode mode);
std::string to_string(Mode mode);
/// The mode of this name. Throws Error if there is none.
Mode mode_from(std::string_view name);

/// Whether functions that do not say are profiled: no, unless set.
bool default_profile();
void set_default_profile(bool profile);

struct FunctionArgs {
  Inputs inputs = {};
  Outputs outputs = {};
  Updates updates = {};
  Givens givens = {};
  std::string name = {};
  OnUnusedInput on_unused_input = OnUnusedInput::raise;
  Mode mode = default_mode();
  std::vector<std::string> exclude = {};  ///< names of rules not to apply
  bool profile = default_profile();       ///< whether each step is timed, for profile(Function)
  bool trace = false;                     ///< whether to print what was rewritten to standard error
};

/// What a call returns: converts to a Tensor or a number if there is one output, else indexes and binds:
/// `const auto [cost, error] = f(x).bind<2>();`
class Values {
 public:
  Values() = default;
  explicit Values(Tensor tensor) : one_(std::move(tensor)), size_(1) {}
  explicit Values(std::vector<Tensor> tensors) : many_(std::move(tensors)), size_(many_.size()) {}

  std::size_t size() const { return size_; }
  const Tensor& operator[](std::size_t i) const;  ///< throws Error if there is no output i
  operator Tensor() const { return only(); }      ///< throws Error unless there is exactly one output
  operator double() const { return only().item<double>(); }
  template <class T = double>
  T item() const {
    return only().template item<T>();
  }
  /// All outputs. Throws Error unless there are exactly n.
  template <std::size_t n>
  std::array<Tensor, n> bind() const {
    check_size(n);
    std::array<Tensor, n> all;
    std::copy(begin(), end(), all.begin());
    return all;
  }
  const Tensor* begin() const { return many_.empty() ? &one_ : many_.data(); }
  const Tensor* end() const { return begin() + size_; }

 private:
  const Tensor& only() const;
  void check_size(std::size_t n) const;
  Tensor one_;  ///< the only output, which costs no allocation
  std::vector<Tensor> many_;
  std::size_t size_ = 0;
};

/// The tensors, one after the other.
std::ostream& operator<<(std::ostream& out, const Values& values);

struct Keyword {
  std::string_view name;
  Tensor value;
};

struct CopyArgs {
  std::vector<std::pair<Shared, Shared>> swap = {};  ///< a variable, and the one to stand in its place
  bool delete_updates = false;                       ///< leave all variables, random states too, as they are
  std::string name = {};                             ///< the same, if empty
};

class Frame;

/// A compiled function. A handle: copies share the memory it runs in, `copy()` does not; one call at a time.
class Function {
 public:
  Function() = default;

  /// All inputs in order; those with a default may be left out at the end.
  template <class... A>
  Values operator()(const A&... args) const {
    const Tensor values[] = {Tensor(args)..., Tensor()};
    return call(values, sizeof...(A));
  }
  /// Inputs by name.
  Values operator()(std::initializer_list<Keyword> args) const;
  Values call(const Tensor* values, std::size_t n) const;

  /// A function with the same shared variables, and memory of its own: for another thread. Nothing is
  /// rewritten again, and without arguments nothing is planned again either. With `.swap`, other variables of
  /// the same type are read, and updated, instead. Throws Error if the types differ, a variable is swapped
  /// twice, is not used by the function, or would be updated twice.
  Function copy(const CopyArgs& args = {}) const;

  /// Whether the handle is not empty. All that asks an empty one for something throws Error.
  bool is_set() const { return frame_ != nullptr; }
  const std::string& name() const;
  /// The graph that runs, after all rewriting: outputs, then new values of updated variables.
  const Vars& outputs() const;
  const std::vector<Shared>& updated() const;
  const Trace& trace() const;  ///< what was rewritten
  /// The memory it runs in, for people: the arena, each buffer with what it holds at which steps, and what is
  /// a view or written over something else. Sizes are those of the last call.
  std::string memory() const;
  Frame& frame() const;

 private:
  friend Function compile(const FunctionArgs& args, const Rewrites& rewrites, Where at);
  std::shared_ptr<Frame> frame_;
};

Function compile(const FunctionArgs& args, const Rewrites& rewrites, Where at);

/// Compiles a function of `inputs` that returns `outputs` and then gives shared variables their `updates`,
/// with `givens` put in the place of other nodes first. Throws Error on an unknown or unused input, one given
/// twice, an update that would change a variable's dtype, rank or sizes, a given of an incompatible type.
inline Function function(FunctionArgs args, Here at = {}) { return compile(args, default_rewrites(), at); }

}  // namespace damo
