#include "core/data/npy.h"

#include <algorithm>
#include <bit>
#include <string_view>

#include "core/data/file.h"
#include "core/data/npz.h"
#include "core/tensor/check.h"

namespace damo {
namespace {

static_assert(std::endian::native == std::endian::little, "elements are written as they lie in memory");

constexpr std::string_view magic = "\x93NUMPY";

struct Descr {
  const char* text;
  DType dtype;
};
constexpr Descr descrs[] = {{"|b1", bool_}, {"|i1", int8},  {"<i2", int16},   {"<i4", int32},
                            {"<i8", int64}, {"|u1", uint8}, {"<f4", float32}, {"<f8", float64}};

struct Header {
  DType dtype = float32;
  bool fortran_order = false;
  Sizes shape;
};

/// Reads the header's dictionary, a Python literal with the keys 'descr', 'fortran_order' and 'shape'.
class HeaderParser {
 public:
  HeaderParser(const std::string& where, const std::string& text) : where_(where), text_(text) {}

  Header parse() {
    Header header;
    unsigned seen = 0;
    expect('{');
    while (!accept('}')) {
      const std::string key = quoted();
      expect(':');
      unsigned bit = 0;
      if (key == "descr") {
        bit = 1;
        header.dtype = dtype();
      } else if (key == "fortran_order") {
        bit = 2;
        header.fortran_order = boolean();
      } else if (key == "shape") {
        bit = 4;
        header.shape = shape();
      } else {
        damaged(fmt::format("an unknown key '{}'", printable(key)));
      }
      if ((seen & bit) != 0) damaged(fmt::format("the key '{}' twice", key));
      seen |= bit;
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    if (seen != 7) damaged("not all of descr, fortran_order and shape");
    skip_space();
    if (at_ != text_.size()) damaged("text after the dictionary");
    return header;
  }

 private:
  [[noreturn]] void damaged(const std::string& what) const {
    fail("{}: the .npy header is damaged: it holds {} at character {}", where_, what, at_);
  }

  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }

  bool accept(char c) {
    skip_space();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  void expect(char c) {
    if (!accept(c)) damaged(fmt::format("no '{}'", c));
  }

  std::string quoted() {
    const char quote = accept('"') ? '"' : '\'';
    if (quote == '\'') expect('\'');
    const std::size_t end = text_.find(quote, at_);
    if (end == std::string::npos) damaged("a string without an end");
    const std::string s = text_.substr(at_, end - at_);
    at_ = end + 1;
    return s;
  }

  DType dtype() {
    if (accept('[')) fail("{}: an array of records is not supported, only numbers", where_);
    const std::string text = quoted();
    for (const Descr& d : descrs)
      // The byte order of a single byte does not matter.
      if (text == d.text || (size_of(d.dtype) == 1 && text.size() == 3 && text.substr(1) == d.text + 1 &&
                             std::string("<>=").find(text[0]) != std::string::npos))
        return d.dtype;
    fail("{}: the dtype '{}' is not supported; expected one of |b1, |i1, <i2, <i4, <i8, |u1, <f4, <f8",
         where_, printable(text));
  }

  bool boolean() {
    skip_space();
    for (const bool value : {true, false}) {
      const std::string word = value ? "True" : "False";
      if (text_.compare(at_, word.size(), word) == 0) {
        at_ += word.size();
        return value;
      }
    }
    damaged("neither True nor False for fortran_order");
  }

  Sizes shape() {
    Sizes sizes;
    expect('(');
    while (!accept(')')) {
      if (sizes.size() == max_rank) fail("{}: the array has more than {} axes", where_, max_rank);
      sizes.push_back(number());
      if (!accept(',')) {
        if (sizes.size() == 1) damaged("a number in parentheses where a tuple is expected");
        expect(')');
        break;
      }
    }
    return sizes;
  }

  std::int64_t number() {
    skip_space();
    const std::size_t begin = at_;
    std::int64_t value = 0;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
      // Sixteen digits: far beyond any memory, and no overflow.
      if (at_ - begin == 16) damaged("an absurd size");
      value = 10 * value + (text_[at_] - '0');
    }
    if (at_ == begin) damaged("no number");
    return value;
  }

