#include "core/data/npz.h"

#include <doctest/doctest.h>

#include <cstring>
#include <fstream>

#include "tests/core/files.h"
#include "tests/support.h"

using damo::load_npy;
using damo::load_npz;
using damo::NamedTensors;
using damo::save_npy;
using damo::save_npz;
using damo::Tensor;
using damo::test::message_of;
using damo::test::read_file;
using damo::test::write_file;
namespace fs = std::filesystem;

namespace {

std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2)
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return bytes;
}

std::string load_error(const std::string& path) {
  return message_of([&] { load_npz(path); });
}

// numpy.savez_compressed(W=float32 [[0, 1, 2], [3, 4, 5]] in Fortran order, ok=[True, False])
const std::string compressed = from_hex(
    "504b030414000000080000002100ce2ce0d3560000009800000005001400572e6e7079010010009800000000000000560000"
    "00000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9366a2aea3a09e965f54529498179f5f94920a120f292a"
    "4d050a17672416a402b91a463a0ac69a3a0ab50ae4032e06307070606068b007620710878161810300504b03041400000008"
    "0000002100ee19bb5d4600000082000000060014006f6b2e6e707901001000820000000000000046000000000000009bec17"
    "ea1b10c9c850c650ad9e925a9c5ca46ea5a05e9364a8aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416"
    "a402f91a463a9a3a0ab50a14002e460600504b0102140314000000080000002100ce2ce0d356000000980000000500000000"
    "00000000000000800100000000572e6e7079504b0102140314000000080000002100ee19bb5d460000008200000006000000"
    "000000000000000080018d0000006f6b2e6e7079504b05060000000002000200670000000b0100000000");

// numpy.savez_compressed(a=numpy.arange(3)) into a stream that cannot seek: the sizes follow the contents
const std::string streamed = from_hex(
    "504b03041400080008000000210000000000000000000000000005001400612e6e7079010010000000000000000000000000"
    "00000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9369a1aea3a09e965f54529498179f5f94920a12774bcc"
    "294e058a17672416a402f91ac63a9a3a0ab50a14002e06286084d24c501a00504b0708f74012ea4c00000000000000980000"
    "0000000000504b0102140314000800080000002100f74012ea4c000000980000000500000000000000000000008001000000"
    "00612e6e7079504b05060000000001000100330000009b0000000000");

bool same(const NamedTensors& a, const NamedTensors& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (a[i].first != b[i].first || !identical(a[i].second, b[i].second)) return false;
  return true;
}

std::string npy(const std::string& dictionary, const std::string& elements,
                const std::string& version = {1, 0}) {
  std::string s = "\x93NUMPY" + version;
  s += static_cast<char>(dictionary.size() & 0xff);
  s += static_cast<char>(dictionary.size() >> 8);
  if (version[0] > 1) s += std::string(2, '\0');
  return s + dictionary + elements;
}

void put_byte(const std::string& path, std::size_t at, int byte) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(at));
  file.put(static_cast<char>(byte));
}

void put32(std::string& bytes, std::size_t at, std::uint32_t v) { std::memcpy(bytes.data() + at, &v, 4); }

}  // namespace

TEST_CASE("a file cut at any byte is an error that names it") {
  const std::string folder = damo::test::temp_dir(), path = folder + "/cut.npz";
  save_npz(path, {{"W", Tensor(std::vector<float>{1, 2, 3})}, {"b", Tensor(std::vector<double>{4})}});
  for (const std::string& whole : {read_file(path), compressed, streamed}) {
    write_file(path, whole);
    for (std::size_t n = whole.size(); n-- > 0;) {
      fs::resize_file(path, n);
      REQUIRE(load_error(path).starts_with(path));
    }
    write_file(path, whole + "x");
    CHECK(load_error(path) == path + " is damaged or truncated: no end of a zip archive was found");
  }
  const std::string single = folder + "/cut.npy";
  save_npy(single, Tensor(std::vector<float>{1, 2, 3}));
  const std::string whole = read_file(single);
  for (std::size_t n = whole.size(); n-- > 0;) {
    fs::resize_file(single, n);
    REQUIRE(message_of([&] { load_npy(single); }).starts_with(single));
  }
  write_file(single, whole + "x");
  CHECK(message_of([&] { load_npy(single); }) ==
        single + ": float32 (3,) needs 12 bytes, but 13 follow the header");
}

