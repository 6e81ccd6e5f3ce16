#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/branches.h"
#include "core/function.h"
#include "core/op.h"

/// What a function runs: steps over arrays in one arena, made once from the graph; it never walks nodes.
namespace damo {

/// A graph ready to run: what compile() hands to the plan.
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

/// One array of a plan.
struct Slot {
  enum class Kind {
    input,      ///< the caller's memory
    constant,   ///< the graph's
    shared,     ///< a shared variable's
    integer,    ///< `value` itself
    arena,      ///< memory of the plan, reused by liveness
    view,       ///< part of another slot's memory
    overwrite,  ///< all of another slot's memory, whose old value nobody needs any more
    output,     ///< memory that is handed to the caller
  };
  Kind kind = Kind::arena;
  Var var;
  Type type;  ///< what was known when the function was built
  View view;  ///< this call's array
  std::int64_t value = 0;
  bool has_value = false;    ///< an integer scalar whose value is known before the kernels run
  bool changed = true;       ///< its sizes, or its value as a size, differ from the last call's
  int base = -1;             ///< of a view or an overwrite: the slot it lies in
  int root = -1;             ///< the slot that owns the memory
  int branch = 0;            ///< where it is needed
  std::int64_t offset = -1;  ///< in its segment's arena
};

/// The only element of an array of integers.
std::int64_t read_integer(const View& v);

/// One kernel call.
struct Step {
  NodePtr node;
  const Op* op = nullptr;
  OpPtr checks;                ///< that op, if the step only checks what another step of the node may throw
  std::vector<int> x, y;       ///< slots
  std::vector<View*> xv, yv;   ///< their views
  std::vector<int> allocates;  ///< arena slots that begin to live here
  std::vector<int> releases;   ///< arena slots that nobody reads after this step
  int branch = 0;              ///< where it runs
  int overwritten = -1;        ///< which output lies in a variable's memory
  bool is_idle = false;        ///< there is nothing to compute: its results have no elements
};

/// What is done before the kernels run: integers computed, shapes inferred, views placed.
struct SizeItem {
  enum class Kind { integer, read, infer, view };
  Kind kind = Kind::infer;
  NodePtr node;
  std::vector<int> x, y;
  std::vector<View*> xv;
  int branch = 0;       ///< where it is done
  bool missed = false;  ///< it was not done when it was met last
};

/// Steps whose sizes are known before the first of them runs.
struct Segment {
  std::vector<SizeItem> items;
  std::vector<SizeItem> moving;  ///< views of memory whose place is known only after the sizes
  std::vector<Step> steps;
  std::vector<std::size_t> outputs;  ///< the function's outputs that are computed here
  std::shared_ptr<void> arena;
  std::int64_t arena_bytes = 0;
  std::int64_t used_bytes = 0;
};

class Watch;
struct Profile;

class Plan {
 public:
  explicit Plan(std::shared_ptr<const Program> program);
  ~Plan();
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;

  Values call(const Tensor* values, std::size_t n);
  Values call(std::initializer_list<Keyword> args);

  const Program& program() const { return *program_; }
  std::shared_ptr<const Program> share_program() const { return program_; }
  const std::vector<Slot>& slots() const { return slots_; }
  const std::vector<Segment>& segments() const { return segments_; }
  /// Bytes of all arenas after the last call.
  std::int64_t arena_bytes() const;
  /// The array of program().outputs[i] in this call.
  const View& root(std::size_t i) const;
  /// Whether this call runs that branch, whose conditions have been computed.
  bool runs(int branch) const { return branch == 0 || takes(branch); }
  /// Whether this call computes what is in the slot, for a step that reads it.
  bool has(int slot) const { return runs(slots_[static_cast<std::size_t>(slot)].branch); }
  const Profile* profile() const { return profile_.get(); }  ///< null if it is not measured

 private:
  friend class PlanSlots;
  friend class PlanBuilder;
  class Running;
  static constexpr int enough_calls = 2;

  struct BoundInput {
    int slot = -1;  ///< -1: not used
    Type type;
    std::string name;
    Tensor default_value;
    const Tensor* given = nullptr;  ///< by keyword, in this call
    Tensor value;                   ///< as the caller gave it, for those who look on
    Tensor held;                    ///< keeps the caller's array alive during the call
    std::int64_t scalar = 0;        ///< a 0-d value, converted
  };
  struct Commit {
    std::size_t updated;  ///< which variable
    int slot;             ///< its new value
    bool in_place;        ///< the kernel has written it already
    Tensor memory = {};   ///< in this call, if its sizes are new
  };
  /// A variable that a call reads, or writes.
  struct Use {
    Shared variable;
    bool writes;
  };
  /// Where a call has got through: there its kernels have the memory that they need.
  struct Known {
    std::uint64_t thread = 0, epoch = 0;
    /// A hash of what is used once a variable may be written, and how often a call has got through.
    std::vector<std::pair<std::uint64_t, int>> arrays;
  };
  /// While a call may still run out of memory: its parts are shared so that each thread gets what it needs.
  struct Sharing {
    explicit Sharing(int calls_before);
    ~Sharing();
  };
  /// The variables that are written in place, as they are now: they become so again unless all goes well.
  class Undo {
   public:
    explicit Undo(const Plan& plan);
    ~Undo();
    Undo(const Undo&) = delete;
    Undo& operator=(const Undo&) = delete;

    bool done = false;

   private:
    std::vector<std::pair<Cell*, Tensor>> saved_;
  };

  Values run();
  void find_uses();
  void hold_variables();
  void let_go(std::size_t n_uses) const;
  void abandon();
  int calls_before();
  std::vector<std::pair<std::uint64_t, int>>::iterator find_arrays();
  void remember();
  void watch();
  bool takes(int branch) const;
  void perform(const Step& step) const;
  void bind(BoundInput& input, const Tensor& value);
  void begin();
  void resolve(Segment& segment);
  void infer(const SizeItem& item);
  void place_view(const SizeItem& item);
  void lay_out(Segment& segment);
  void take_output_buffers(const Segment& segment);
  void prepare_updates();
  void write_back();
  Tensor memory_for(int slot, const Sizes& shape, DType dtype) const;
  [[noreturn]] void blame(const Node& node, const std::vector<int>& x, const std::string& reason) const;

  std::shared_ptr<const Program> program_;
  std::vector<BoundInput> inputs_;
  std::vector<Slot> slots_;
  std::vector<Segment> segments_;
  std::vector<int> shared_slots_;
  std::vector<int> scalar_slots_;  ///< leaves that are integer scalars
  std::vector<int> output_slots_;
  std::vector<std::vector<Tensor>> output_pools_;
  std::vector<Commit> commits_;
  std::vector<Use> uses_;
  std::size_t first_write_ = 0;  ///< the first step of the last segment that may write a variable
  Known known_;
  std::uint64_t arrays_ = 0;  ///< in this call
  Branches branches_;         ///< the conditions are slots
  enum class Taken : std::uint8_t { unknown, no, yes };
  mutable std::vector<Taken> taken_;  ///< by branch, in this call
  mutable std::vector<int> path_;
  std::vector<Tensor> outputs_;  ///< of the running call
  std::vector<std::unique_ptr<Watch>> watches_;
  std::shared_ptr<Profile> profile_;
  bool stale_ = true;          ///< the last call did not get through resolving: trust no size
  bool sizes_changed_ = true;  ///< in this call
  std::atomic_flag busy_ = ATOMIC_FLAG_INIT;
};

}  // namespace damo