  const std::string& where_;
  const std::string& text_;
  std::size_t at_ = 0;
};

/// The bytes of the elements, which must be exactly `left`.
void check_size(const std::string& where, const Header& header, std::uint64_t left) {
  // No product of sizes, with zeros left out, may overflow, since strides are such products.
  constexpr std::uint64_t limit = std::uint64_t{1} << 56;
  std::uint64_t elements = 1;
  bool empty = false;
  for (const std::int64_t s : header.shape) {
    const auto n = static_cast<std::uint64_t>(s);
    empty |= n == 0;
    check(n == 0 || elements <= limit / n, "{}: an array of shape {} is absurd", where, header.shape);
    elements *= std::max<std::uint64_t>(n, 1);
  }
  const std::uint64_t bytes = empty ? 0 : elements * static_cast<std::uint64_t>(size_of(header.dtype));
  check(left == bytes, "{}: {} {} needs {} bytes, but {} follow the header", where, header.dtype,
        header.shape, bytes, left);
}

}  // namespace

std::string npy_header(const Tensor& tensor) {
  const auto* descr = std::find_if(std::begin(descrs), std::end(descrs),
                                   [&](const Descr& d) { return d.dtype == tensor.dtype(); });
  std::string dictionary =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': {}, }}", descr->text, tensor.shape());
  // Spaces and a newline make the elements begin at a multiple of 64 bytes.
  const std::size_t before = magic.size() + 4;
  dictionary.append(63 - (before + dictionary.size()) % 64, ' ');
  dictionary += '\n';
  std::string header(magic);
  header += '\x01';
  header += '\x00';
  header += static_cast<char>(dictionary.size() & 0xff);
  header += static_cast<char>(dictionary.size() >> 8);
  return header + dictionary;
}

Tensor read_npy(const std::string& where, std::uint64_t size,
                const std::function<void(void*, std::size_t)>& read) {
  std::uint64_t left = size;
  const auto take = [&](void* out, std::uint64_t n) {
    check(n <= left, "{}: the .npy header is truncated: {} bytes where {} were expected", where, left, n);
    read(out, static_cast<std::size_t>(n));
    left -= n;
  };
  std::string start(8, '\0');
  take(start.data(), start.size());
  check(start.compare(0, magic.size(), magic) == 0,
        "{}: this is not .npy data: it does not begin with \\x93NUMPY", where);
  const int major = static_cast<unsigned char>(start[6]), minor = static_cast<unsigned char>(start[7]);
  check(major >= 1 && major <= 3 && minor == 0, "{}: the .npy version is {}.{}, expected 1.0, 2.0 or 3.0",
        where, major, minor);
  unsigned char length[4] = {};
  take(length, major == 1 ? 2 : 4);
  const std::uint64_t header_size = length[0] | std::uint64_t{length[1]} << 8 |
                                    std::uint64_t{length[2]} << 16 | std::uint64_t{length[3]} << 24;
  check(header_size <= 65536, "{}: the .npy header of {} bytes is absurd", where, header_size);
  std::string text(static_cast<std::size_t>(header_size), '\0');
  take(text.data(), header_size);
  const Header header = HeaderParser(where, text).parse();
  check_size(where, header, left);

  Sizes shape = header.shape;
  if (header.fortran_order) std::reverse(shape.begin(), shape.end());
  const Tensor tensor = Tensor::empty(shape, header.dtype);
  read(tensor.data(), static_cast<std::size_t>(left));
  if (header.dtype == bool_) {
    const auto* bytes = static_cast<const unsigned char*>(tensor.data());
    check(std::all_of(bytes, bytes + tensor.size(), [](unsigned char b) { return b <= 1; }),
          "{}: a bool is neither 0 nor 1", where);
  }
  return header.fortran_order ? tensor.transposed().contiguous() : tensor;
}

void save_npy(const std::string& path, const Tensor& tensor) {
  check(tensor.is_set(), "cannot write {}: the tensor is not set", path);
  const Tensor rows = tensor.contiguous();
  const std::string header = npy_header(rows);
  OutputFile file(path);
  file.write(header.data(), header.size());
  file.write(rows.data(), static_cast<std::size_t>(rows.size() * size_of(rows.dtype())));
  file.commit();
}

Tensor load_npy(const std::string& path) {
  const InputFile file(path);
  check(file.size() > 0, "{} is empty, expected .npy data", path);
  std::uint64_t at = 0;
  return read_npy(path, file.size(), [&](void* out, std::size_t n) {
    file.read(at, out, n);
    at += n;
  });
}

}  // namespace damo
