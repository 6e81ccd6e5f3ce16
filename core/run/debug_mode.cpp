#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <unordered_map>

#include "core/graph/print.h"
#include "core/run/quiet.h"
#include "core/run/watch.h"
#include "core/tensor/bytes.h"
#include "core/tensor/size.h"

/// DebugMode. Two results are the same if they differ by at most 1e-3 (float32) or 1e-7 (float64) of the
/// largest finite element; integers must be equal. The first side of a rule that makes something finite is
/// inexact just before it overflows, and where it is small beside numbers on the way, as log(1 + x) beside 1:
/// the sides may differ by a hundred times as much, and by as much as results around 1.
namespace damo {
namespace {

double tolerance(DType dtype) { return dtype == DType::float32 ? 1e-3 : 1e-7; }

Tensor copied(const View& v) {
  Tensor t = Tensor::empty(v.shape, v.dtype);
  copy_into(t.view(), v);
  return t;
}

/// Where two results differ: "1 became 2 at (0, 3)", or "". An inexact one is that of a rule's first side.
std::string difference(const View& expected, const View& found, bool is_inexact = false) {
  if (!(expected.shape == found.shape)) return fmt::format("shape {} became {}", expected.shape, found.shape);
  const Tensor e = copied(expected), f = copied(found);
  const auto message = [&](std::size_t i, auto a, auto b) {
    const std::string place = index_text(e.shape(), static_cast<std::int64_t>(i));
    return fmt::format("{} became {}{}{}", a, b, place.empty() ? "" : " at ", place);
  };
  if (!is_float(e.dtype())) {
    const auto a = e.to_vector<std::int64_t>(), b = f.to_vector<std::int64_t>();
    for (std::size_t i = 0; i < a.size(); ++i)
      if (a[i] != b[i]) return message(i, a[i], b[i]);
    return {};
  }
  const auto a = e.to_vector<double>(), b = f.to_vector<double>();
  double largest = 0;
  for (const double v : a)
    if (std::isfinite(v)) largest = std::max(largest, std::abs(v));
  constexpr double inexact = 100;
  if (is_inexact) largest = std::max(inexact * largest, 1.);
  const double most = tolerance(e.dtype()) * largest + std::numeric_limits<float>::min();
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(a[i]) || (std::isinf(a[i]) && (std::isfinite(b[i]) || a[i] == b[i]))) continue;
    if (!(std::abs(a[i] - b[i]) <= most))
      return message(i, fmt::format("{:.9g}", a[i]), fmt::format("{:.9g}", b[i]));
  }
  return {};
}

/// Whether all of `part` lies in `whole`.
bool lies_in(const View& part, const View& whole) {
  if (part.size() == 0) return true;
  if (whole.size() == 0) return false;
  const auto [a, b] = extent(part);
  const auto [c, d] = extent(whole);
  return c <= a && b <= d;
}

class DebugChecks : public Watch {
 public:
  explicit DebugChecks(const Program& program)
      : reference_(program.reference ? std::make_unique<Frame>(make_schedule(program.reference)) : nullptr),
        sides_(program.sides ? std::make_unique<Frame>(make_schedule(program.sides)) : nullptr) {}

  void begin(const Frame& frame, const std::vector<Tensor>& inputs) override {
    if (reference_ != nullptr) {
      const Quiet quiet;
      expected_ = reference_->call(inputs.data(), inputs.size());
      if (!frame.program().fired.empty()) check_rules(frame.program(), inputs);
    }
    live_.clear();
    leaves_.clear();
    views_.clear();
    for (const Segment& segment : frame.schedule().segments)
      for (const SizeItem& item : segment.items)
        if (item.kind == SizeItem::Kind::view) views_.emplace(item.y[0], &item);
    for (int i = 0; i < static_cast<int>(frame.schedule().slots.size()); ++i)
      if (is_leaf(frame, i)) leaves_.emplace_back(i, checksum(copied(frame[i].view)));
  }

  void before(const Frame& frame, const Step& step) override {
    before_.clear();
    std::set<int> watched = live_;
    for (std::size_t k = 0; k < step.x.size(); ++k) {
      if (!step.op->reads(static_cast<int>(k)) || !frame.has(step.x[k])) continue;
      check_view(frame, step.x[k]);
      watched.insert(step.x[k]);
    }
    for (const int y : step.y) watched.erase(y);
    for (const int i : watched) before_.emplace_back(i, checksum(copied(frame[i].view)));
  }

  void after(const Frame& frame, const Step& step) override {
    for (const auto& [i, sum] : before_) {
      if (checksum(copied(frame[i].view)) == sum) continue;
      const bool own = std::find(step.x.begin(), step.x.end(), i) != step.x.end();
      blame(frame, step,
            fmt::format("it changed {}{}, which it does not write", own ? "its input " : "",
                        label(slot(frame, i).var)));
    }
    for (const int y : step.y) live_.insert(y);
    for (const int i : step.releases) live_.erase(i);
    for (int o = 0; o < static_cast<int>(step.y.size()); ++o)
      for (int k = 0; k < static_cast<int>(step.x.size()); ++k)
        if (step.op->overwrites(o, k)) check_overwrite(frame, step, o, k);
  }

  void skipped(const Frame&, const Step& step) override {
    for (const int i : step.releases) live_.erase(i);
  }

