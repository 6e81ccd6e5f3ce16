#pragma once
#include <cstdint>
#include <map>
#include <set>
#include <utility>

#include "../tensor/size.h"

namespace damo {

/// Offsets for buffers that come and go: best fit among the gaps, else at the end.
class Layout {
 public:
  std::int64_t allocate(std::int64_t bytes) {
    const auto gap = gaps_by_size_.lower_bound({bytes, 0});
    if (gap == gaps_by_size_.end()) {
      const std::int64_t at = end_;
      end_ = plus(end_, bytes);
      return at;
    }
    const auto [size, at] = *gap;
    remove(at, size);
    if (size > bytes) add(at + bytes, size - bytes);
    return at;
  }

  void release(std::int64_t at, std::int64_t bytes) {
    auto next = gaps_.lower_bound(at);
    if (next != gaps_.end() && next->first == at + bytes) {
      bytes += next->second;
      remove(next->first, next->second);
    }
    auto before = gaps_.lower_bound(at);
    if (before != gaps_.begin() && (--before)->first + before->second == at) {
      const auto [start, size] = *before;
      remove(start, size);
      at = start;
      bytes += size;
    }
    add(at, bytes);
  }

  std::int64_t end() const { return end_; }

 private:
  void add(std::int64_t at, std::int64_t size) {
    gaps_.emplace(at, size);
    gaps_by_size_.emplace(size, at);
  }
  void remove(std::int64_t at, std::int64_t size) {
    gaps_.erase(at);
    gaps_by_size_.erase({size, at});
  }

  std::map<std::int64_t, std::int64_t> gaps_;
  std::set<std::pair<std::int64_t, std::int64_t>> gaps_by_size_;
  std::int64_t end_ = 0;
};

}  // namespace damo
