#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "schedule.h"

namespace damo {

class Watch;
struct Profile;

/// The memory in which a schedule runs, one call at a time.
class Frame : public BodyRunner {
 public:
  explicit Frame(std::shared_ptr<const Schedule> schedule);
  ~Frame() override;
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;

  Values call(const Tensor* values, std::size_t n);
  Values call(std::initializer_list<Keyword> args);
  std::span<View> inputs() override { return body_x_; }
  std::span<View> outputs() override { return body_y_; }
  void run_body() override;

  const Schedule& schedule() const { return *schedule_; }
  std::shared_ptr<const Schedule> share_schedule() const { return schedule_; }
  const Program& program() const { return *schedule_->program; }

  /// What a slot holds in this call.
  struct Array {
    View view;
    std::int64_t value = 0;
    bool has_value = false;    ///< an integer scalar whose value is known before the kernels run
    bool changed = true;       ///< its sizes, or its value as a size, differ from the last call's
    std::int64_t offset = -1;  ///< in its segment's arena
  };
  const Array& operator[](int slot) const { return arrays_[static_cast<std::size_t>(slot)]; }
  /// The arrays of a step.
  Views x(const Step& step) const { return views(step.first_view, step.x.size()); }
  Views y(const Step& step) const {
    return views(step.first_view + static_cast<int>(step.x.size()), step.y.size());
  }

  /// The memory of a segment.
  struct Arena {
    std::shared_ptr<void> memory;
    std::int64_t bytes = 0, used = 0;
  };
  const Arena& arena(std::size_t segment) const { return arenas_[segment]; }
  /// The frames of the steps that run a Body.
  const Frame& body(const Step& step) const { return *bodies_[static_cast<std::size_t>(step.body)]; }
  /// Bytes of all arenas, those of Bodies too, after the last call.
  std::int64_t arena_bytes() const;

  /// The array of program().outputs[i] in this call.
  const View& root(std::size_t i) const;
  /// Whether this call runs that branch, whose conditions have been computed.
  bool runs(int branch) const { return branch == 0 || takes(branch); }
  /// Whether this call computes what is in the slot, for a step that reads it.
  bool has(int slot) const { return runs((*schedule_)[slot].branch); }
  const Profile* profile() const { return profile_.get(); }  ///< null if it is not measured

 private:
  class Running;
  static constexpr int enough_calls = 2;

  struct Bound {
    const Tensor* given = nullptr;  ///< by keyword, in this call
    Tensor value;                   ///< as the caller gave it, for those who look on
    Tensor held;                    ///< keeps the caller's array alive during the call
    std::int64_t scalar = 0;        ///< a 0-d value, converted
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
    explicit Undo(const Schedule& schedule);
    ~Undo();
    Undo(const Undo&) = delete;
    Undo& operator=(const Undo&) = delete;

    bool done = false;

   private:
    std::vector<std::pair<Cell*, Tensor>> saved_;
  };

  Array& array(int slot) { return arrays_[static_cast<std::size_t>(slot)]; }
  Views views(int first, std::size_t n) const { return {views_.data() + first, static_cast<int>(n)}; }
  const Slot& slot(int i) const { return (*schedule_)[i]; }

  Values run();
  void run_steps();
  void hold_variables();
  void let_go(std::size_t n_uses) const;
  void abandon();
  int calls_before();
  std::vector<std::pair<std::uint64_t, int>>::iterator find_known();
  void remember();
  void watch();
  bool takes(int branch) const;
  void perform(const Step& step) const;
  void bind(std::size_t input, const Tensor& value);
  void begin();
  void resolve(std::size_t segment);
  void do_item(const SizeItem& item);
  void set_value(int slot, std::int64_t value);
  void infer(const SizeItem& item);
  void place_view(const SizeItem& item);
  void lay_out(std::size_t segment);
  void take_output_buffers(const Segment& segment);
  void prepare_updates();
  void write_back();
  Tensor memory_for(int slot, const Sizes& shape, DType dtype) const;
  [[noreturn]] void blame(const Node& node, const std::vector<int>& x, const std::string& reason) const;

  std::shared_ptr<const Schedule> schedule_;
  std::vector<Array> arrays_;       ///< by slot
  std::vector<View*> views_;        ///< of all items and steps
  std::vector<char> is_idle_;       ///< by step: there is nothing to compute, its results have no elements
  std::vector<char> missed_;        ///< by item: it was not done when it was met last
  std::vector<Arena> arenas_;       ///< by segment
  std::vector<Bound> inputs_;       ///< by input
  std::vector<Tensor> new_memory_;  ///< by commit: in this call, if its sizes are new
  std::vector<std::vector<Tensor>> output_pools_;
  std::vector<Tensor> outputs_;        ///< of the running call
  std::vector<View> body_x_, body_y_;  ///< of a Body
  std::vector<std::unique_ptr<Frame>> bodies_;
  Known known_;
  std::uint64_t used_ = 0;  ///< in this call
  enum class Taken : std::uint8_t { unknown, no, yes };
  mutable std::vector<Taken> taken_;  ///< by branch, in this call
  mutable std::vector<int> path_;
  std::vector<std::unique_ptr<Watch>> watches_;
  std::shared_ptr<Profile> profile_;
  bool stale_ = true;          ///< the last call did not get through resolving: trust no size
  bool sizes_changed_ = true;  ///< in this call
  std::atomic_flag busy_ = ATOMIC_FLAG_INIT;
};

}  // namespace damo