  void end(const Frame& frame) override {
    for (const auto& [i, sum] : leaves_)
      invariant(checksum(copied(frame[i].view)) == sum, "function \"{}\" changed {}, which it does not write",
                frame.program().name, label(slot(frame, i).var));
    if (reference_ == nullptr) return;
    const Program& program = frame.program();
    for (std::size_t i = 0; i < program.outputs.size(); ++i) {
      const std::string d = difference(expected_[i].view(), frame.root(i));
      if (d.empty()) continue;
      const std::string what = i < program.n_outputs
                                   ? fmt::format("output {}", i)
                                   : "the new value of " + label(program.updated[i - program.n_outputs]);
      throw Bug(fmt::format("rewriting changed {}: {}\n  {}, in function \"{}\"", what, d,
                            to_string(program.outputs[i].node().where), program.name));
    }
    expected_ = Values();
  }

 private:
  static const Slot& slot(const Frame& frame, int i) { return frame.schedule()[i]; }

  static bool is_leaf(const Frame& frame, int i) {
    const Slot& s = slot(frame, i);
    return frame[i].view.data != nullptr &&
           (s.kind == Slot::Kind::input || s.kind == Slot::Kind::constant || s.kind == Slot::Kind::shared);
  }

  [[noreturn]] static void blame(const Frame& frame, const Step& step, const std::string& reason) {
    throw Bug(explain(step.op->name(), step.node->inputs, types_of(frame, step.x), step.node->where, reason,
                      frame.program().name));
  }

  /// Both sides of each rule that fired.
  void check_rules(const Program& program, const std::vector<Tensor>& inputs) const {
    Values both;
    try {
      both = sides_->call(inputs.data(), inputs.size());
    } catch (const Error&) {
      return;  // of a branch that this call does not take: else the graph as it was written has failed, too
    }
    for (std::size_t i = 0; i < program.fired.size(); ++i) {
      const Program::Fired& f = program.fired[i];
      const std::string d =
          difference(both[2 * i].view(), both[2 * i + 1].view(), f.kind == Rule::Kind::finite);
      if (d.empty()) continue;
      throw Bug(fmt::format("rule {}: {}\n  {} -> {}\n  {}{}in function \"{}\"", f.rule, d, pp(f.before),
                            pp(f.after), to_string(f.where), f.where.is_set() ? ", " : "", program.name));
    }
  }

  /// A declared view must lie in its base and be what infer says.
  void check_view(const Frame& frame, int i) const {
    for (; slot(frame, i).kind == Slot::Kind::view; i = slot(frame, i).base) {
      const SizeItem& item = *views_.at(i);
      const Op& op = *item.node->op;
      const View &y = frame[i].view, &base = frame[slot(frame, i).base].view;
      const Types x = types_of(frame, item.x);
      const auto reject = [&](const std::string& reason) {
        throw Bug(explain(op.name(), item.node->inputs, x, item.node->where, reason, frame.program().name));
      };
      if (!lies_in(y, base))
        reject(fmt::format("it says that its output is a view of input {}, but the view reaches outside",
                           op.view_of()));
      const Type inferred = op.infer(x)[0];
      if (inferred.dtype != y.dtype || !(inferred.shape == y.shape))
        reject(fmt::format("its view is {}, but infer says {}", Type(y.dtype, y.shape),
                           Type(inferred.dtype, inferred.shape)));
    }
  }

  /// Writing the output over the input must give what writing beside it gave.
  static void check_overwrite(const Frame& frame, const Step& step, int output, int input) {
    const View& x = frame.x(step)[input];
    const View& y = frame.y(step)[output];
    if (x.dtype != y.dtype || !(x.shape == y.shape) || y.size() == 0) return;
    const Quiet quiet;
    std::vector<Tensor> xs, ys;
    for (const int i : step.x) xs.push_back(copied(frame[i].view));
    for (const int i : step.y) ys.push_back(copied(frame[i].view));
    ys[static_cast<std::size_t>(output)] = xs[static_cast<std::size_t>(input)];
    std::vector<View> views;
    for (const auto* tensors : {&xs, &ys})
      for (const Tensor& t : *tensors) views.push_back(t.view());
    std::vector<View*> pointers;
    for (View& v : views) pointers.push_back(&v);
    step.op->perform(Views(pointers.data(), static_cast<int>(xs.size())),
                     Views(pointers.data() + xs.size(), static_cast<int>(ys.size())));
    for (std::size_t o = 0; o < ys.size(); ++o) {
      const std::string d = difference(frame.y(step)[static_cast<int>(o)], ys[o].view());
      if (!d.empty())
        blame(
            frame, step,
            fmt::format("it says that output {} may be written over input {}, but then output {} differs: {}",
                        output, input, o, d));
    }
  }

  std::unique_ptr<Frame> reference_;  ///< null: this frame is one
  std::unique_ptr<Frame> sides_;
  Values expected_;
  std::unordered_map<int, const SizeItem*> views_;  ///< by slot
  std::set<int> live_;  ///< arrays that steps have written and somebody still reads
  std::vector<std::pair<int, std::uint64_t>> leaves_, before_;
};

}  // namespace

std::unique_ptr<Watch> debug_checks(const Program& program) { return std::make_unique<DebugChecks>(program); }

}  // namespace damo
