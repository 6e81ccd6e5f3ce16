#pragma once

/// What an op makes of the zeros in a gradient, for `grad`: a base of ops of which something is to be said.
namespace damo {

/// It picks some of an input's elements (indexing, the largest): the others receive the gradient 0, and may
/// be values that have no slope at all.
struct Chooses {
  virtual bool chooses() const { return true; }
  friend bool operator==(const Chooses&, const Chooses&) { return true; }

 protected:
  ~Chooses() = default;
};

/// Each element of its result depends on many of an input (softmax, convolution): a gradient that is 0 for
/// some results is 0 for no input.
struct Mixes {
  friend bool operator==(const Mixes&, const Mixes&) { return true; }
};

}  // namespace damo
