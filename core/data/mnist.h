#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "dataset.h"

/// The MNIST digits (LeCun, Cortes and Burges), or any other set in its four files, such as Fashion-MNIST.
namespace damo {

/// Keeps the first so many examples of a part; 0 keeps all.
struct MnistLimits {
  std::int64_t train = 0;
  std::int64_t valid = 0;
  std::int64_t test = 0;
};

/// The folder to read MNIST from: `folder` unless empty, else $DAMO_DATA, else ~/.cache/damo/mnist if it is
/// there; empty if none of them is.
std::string find_mnist(const std::string& folder = "");

/// Those of the four files that load_mnist would read in this folder.
std::vector<std::string> mnist_files(const std::string& folder);

/// The tutorials' split: the first 50000 of the training file, its last 10000, and the 10000 of the test
/// file. Pixels are divided by 256, as in the tutorials' mnist.pkl.gz; the dtype is a float type. The files
/// are looked for in the folder and in its MNIST/raw, compressed or not, as train-images-idx3-ubyte or
/// train-images.idx3-ubyte, and so on. Throws Error, which names the file, what was found and what was
/// expected. Well-formed files that are not MNIST's own are read with a warning on stderr.
Dataset load_mnist(const std::string& folder, const MnistLimits& limits = {}, DType dtype = floatX());

}  // namespace damo
