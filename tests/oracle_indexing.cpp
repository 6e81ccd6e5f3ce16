#include <optional>
#include <stdexcept>

#include "tests/oracle_array.h"

namespace damo::test {
namespace {

/// Which positions of an axis of n elements a:b:c takes, found by walking as Python's definition says.
std::vector<std::int64_t> slice_positions(std::optional<std::int64_t> start, std::optional<std::int64_t> stop,
                                          std::int64_t step, std::int64_t n) {
  std::int64_t at = start.value_or(step > 0 ? 0 : n - 1);
  if (start && at < 0) at += n;
  std::int64_t end = stop.value_or(step > 0 ? n : -1);
  if (stop && end < 0) end = std::max<std::int64_t>(end + n, -1);
  if (step > 0)
    at = std::max<std::int64_t>(at, 0);
  else
    at = std::min(at, n - 1);
  std::vector<std::int64_t> positions;
  for (; at >= 0 && at < n && (step > 0 ? at < end : at > end); at += step) positions.push_back(at);
  return positions;
}

/// Where each element of the indexed part lies: `shape` is the part's, `places` are positions in x.
struct Part {
  Sizes shape;
  std::vector<std::size_t> places;
};

Part basic_part(const OpName& op, const Array& x, const Arrays& inputs, std::size_t next) {
  const std::vector<std::string> spec = op.words();
  std::vector<std::vector<std::int64_t>> positions;
  std::vector<bool> stays;
  for (int axis = 0; axis < x.shape.size(); ++axis) {
    const std::string text =
        axis < static_cast<int>(spec.size()) ? spec[static_cast<std::size_t>(axis)] : ":";
    if (text == "i") {
      const std::int64_t i = inputs[next++].integer(0);
      positions.push_back({i < 0 ? i + x.shape[axis] : i});
      stays.push_back(false);
      continue;
    }
    std::optional<std::int64_t> a, b;
    std::int64_t c = 1;
    if (text.find('a') != std::string::npos) a = inputs[next++].integer(0);
    if (text.find('b') != std::string::npos) b = inputs[next++].integer(0);
    if (text.find('c') != std::string::npos) c = inputs[next++].integer(0);
    positions.push_back(slice_positions(a, b, c, x.shape[axis]));
    stays.push_back(true);
  }
  Part part;
  Sizes all;
  for (std::size_t axis = 0; axis < positions.size(); ++axis) {
    all.push_back(static_cast<std::int64_t>(positions[axis].size()));
    if (stays[axis]) part.shape.push_back(all.back());
  }
  each_index(all, [&](const Sizes& index) {
    Sizes at(x.shape.size(), 0);
    for (int axis = 0; axis < at.size(); ++axis)
      at[axis] = positions[static_cast<std::size_t>(axis)][static_cast<std::size_t>(index[axis])];
    part.places.push_back(position(x.shape, at));
  });
  return part;
}

Part advanced_part(const Array& x, const Arrays& inputs, std::size_t first) {
  const int n = static_cast<int>(inputs.size() - first);
  int rank = 0;
  for (std::size_t i = first; i < inputs.size(); ++i) rank = std::max(rank, inputs[i].shape.size());
  Sizes picks(rank, 1);
  for (std::size_t i = first; i < inputs.size(); ++i)
    for (int a = 0; a < inputs[i].shape.size(); ++a) {
      std::int64_t& size = picks[a + rank - inputs[i].shape.size()];
      if (size == 1) size = inputs[i].shape[a];
    }
  Part part;
  part.shape = picks;
  for (int axis = n; axis < x.shape.size(); ++axis) part.shape.push_back(x.shape[axis]);
  each_index(part.shape, [&](const Sizes& index) {
    Sizes at;
    for (std::size_t i = first; i < inputs.size(); ++i) {
      const Array& array = inputs[i];
      Sizes own(array.shape.size(), 0);
      for (int a = 0; a < own.size(); ++a) own[a] = array.shape[a] == 1 ? 0 : index[a + rank - own.size()];
      const std::int64_t p = array.integer(position(array.shape, own));
      at.push_back(p < 0 ? p + x.shape[at.size()] : p);
    }
    for (int axis = rank; axis < index.size(); ++axis) at.push_back(index[axis]);
    part.places.push_back(position(x.shape, at));
  });
  return part;
}

/// Element i of the part is set to, or grows by, the element of v that is stretched to it.
void put(const Part& part, const Array& v, bool adds, Array& y) {
  std::size_t i = 0;
  each_index(part.shape, [&](const Sizes& index) {
    Sizes from(v.shape.size(), 0);
    for (int a = 0; a < from.size(); ++a)
      from[a] = v.shape[a] == 1 ? 0 : index[a + index.size() - from.size()];
    const std::size_t to = part.places[i++], p = position(v.shape, from);
    if (adds)
      y.add(to, v, p);
    else
      y.assign(to, v, p);
  });
}

}  // namespace

bool oracle_indexing(const OpName& op, const Arrays& x, Array& y) {
  const bool is_advanced = op.name.starts_with("advanced_");
  const std::string name = is_advanced ? op.name.substr(9) : op.name;
  if (name == "checked_index") {
    y = Array(y.dtype, {});
    y.whole[0] = x[0].integer(0);
  } else if (name == "subtensor") {
    const Part part = is_advanced ? advanced_part(x[0], x, 1) : basic_part(op, x[0], x, 1);
    y = Array(y.dtype, part.shape);
    for (std::size_t i = 0; i < y.size(); ++i) y.assign(i, x[0], part.places[i]);
  } else if (name == "inc_subtensor" || name == "set_subtensor") {
    const Part part = is_advanced ? advanced_part(x[0], x, 2) : basic_part(op, x[0], x, 2);
    y = x[0];
    put(part, x[1], name == "inc_subtensor", y);
  } else {
    return false;
  }
  return true;
}

}  // namespace damo::test
