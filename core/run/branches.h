#pragma once
#include <map>
#include <tuple>
#include <vector>

/// Where something is needed, in a graph of which not everything runs (Op::needed_if).
namespace damo {

/// A tree of branches. 0 is what always runs; any other runs if its parent does, and if a condition is not 0
/// (`side`) or is 0. Parents have smaller numbers than their children.
class Branches {
 public:
  struct Branch {
    int parent = 0;
    int condition = -1;
    bool side = false;
    int depth = 0;
    int jump = 0;  ///< an ancestor further up
  };
  static constexpr int nowhere = -1;

  int size() const { return static_cast<int>(all_.size()); }
  const Branch& operator[](int i) const { return all_[static_cast<std::size_t>(i)]; }
  /// That branch of `parent`; the same one each time.
  int child(int parent, int condition, bool side);
  /// The same, if there is one, else nowhere.
  int find(int parent, int condition, bool side) const;
  /// The smallest branch that runs whenever one of the two does.
  int common(int a, int b) const;

 private:
  std::vector<Branch> all_{1};
  std::map<std::tuple<int, int, bool>, int> number_;
};

}  // namespace damo
