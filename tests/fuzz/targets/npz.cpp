#include "core/data/npz.h"

#include "core/data/zip.h"
#include "tests/fuzz/targets/target.h"

using damo::NamedTensors;
using damo::fuzz::error_of;
using damo::fuzz::expect;

namespace {

void expect_same(const NamedTensors& got, const NamedTensors& want) {
  expect(got.size() == want.size(), "as many arrays as were written");
  for (std::size_t i = 0; i < got.size(); ++i) {
    expect(got[i].first == want[i].first, "the names are those that were written");
    expect(identical(got[i].second, want[i].second), "the arrays are those that were written");
  }
}

// An Error, or arrays that are the same after they are written and read again.
void read(const std::string& path) {
  NamedTensors arrays;
  const std::string error = error_of([&] { arrays = damo::load_npz(path); });
  if (!error.empty()) {
    expect(error.starts_with(path), "an Error begins with the file's name");
    return;
  }
  const std::string again = damo::fuzz::file_of("again.npz", "");
  // NumPy's names may hold what ours may not.
  if (error_of([&] { damo::save_npz(again, arrays); }).empty()) expect_same(damo::load_npz(again), arrays);
}

}  // namespace

// The bytes as an .npz file; and as an array within one, where the checksums hold.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  read(damo::fuzz::file_of("a.npz", bytes));
  const std::string path = damo::fuzz::file_of("b.npz", "");
  damo::ZipWriter archive(path);
  archive.add("a.npy", "", bytes.data(), bytes.size());
  archive.commit();
  read(path);
  return 0;
}