TEST_CASE("any damaged byte of a file of save_npz is found") {
  const std::string path = damo::test::temp_dir() + "/flip.npz";
  save_npz(path, {{"W", Tensor(std::vector<float>{1, 2, 3})}, {"b", Tensor(std::vector<double>{4})}});
  const std::string whole = read_file(path);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    CAPTURE(i);
    for (const int bits : {1, 2, 3, 8, 0x20, 0x80, 0xff}) {
      put_byte(path, i, whole[i] ^ bits);
      REQUIRE(load_error(path).starts_with(path));
    }
    put_byte(path, i, whole[i]);
  }
  CHECK(load_error(path) == "no error");
}

TEST_CASE("a damaged byte of NumPy's files never gives other arrays") {
  const std::string path = damo::test::temp_dir() + "/flip.npz";
  for (const std::string& whole : {compressed, streamed}) {
    write_file(path, whole);
    const NamedTensors expected = load_npz(path);
    std::size_t found = 0;
    for (std::size_t i = 0; i < whole.size(); ++i) {
      CAPTURE(i);
      for (int bit = 0; bit < 8; ++bit) {
        put_byte(path, i, whole[i] ^ 1 << bit);
        NamedTensors loaded;
        const std::string error = message_of([&] { loaded = load_npz(path); });
        if (error == "no error") {
          REQUIRE(same(loaded, expected));
          continue;
        }
        REQUIRE(error.starts_with(path));
        ++found;
      }
      put_byte(path, i, whole[i]);
    }
    // Not about the arrays: of an entry its attributes, its writer's version and an unused zip64 record, 30
    // bytes; of a streamed one also the unused sizes before and after its contents, 36; and the last bits of
    // packed contents.
    const std::size_t inert = expected.size() * 31 + (whole == streamed ? 36 : 0);
    CHECK(found >= (whole.size() - inert) * 8);
  }
}

TEST_CASE("what is no npz file says so") {
  const std::string folder = damo::test::temp_dir(), path = folder + "/a.npz";
  CHECK(load_error(path) == "cannot open " + path + ": No such file or directory");
  CHECK(load_error(folder) == "cannot read " + folder + ": it is not a regular file");
  CHECK(message_of([&] { load_npy(path); }) == "cannot open " + path + ": No such file or directory");
  write_file(path, "");
  CHECK(load_error(path) == path + " is empty, expected a zip archive");
  CHECK(message_of([&] { load_npy(path); }) == path + " is empty, expected .npy data");
  write_file(path, "<!DOCTYPE html><html></html>");
  CHECK(load_error(path) == path + " is not a zip archive: it begins with '<!DO', expected 'PK'");
  CHECK(message_of([&] { load_npy(path); }) ==
        path + ": this is not .npy data: it does not begin with \\x93NUMPY");
}

