#include "core/data/npz.h"
#include "tests/fuzz/targets/target.h"

using damo::Tensor;
using damo::fuzz::error_of;
using damo::fuzz::expect;

// The bytes as a .npy file: an Error, or a tensor that is the same after it is written and read again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string path =
      damo::fuzz::file_of("a.npy", std::string(reinterpret_cast<const char*>(data), size));
  Tensor tensor;
  const std::string error = error_of([&] { tensor = damo::load_npy(path); });
  if (!error.empty()) {
    expect(error.starts_with(path), "an Error begins with the file's name");
    return 0;
  }
  expect(tensor.is_set() && tensor.is_contiguous() && tensor.ndim() <= damo::max_rank, "a tensor is whole");
  expect(static_cast<std::uint64_t>(tensor.size() * size_of(tensor.dtype())) <= size,
         "no more elements than bytes");
  const std::string again = damo::fuzz::file_of("b.npy", "");
  damo::save_npy(again, tensor);
  expect(identical(damo::load_npy(again), tensor), "what was read can be written and read");
  return 0;
}
