#pragma once
#include <string>
#include <utility>
#include <vector>

#include "../tensor/tensor.h"

/// NumPy's files (numpy.lib.format; https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
/// Tensors come back bit for bit, row-major. Every failure is an Error that names the file and what is wrong
/// with it; a file is never left half-written: it is completed under another name and then renamed.
namespace damo {

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

/// Writes an .npz that numpy.load reads; any single damaged byte of it is found by load_npz. Throws Error if
/// a name is empty or used twice, a tensor is not set, the file cannot be written or would reach 4 GiB.
void save_npz(const std::string& path, const NamedTensors& tensors);

/// The arrays of an .npz of numpy.savez, numpy.savez_compressed or save_npz, in the order of the file. Throws
/// Error if it is damaged, or holds what Damo has no dtype for.
NamedTensors load_npz(const std::string& path);

/// One array as .npy, with the same promises but one: the format has no checksum.
void save_npy(const std::string& path, const Tensor& tensor);
Tensor load_npy(const std::string& path);

}  // namespace damo
