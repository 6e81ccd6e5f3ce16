#pragma once
#include <cstdint>

#include "dataset.h"

namespace damo {

struct SyntheticArgs {
  std::int64_t seed = 1234;
  std::int64_t n_train = 50000;
  std::int64_t n_valid = 10000;
  std::int64_t n_test = 10000;
  DType dtype = floatX();
};

/// Handwriting-like digits drawn by the program itself, to run the tutorials without MNIST: the strokes of
/// ten figures, bent, slanted, turned, shifted and inked at random, as 28 x 28 images of k/256 on an empty
/// ground, in the shapes of load_mnist. Classes are equally likely. The same seed gives the same images.
/// Throws Error if a number of examples is negative, the dtype no float type, or the seed not one of
/// RandomState's.
Dataset synthetic_digits(const SyntheticArgs& args = {});

}  // namespace damo
