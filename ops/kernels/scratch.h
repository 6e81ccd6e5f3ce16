#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

namespace damo {

/// Bytes of a cache line: loads that cross lines take twice as long, and threads that write to one wait for
/// each other.
inline constexpr std::int64_t cache_line = 64;

/// n elements, and what is missing to whole cache lines.
template <class T>
constexpr std::int64_t whole_lines(std::int64_t n) {
  constexpr std::int64_t elements = cache_line / static_cast<std::int64_t>(sizeof(T));
  return (n + elements - 1) / elements * elements;
}

/// Memory for numbers that a kernel keeps from call to call, from the begin of a cache line on; it grows, and
/// forgets what it held.
template <class T>
class Scratch {
 public:
  T* sized(std::int64_t n) {
    if (n > size_) {
      // The old memory stays until there is more: a call that has got through once must not fail for want of
      // it.
      memory_.reset(static_cast<T*>(::operator new(static_cast<std::size_t>(n) * sizeof(T), alignment)));
      size_ = n;
    }
    return memory_.get();
  }

 private:
  static constexpr std::align_val_t alignment{static_cast<std::size_t>(cache_line)};
  struct Release {
    void operator()(T* p) const { ::operator delete(p, alignment); }
  };
  std::unique_ptr<T, Release> memory_;
  std::int64_t size_ = 0;
};

}  // namespace damo
