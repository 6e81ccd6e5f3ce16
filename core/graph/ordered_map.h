#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <utility>
#include <vector>

namespace damo {

/// A map whose entries stand in the order in which they came, each at its place for good. Passes over graphs
/// put in an entry per node, and drop all of them at once: one allocation serves many.
template <class Key, class T, class Hash, class Same>
class OrderedMap {
 public:
  using Entry = std::pair<const Key, T>;

  template <class Map>
  class Iterator {
   public:
    Iterator(Map* map, std::size_t number) : map_(map), number_(number) {}
    auto& operator*() const { return map_->entry(number_); }
    auto* operator->() const { return &map_->entry(number_); }
    Iterator& operator++() {
      ++number_;
      return *this;
    }
    bool operator==(const Iterator&) const = default;

   private:
    Map* map_;
    std::size_t number_;
  };
  using iterator = Iterator<OrderedMap>;
  using const_iterator = Iterator<const OrderedMap>;

  OrderedMap() = default;
  OrderedMap(const OrderedMap& other) {
    for (const Entry& e : other) emplace(e.first, e.second);
  }
  OrderedMap(OrderedMap&& other) noexcept { swap(other); }
  OrderedMap& operator=(OrderedMap other) noexcept {
    swap(other);
    return *this;
  }
  ~OrderedMap() = default;

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  iterator begin() { return {this, 0}; }
  iterator end() { return {this, size_}; }
  const_iterator begin() const { return {this, 0}; }
  const_iterator end() const { return {this, size_}; }

  iterator find(const Key& key) { return {this, number_of(key)}; }
  const_iterator find(const Key& key) const { return {this, number_of(key)}; }
  bool contains(const Key& key) const { return number_of(key) < size_; }

  T& at(const Key& key) { return entry(existing(key)).second; }
  const T& at(const Key& key) const { return entry(existing(key)).second; }
  T& operator[](const Key& key) { return emplace(key).first->second; }

  /// The entry of the key, and whether it is new: if it was there, it stays what it is.
  template <class... Args>
  std::pair<iterator, bool> emplace(const Key& key, Args&&... args) {
    if (2 * (size_ + 1) > table_.size()) grow();
    const std::uint64_t hash = hash_of(key);
    const std::size_t at = place(hash, key);
    if (table_[at] != 0) return {{this, static_cast<std::uint32_t>(table_[at]) - 1}, false};
    const std::size_t chunk = chunk_of(size_);
    if (chunk == chunks_.size()) {
      chunks_.emplace_back();
      chunks_.back().reserve(first_chunk << chunk);
    }
    chunks_[chunk].emplace_back(key, T(std::forward<Args>(args)...));
    ++size_;
    table_[at] = hash << 32 | size_;
    return {{this, size_ - 1}, true};
  }
  std::pair<iterator, bool> insert_or_assign(const Key& key, T value) {
    const auto result = emplace(key);
    result.first->second = std::move(value);
    return result;
  }

 private:
  static constexpr std::size_t first_chunk = 4;  // each one is twice as long as the one before

  static std::size_t chunk_of(std::size_t number) {
    return static_cast<std::size_t>(std::bit_width(number / first_chunk + 1)) - 1;
  }
  Entry& entry(std::size_t number) {
    const std::size_t chunk = chunk_of(number);
    return chunks_[chunk][number - first_chunk * ((std::size_t{1} << chunk) - 1)];
  }
  const Entry& entry(std::size_t number) const { return const_cast<OrderedMap*>(this)->entry(number); }

  /// 32 bits, of which the first tell the place in the table (Fibonacci hashing: Knuth, section 6.4).
  static std::uint64_t hash_of(const Key& key) { return Hash()(key) * 0x9E3779B97F4A7C15U >> 32; }

  /// The key's place in the table, or the free one in which it belongs.
  std::size_t place(std::uint64_t hash, const Key& key) const {
    std::size_t at = first_place(hash);
    while (table_[at] != 0 && (table_[at] >> 32 != hash ||
                               !Same()(entry(static_cast<std::uint32_t>(table_[at]) - 1).first, key)))
      at = (at + 1) % table_.size();
    return at;
  }
  std::size_t first_place(std::uint64_t hash) const { return hash * table_.size() >> 32; }

  std::size_t number_of(const Key& key) const {
    if (size_ == 0) return 0;
    const std::uint64_t found = table_[place(hash_of(key), key)];
    return found == 0 ? size_ : static_cast<std::uint32_t>(found) - 1;
  }
  std::size_t existing(const Key& key) const {
    const std::size_t number = number_of(key);
    if (number == size_) throw std::out_of_range("OrderedMap::at: no such key");
    return number;
  }

  void grow() {
    std::vector<std::uint64_t> before(table_.empty() ? 2 * first_chunk : 2 * table_.size());
    before.swap(table_);
    for (const std::uint64_t one : before) {
      if (one == 0) continue;
      std::size_t at = first_place(one >> 32);
      while (table_[at] != 0) at = (at + 1) % table_.size();
      table_[at] = one;
    }
  }

  void swap(OrderedMap& other) noexcept {
    chunks_.swap(other.chunks_);
    table_.swap(other.table_);
    std::swap(size_, other.size_);
  }

  std::vector<std::vector<Entry>> chunks_;
  std::vector<std::uint64_t> table_;  ///< the hash, and the number of the entry from 1 on; 0 where nothing is
  std::size_t size_ = 0;
};

}  // namespace damo
