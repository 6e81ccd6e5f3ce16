#pragma once
#if defined(__AVX__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

/// Packets as wide as the registers that the build may use, for kernels over rows that may end anywhere. A
/// wider type would be lowered to copies through memory.
namespace damo {

#if defined(__AVX512F__)
inline constexpr int packet_bytes = 64, packet_registers = 32;
#elif defined(__AVX__)
inline constexpr int packet_bytes = 32, packet_registers = 16;
#elif defined(__aarch64__)
inline constexpr int packet_bytes = 16, packet_registers = 32;
#else
inline constexpr int packet_bytes = 16, packet_registers = 16;
#endif

template <class T, int bytes>
struct PacketOf {
  typedef T type __attribute__((vector_size(bytes)));
};
template <class T>
using Packet = typename PacketOf<T, packet_bytes>::type;
template <class T>
constexpr std::int64_t lanes = packet_bytes / static_cast<int>(sizeof(T));

template <class T>
__attribute__((always_inline)) inline Packet<T> load(const T* p) {
  Packet<T> v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
template <class T>
__attribute__((always_inline)) inline void store(T* p, const Packet<T>& v) {
  std::memcpy(p, &v, sizeof v);
}

/// v, loaded once: a compiler may take it for cheaper to load it again at each use.
template <class V>
__attribute__((always_inline)) inline V kept(V v) {
#if defined(__x86_64__)
  asm("" : "+x"(v));
#elif defined(__aarch64__)
  asm("" : "+w"(v));
#endif
  return v;
}

template <class T>
__attribute__((always_inline)) inline Packet<T> broadcast(T x) {
  return x - Packet<T>{};
}

/// The next lanes<double> elements as doubles. A conversion of vectors that is not said outright is taken apart
/// by g++ 12.
__attribute__((always_inline)) inline Packet<double> load_doubles(const float* p) {
#if defined(__AVX512F__)
  return _mm512_cvtps_pd(_mm256_loadu_ps(p));
#elif defined(__AVX__)
  return _mm256_cvtps_pd(_mm_loadu_ps(p));
#else
  PacketOf<float, packet_bytes / 2>::type v;
  std::memcpy(&v, p, sizeof v);
  return __builtin_convertvector(v, Packet<double>);
#endif
}
__attribute__((always_inline)) inline Packet<double> load_doubles(const double* p) { return load(p); }

/// c + a b, rounded once where the processor can. Said outright: some compilers take a chain of them apart
/// for some processors, and then the kernels take twice as long.
__attribute__((always_inline)) inline Packet<float> multiply_add(Packet<float> a, Packet<float> b,
                                                                 Packet<float> c) {
#if defined(__AVX512F__)
  return _mm512_fmadd_ps(a, b, c);
#elif defined(__FMA__)
  return _mm256_fmadd_ps(a, b, c);
#elif defined(__aarch64__)
  return vfmaq_f32(c, a, b);
#else
  return c + a * b;
#endif
}
__attribute__((always_inline)) inline Packet<double> multiply_add(Packet<double> a, Packet<double> b,
                                                                  Packet<double> c) {
#if defined(__AVX512F__)
  return _mm512_fmadd_pd(a, b, c);
#elif defined(__FMA__)
  return _mm256_fmadd_pd(a, b, c);
#elif defined(__aarch64__)
  return vfmaq_f64(c, a, b);
#else
  return c + a * b;
#endif
}

#if defined(__AVX__) && !defined(__AVX512F__)
/// A mask of the first n elements of a packet, in units of 4 bytes.
inline __m256i first_words(std::int64_t n) {
  alignas(32) static constexpr std::int32_t ones_and_zeros[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(ones_and_zeros + 8 - n));
}
#endif

/// The first n lanes, 0 < n < lanes, the others 0.
template <class T>
Packet<T> load_some(const T* p, std::int64_t n) {
#if defined(__AVX512F__)
  const unsigned mask = (1U << n) - 1U;
  if constexpr (std::is_same_v<T, float>)
    return _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask), p);
  else
    return _mm512_maskz_loadu_pd(static_cast<__mmask8>(mask), p);
#elif defined(__AVX__)
  if constexpr (std::is_same_v<T, float>)
    return _mm256_maskload_ps(p, first_words(n));
  else
    return _mm256_maskload_pd(p, first_words(2 * n));
#else
  Packet<T> v{};
  for (std::int64_t i = 0; i < n; ++i) v[i] = p[i];
  return v;
#endif
}
template <class T>
void store_some(T* p, const Packet<T>& v, std::int64_t n) {
#if defined(__AVX512F__)
  const unsigned mask = (1U << n) - 1U;
  if constexpr (std::is_same_v<T, float>)
    _mm512_mask_storeu_ps(p, static_cast<__mmask16>(mask), v);
  else
    _mm512_mask_storeu_pd(p, static_cast<__mmask8>(mask), v);
#elif defined(__AVX__)
  if constexpr (std::is_same_v<T, float>)
    _mm256_maskstore_ps(p, first_words(n), v);
  else
    _mm256_maskstore_pd(p, first_words(2 * n), v);
#else
  for (std::int64_t i = 0; i < n; ++i) p[i] = v[i];
#endif
}

/// Whether all packets that it has been told of are finite: x - x is 0 for those numbers alone, and its bits
/// are joined, since a chain of additions would take longer than to load the next packet.
template <class T>
class AllFinite {
 public:
  void operator()(const Packet<T>& v) { bits_ |= reinterpret_cast<Bits>(v - v); }
  explicit operator bool() const {
    Word words[packet_bytes / sizeof(Word)];
    std::memcpy(words, &bits_, sizeof words);
    Word any = 0;
    for (const Word w : words) any |= w;
    return any == 0;
  }

 private:
  using Word = std::int64_t;
  using Bits = typename PacketOf<Word, packet_bytes>::type;
  Bits bits_{};
};

/// f(0), ..., f(n - 1), each index a constant: arrays that only such indices reach can lie in registers.
template <int n, class F>
__attribute__((always_inline)) inline void each(F f) {
  [&]<int... i>(std::integer_sequence<int, i...>) __attribute__((always_inline)) {
    (f(std::integral_constant<int, i>()), ...);
  }
  (std::make_integer_sequence<int, n>());
}

/// f(load, store, j) for each packet of a row from `from` on, the last of which may be a part: `load(p)` and
/// `store(p, v)` leave out what lies beyond.
template <class T, class F>
__attribute__((always_inline)) inline void for_packets(std::int64_t from, std::int64_t cols, F f) {
  std::int64_t j = from;
  for (; j + lanes<T> <= cols; j += lanes<T>)
    f([](const T* p) { return load(p); }, [](T* p, const Packet<T>& v) { store(p, v); }, j);
  if (const std::int64_t n = cols - j; n > 0)
    f([n](const T* p) { return load_some(p, n); }, [n](T* p, const Packet<T>& v) { store_some(p, v, n); }, j);
}

namespace detail {
template <class T, int bytes>
T total_of(const typename PacketOf<T, bytes>::type& v) {
  if constexpr (bytes == 16) {
    if constexpr (sizeof(T) == 8)
      return v[0] + v[1];
    else
      return (v[0] + v[2]) + (v[1] + v[3]);
  } else {
    typename PacketOf<T, bytes / 2>::type halves[2];
    std::memcpy(halves, &v, sizeof v);
    return total_of<T, bytes / 2>(halves[0] + halves[1]);
  }
}
}  // namespace detail

/// The sum of all lanes, by halves.
template <class T>
T total(const Packet<T>& v) {
  return detail::total_of<T, packet_bytes>(v);
}

}  // namespace damo
