#include "core/data/npz.h"

#include <set>

#include "core/data/npy.h"
#include "core/data/zip.h"
#include "core/tensor/check.h"

namespace damo {
namespace {

const char* const suffix = ".npy";

}  // namespace

void save_npz(const std::string& path, const NamedTensors& tensors) {
  std::set<std::string> names;
  for (const auto& [name, tensor] : tensors) {
    check(!name.empty() && name.find('\0') == std::string::npos,
          "cannot write {}: a tensor has no proper name", path);
    check(names.insert(name).second, "cannot write {}: two tensors have the name '{}'", path, name);
    check(tensor.is_set(), "cannot write {}: the tensor '{}' is not set", path, name);
  }
  ZipWriter archive(path);
  for (const auto& [name, tensor] : tensors) {
    const auto bytes =
        static_cast<std::uint64_t>(tensor.size()) * static_cast<std::uint64_t>(size_of(tensor.dtype()));
    const std::string header = npy_header(tensor);
    archive.check_room(name + suffix, header.size() + bytes);
    archive.add(name + suffix, header, tensor.contiguous().data(), bytes);
  }
  archive.commit();
}

NamedTensors load_npz(const std::string& path) {
  const ZipReader archive(path);
  NamedTensors tensors;
  for (const ZipEntry& entry : archive.entries()) {
    const std::string where = archive.where(entry);
    check(entry.name.size() > 4 && entry.name.ends_with(suffix),
          "{} is not an array: its name does not end in .npy", where);
    ZipEntryStream stream(archive, entry);
    Tensor tensor = read_npy(where, entry.size, [&](void* out, std::size_t n) { stream.read(out, n); });
    stream.finish();
    tensors.emplace_back(entry.name.substr(0, entry.name.size() - 4), std::move(tensor));
  }
  return tensors;
}

}  // namespace damo
