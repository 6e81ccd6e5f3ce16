#pragma once
#ifdef __AVX512F__
#include <immintrin.h>
#endif

#include <cstdint>
#include <cstring>
#include <type_traits>

/// Packets of 64 bytes, for kernels over rows that may end anywhere. Only for files that are compiled with
/// fused multiply-add.
namespace damo {

template <class T>
struct PacketOf;
template <>
struct PacketOf<float> {
  using type = float __attribute__((vector_size(64)));
  using half = float __attribute__((vector_size(32)));
  using quarter = float __attribute__((vector_size(16)));
};
template <>
struct PacketOf<double> {
  using type = double __attribute__((vector_size(64)));
  using half = double __attribute__((vector_size(32)));
  using quarter = double __attribute__((vector_size(16)));
};

template <class T>
using Packet = typename PacketOf<T>::type;
template <class T>
constexpr std::int64_t lanes = 64 / sizeof(T);

template <class T>
Packet<T> load(const T* p) {
  Packet<T> v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
template <class T>
void store(T* p, const Packet<T>& v) {
  std::memcpy(p, &v, sizeof v);
}

/// The first n lanes, the others 0.
template <class T>
Packet<T> load_some(const T* p, std::int64_t n) {
#ifdef __AVX512F__
  const unsigned mask = (1U << n) - 1U;
  if constexpr (std::is_same_v<T, float>)
    return _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask), p);
  else
    return _mm512_maskz_loadu_pd(static_cast<__mmask8>(mask), p);
#else
  Packet<T> v{};
  for (std::int64_t i = 0; i < n; ++i) v[i] = p[i];
  return v;
#endif
}
template <class T>
void store_some(T* p, const Packet<T>& v, std::int64_t n) {
#ifdef __AVX512F__
  const unsigned mask = (1U << n) - 1U;
  if constexpr (std::is_same_v<T, float>)
    _mm512_mask_storeu_ps(p, static_cast<__mmask16>(mask), v);
  else
    _mm512_mask_storeu_pd(p, static_cast<__mmask8>(mask), v);
#else
  for (std::int64_t i = 0; i < n; ++i) p[i] = v[i];
#endif
}

/// f(load, store, j) for each packet of a row from `from` on, the last of which may be a part: `load(p)` and
/// `store(p, v)` leave out what lies beyond.
template <class T, class F>
void for_packets(std::int64_t from, std::int64_t cols, F f) {
  std::int64_t j = from;
  for (; j + lanes<T> <= cols; j += lanes<T>)
    f([](const T* p) { return load(p); }, [](T* p, const Packet<T>& v) { store(p, v); }, j);
  if (const std::int64_t n = cols - j; n > 0)
    f([n](const T* p) { return load_some(p, n); }, [n](T* p, const Packet<T>& v) { store_some(p, v, n); }, j);
}

/// The sum of all lanes, by halves.
template <class T>
T total(const Packet<T>& v) {
  using Half = typename PacketOf<T>::half;
  using Quarter = typename PacketOf<T>::quarter;
  Half halves[2];
  std::memcpy(halves, &v, sizeof v);
  const Half half = halves[0] + halves[1];
  Quarter quarters[2];
  std::memcpy(quarters, &half, sizeof half);
  const Quarter q = quarters[0] + quarters[1];
  if constexpr (sizeof(T) == 8)
    return q[0] + q[1];
  else
    return (q[0] + q[2]) + (q[1] + q[3]);
}

}  // namespace damo