TEST_CASE("what is wrong with an archive is said") {
  const std::string folder = damo::test::temp_dir(), path = folder + "/a.npz";
  save_npz(path, {{"W", Tensor(std::vector<float>{1, 2, 3})}});
  const std::string whole = read_file(path);
  const auto with = [&](const std::string& bytes) {
    write_file(path, bytes);
    return load_error(path);
  };
  const std::string entry = path + ": entry 'W.npy'";
  std::string s = whole;
  s[s.find("\x80\x3f")] ^= 1;  // in the first element
  CHECK(with(s).starts_with(entry + " is damaged: its checksum is "));
  s = whole;
  s.back() ^= 1;
  CHECK(with(s) == path + " is damaged: the checksum of the list of its entries is wrong");
  s = whole;
  s[0] ^= 1;
  CHECK(with(s).ends_with("expected 'PK'"));
  s = whole;
  s[2] ^= 1;
  CHECK(with(s) == entry + " is damaged: its header is");
  s = whole;
  s[10] ^= 1;
  CHECK(with(s) == entry + " is damaged: its header and the list of entries differ");

  // Without the comment, as other programs write, the list of entries itself is looked at.
  const std::size_t end = whole.find("PK\x05\x06"), list = whole.find("PK\x01\x02");
  std::string plain = whole.substr(0, end + 22);
  plain[end + 20] = 0;
  CHECK(with(plain) == "no error");
  s = plain;
  s[list + 8] = 1;
  CHECK(with(s) == entry + " is encrypted, which is not supported");
  s = plain;
  s[list + 10] = 12;
  CHECK(with(s) == entry + " uses method 12 with flags 0x0, expected stored or deflated");
  s = plain;
  put32(s, list + 24, 7);
  CHECK(with(s) == entry + " is damaged: 140 bytes cannot hold 7");
  s = plain;
  put32(s, list + 24, 0xffffffff);
  CHECK(with(s) == entry + " uses zip64, which is not supported");
  s = plain;
  put32(s, list + 42, 0x7fffffff);
  CHECK(with(s) == entry + " is damaged: it begins outside the archive");
  s = plain;
  put32(s, list + 20, 300);
  put32(s, list + 24, 300);
  put32(s, 18, 300);
  put32(s, 22, 300);
  CHECK(with(s) == entry + " is damaged: its contents reach beyond the next entry");
  put32(s, list + 20, 130);
  put32(s, list + 24, 130);
  put32(s, 18, 130);
  put32(s, 22, 130);
  CHECK(with(s) == entry + " is damaged: 10 bytes too many follow it");
  s = plain;
  s[list] = 'X';
  CHECK(with(s) == path + " is damaged: the list of its entries breaks off at entry 0 of 1");
  s = plain;
  put32(s, end + 12, 7);
  CHECK(with(s) == path + " is damaged: the list of its entries does not reach its end");
  s = plain;
  put32(s, end + 16, 0xffffffff);
  CHECK(with(s) == path + " is a zip64 archive, which is not supported");
  s = plain;
  s[end + 4] = 1;
  CHECK(with(s) == path + " is a part of a zip archive in several files");
  s = plain;
  s[end + 8] = s[end + 10] = 0;
  CHECK(with(s) == path + " is damaged: the list of its entries holds more than 0");
  s = plain;
  s[list + 28] = 0;
  s[list + 30] = 5;  // the name becomes an extra field
  CHECK(with(s) == path + " is damaged: entry 0 has no name");

  s = plain;
  for (std::size_t at = s.find("W.npy"); at != std::string::npos; at = s.find("W.npy"))
    s.replace(at, 5, "W.txt");
  CHECK(with(s) == path + ": entry 'W.txt' is not an array: its name does not end in .npy");

  save_npz(path, {{"a", Tensor(1)}, {"b", Tensor(2)}});
  s = read_file(path);
  s.resize(s.size() - 19);
  s[s.size() - 2] = 0;
  for (std::size_t at = s.find("b.npy"); at != std::string::npos; at = s.find("b.npy")) s[at] = 'a';
  CHECK(with(s) == path + ": entry 'a.npy' is there twice");
  s = "PKxx" + plain;
  const std::uint32_t moved = static_cast<std::uint32_t>(list) + 4;
  put32(s, end + 4 + 16, moved);
  put32(s, list + 4 + 42, 4);
  CHECK(with(s) == path + " is damaged: it holds bytes of no entry");

  // The compressed array claims to be 2 GiB: nothing of that size may be allocated.
  s = compressed;
  const std::size_t compressed_list = s.find("PK\x01\x02");
  put32(s, compressed_list + 24, 0x7fffffff);
  CHECK(with(s) == entry + " is damaged: 86 bytes cannot hold 2147483647");
  s = compressed;
  s[55] = 7;  // no kind of block
  CHECK(with(s) == entry + " is damaged: its packed contents are");
  s = streamed;
  s[s.find("PK\x01\x02") + 20] += 4;  // the packed contents end before
  CHECK(with(s) == path + ": entry 'a.npy' is damaged: its packed contents do not end where they should");

  // NumPy reserves a zip64 record; where it is in use, it holds the sizes.
  s = compressed;
  put32(s, 18, 0xffffffff);
  put32(s, 22, 0xffffffff);
  CHECK(with(s) == "no error");
  s[35] = 2;
  CHECK(with(s) == entry + " is damaged: its zip64 record is");
}

