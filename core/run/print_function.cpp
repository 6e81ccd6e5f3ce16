#include "core/run/print_function.h"

#include <fmt/format.h>

#include "core/run/frame.h"

namespace damo {
namespace {

std::vector<std::string> titles_of(const Function& f) {
  std::vector<std::string> titles(f.frame().program().n_outputs);
  for (std::size_t i = 0; i < titles.size(); ++i) titles[i] = fmt::format("output {}", i);
  for (const Shared& s : f.updated()) titles.push_back("new value of " + label(s));
  return titles;
}

}  // namespace

std::string debugprint(const Function& f, DebugPrintArgs args) {
  args.titles = titles_of(f);
  return debugprint(f.outputs(), args);
}

std::string to_dot(const Function& f) { return to_dot(f.outputs(), titles_of(f)); }

}  // namespace damo
