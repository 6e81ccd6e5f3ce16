#pragma once
#include <string>
#include <utility>
#include <vector>

#include "core/tensor/type.h"
#include "tests/golden.h"
#include "tests/support.h"

namespace damo::test {

/// Figures recorded from Theano's own pages and ops with one floatX.
struct Page {
  std::string name;
  nlohmann::json content;
  DType floatX = DType::float64;
  double rtol = 0, atol = 0;
};

/// Every theano_pages_*.json of the references. Reruns of Theano with another BLAS differ by up to 5e-14 in
/// float64 and 2e-6 in float32; the bounds leave room for sums in another order.
inline std::vector<Page> theano_pages() {
  std::vector<Page> pages;
  for (const std::string& name : golden_names("theano_pages_")) {
    Page page{name, golden(name)};
    page.floatX = dtype_from_string(page.content["settings"]["floatX"].get<std::string>());
    page.rtol = page.floatX == DType::float64 ? 1e-13 : 1e-4;
    page.atol = page.floatX == DType::float64 ? 1e-15 : 1e-6;
    pages.push_back(std::move(page));
  }
  return pages;
}

}  // namespace damo::test