TEST_CASE("what is wrong with a .npy header is said") {
  const std::string path = damo::test::temp_dir() + "/a.npy";
  const auto with = [&](const std::string& bytes) {
    write_file(path, bytes);
    return message_of([&] { load_npy(path); });
  };
  const auto dictionary = [&](const std::string& text) { return with(npy(text, std::string(8, '\0'))); };
  const std::string damaged = path + ": the .npy header is damaged: it holds ";
  const std::string good = "{'descr': '<f8', 'fortran_order': False, 'shape': (1,)}";
  CHECK(dictionary(good) == "no error");
  CHECK(dictionary(R"({"shape":(1 , ) , "descr":"<f8","fortran_order":True}  )") == "no error");
  CHECK(dictionary("{'descr': '=i1', 'fortran_order': False, 'shape': (2, 4)}") == "no error");
  CHECK(with(npy(good, std::string(8, '\0'), std::string{2, 0})) == "no error");
  CHECK(with(npy(good, std::string(8, '\0'), std::string{4, 0})) ==
        path + ": the .npy version is 4.0, expected 1.0, 2.0 or 3.0");
  CHECK(with("\x93NUM") == path + ": the .npy header is truncated: 4 bytes where 8 were expected");
  CHECK(with(npy(good, "").substr(0, 40)) ==
        path + ": the .npy header is truncated: 30 bytes where 55 were expected");
  CHECK(with(std::string("\x93NUMPY\x02\x00\xff\xff\xff\x7f", 12)) ==
        path + ": the .npy header of 2147483647 bytes is absurd");
  CHECK(dictionary("{'descr': '>f8', 'fortran_order': False, 'shape': (1,)}") ==
        path + ": the dtype '>f8' is not supported; expected one of |b1, |i1, <i2, <i4, <i8, |u1, <f4, <f8");
  CHECK(dictionary("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (1,)}") ==
        path + ": an array of records is not supported, only numbers");
  CHECK(dictionary("{'descr': '<f8', 'fortran_order': Maybe, 'shape': (1,)}") ==
        damaged + "neither True nor False for fortran_order at character 34");
  CHECK(dictionary("{'descr': '<f8', 'fortran_order': False, 'shape': (1)}") ==
        damaged + "a number in parentheses where a tuple is expected at character 52");
  CHECK(dictionary("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}") ==
        damaged + "no number at character 51");
  CHECK(dictionary("{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2 3)}") ==
        damaged + "no ')' at character 56");
  CHECK(dictionary("{'descr': '<f8', 'fortran_order': False, 'shape': (12345678901234567,)}") ==
        damaged + "an absurd size at character 67");
  CHECK(dictionary("{'descr': '<f8', 'fortran_order': False}") ==
        damaged + "not all of descr, fortran_order and shape at character 40");
  CHECK(dictionary("{'descr': '<f8', 'descr': '<f8', 'shape': (1,)}") ==
        damaged + "the key 'descr' twice at character 31");
  CHECK(dictionary("{'colour': 'red'}") == damaged + "an unknown key 'colour' at character 10");
  CHECK(dictionary("{'descr") == damaged + "a string without an end at character 2");
  CHECK(dictionary("{3: 4}") == damaged + "no ''' at character 1");
  CHECK(dictionary("[1, 2]") == damaged + "no '{' at character 0");
  CHECK(dictionary(good + "x") == damaged + "text after the dictionary at character 55");
  CHECK(dictionary("{'descr': '<f8', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1)}") ==
        path + ": the array has more than 8 axes");
  CHECK(dictionary("{'descr': '<f8', 'fortran_order': False, 'shape': (2,)}") ==
        path + ": float64 (2,) needs 16 bytes, but 8 follow the header");
  CHECK(dictionary("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,)}") ==
        path + ": float64 (1000000000000,) needs 8000000000000 bytes, but 8 follow the header");
  for (const std::string shape : {"(1000000000000, 1000000000000)", "(0, 1000000000000, 1000000000000)"})
    CHECK(dictionary("{'descr': '<f8', 'fortran_order': False, 'shape': " + shape + "}") ==
          path + ": an array of shape " + shape + " is absurd");
  CHECK(with(npy("{'descr': '|b1', 'fortran_order': False, 'shape': (2,)}", std::string("\x01\x02"))) ==
        path + ": a bool is neither 0 nor 1");
}
