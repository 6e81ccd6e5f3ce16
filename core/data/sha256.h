#pragma once
#include <array>
#include <cstdint>
#include <string>

namespace damo {

/// SHA-256 (FIPS 180-4) of bytes that come in pieces.
class Sha256 {
 public:
  void update(const void* data, std::size_t n);

  /// The digest of all bytes so far, 64 hexadecimal digits. To be called once, at the end.
  std::string finish();

 private:
  void block(const unsigned char* bytes);

  std::array<std::uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<unsigned char, 64> pending_{};
  std::uint64_t n_bytes_ = 0;
};

}  // namespace damo
