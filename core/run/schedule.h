#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "../graph/op.h"
#include "branches.h"
#include "function.h"

/// What a function runs: steps over arrays, made once from the graph; it never walks nodes. A Schedule is
/// what was decided when the function was built, and never changes: copies share it. A Frame (frame.h) is the
/// memory of one call.
namespace damo {

/// A graph ready to run: what compile() hands to the schedule.
struct Program {
  std::string name;
  Where where;
  std::vector<In> inputs;
  Vars outputs;                 ///< the function's outputs, then the new value of each variable
  std::size_t n_outputs = 0;    ///< how many of them are returned
  std::vector<Shared> updated;  ///< one per further output
  Vars checked;                 ///< not computed, but their sizes are inferred, for what their ops check
  Trace trace;
  Mode mode = Mode::FAST_RUN;
  bool profile = false;
  bool registers_profile = false;  ///< for profiles()
  /// Whether a step may write over what dies with it, and the variables are updated in place.
  bool overwrites = true;
  /// Run within a call of another function of the same variables, which holds them.
  bool is_inner = false;
  /// In DebugMode: the graph as it was written, but for what only rules make finite or exact; its outputs are
  /// those of this one.
  std::shared_ptr<const Program> reference = {};
  /// In DebugMode: the two sides of each rule that fired.
  std::shared_ptr<const Program> sides = {};
  struct Fired {
    std::string rule;
    Var before, after;
    Where where;
    Rule::Kind kind = Rule::Kind::exact;
  };
  std::vector<Fired> fired = {};
};

/// One array.
struct Slot {
  enum class Kind {
    input,      ///< the caller's memory
    constant,   ///< the graph's
    shared,     ///< a shared variable's
    integer,    ///< an integer scalar that is computed before the kernels run
    arena,      ///< memory of the frame, reused by liveness
    view,       ///< part of another slot's memory
    overwrite,  ///< all of another slot's memory, whose old value nobody needs any more
    output,     ///< memory that is handed to the caller
  };
  Kind kind = Kind::arena;
  Var var;
  Type type;       ///< what was known when the function was built
  int base = -1;   ///< of a view or an overwrite: the slot it lies in
  int root = -1;   ///< the slot that owns the memory
  int branch = 0;  ///< where it is needed

  bool is_integer_scalar() const { return type.ndim() == 0 && !type.is_float(); }
  /// An integer scalar whose value is known before any kernel of its segment runs.
  bool is_known_early() const {
    return is_integer_scalar() &&
           (kind == Kind::integer || kind == Kind::input || kind == Kind::constant || kind == Kind::shared);
  }
};

/// One kernel call.
struct Step {
  NodePtr node;
  const Op* op = nullptr;
  OpPtr checks;                ///< that op, if the step only checks what another step of the node may throw
  std::vector<int> x, y;       ///< slots
  std::vector<int> allocates;  ///< arena slots that begin to live here
  std::vector<int> releases;   ///< arena slots that nobody reads after this step
  int branch = 0;              ///< where it runs
  int overwritten = -1;        ///< which output lies in a variable's memory
  int number = -1;             ///< among all steps
  int first_view = -1;         ///< where a frame keeps its views
  int body = -1;               ///< which of the schedule's Bodies it runs
};

/// An integer is computed early from at most so many others.
inline constexpr std::size_t most_integers = 8;

/// What is done before the kernels run: integers computed, shapes inferred, views placed.
struct SizeItem {
  enum class Kind { integer, read, infer, view };
  Kind kind = Kind::infer;
  NodePtr node;
  std::vector<int> x, y;
  int branch = 0;       ///< where it is done
  int number = -1;      ///< among all items
  int first_view = -1;  ///< where a frame keeps its views
};

/// Steps whose sizes are known before the first of them runs.
struct Segment {
  std::vector<SizeItem> items;
  std::vector<SizeItem> moving;  ///< views of memory whose place is known only after the sizes
  std::vector<Step> steps;
  std::vector<std::size_t> outputs;  ///< the function's outputs that are computed here
};

struct Schedule {
  struct Input {
    int slot = -1;  ///< -1: not used
    Type type;
    std::string name;
    Tensor default_value;
  };
  struct Commit {
    std::size_t updated;  ///< which variable
    int slot;             ///< its new value
    bool in_place;        ///< the kernel has written it already
  };
  /// A variable that a call reads, or writes.
  struct Use {
    Shared variable;
    bool writes;
  };

  std::shared_ptr<const Program> program;
  std::vector<Input> inputs;
  std::vector<Slot> slots;
  std::vector<Segment> segments;
  std::vector<int> shared_slots;
  std::vector<int> scalar_slots;  ///< leaves that are integer scalars
  std::vector<int> output_slots;
  std::vector<Commit> commits;
  std::vector<Use> uses;
  std::size_t first_write = 0;  ///< the first step of the last segment that may write a variable
  Branches branches;            ///< the conditions are slots
  std::vector<std::shared_ptr<const Schedule>> bodies;  ///< of steps that run one
  int n_steps = 0, n_items = 0, n_views = 0;

  const Slot& operator[](int slot) const { return slots[static_cast<std::size_t>(slot)]; }
};

std::shared_ptr<const Schedule> make_schedule(std::shared_ptr<const Program> program);

}  // namespace damo
