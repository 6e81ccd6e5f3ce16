#pragma once

namespace damo {

/// Whether kernels may leave out what is multiplied by exactly 0. That hides 0 * NaN and 0 * Inf.
bool skips_zeros();

/// While one of these lives, in any thread, kernels leave nothing out.
class ReadZeros {
 public:
  ReadZeros();
  ~ReadZeros();
  ReadZeros(const ReadZeros&) = delete;
  ReadZeros& operator=(const ReadZeros&) = delete;
};

}  // namespace damo
