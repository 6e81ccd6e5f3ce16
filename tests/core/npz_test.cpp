#include "core/data/npz.h"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <locale>

#include "tests/core/files.h"
#include "tests/support.h"

using damo::load_npy;
using damo::load_npz;
using damo::NamedTensors;
using damo::save_npy;
using damo::save_npz;
using damo::Tensor;
using damo::test::files_in;
using damo::test::message_of;
using damo::test::read_file;
using damo::test::write_file;

namespace {

std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2)
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return bytes;
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

NamedTensors examples() {
  const Tensor m(std::vector<double>{0, -1.5, 2.25, 1e300, -0.0, 7}, {2, 3});
  NamedTensors all;
  for (const damo::DType d : {damo::bool_, damo::int8, damo::int16, damo::int32, damo::int64, damo::uint8,
                              damo::float32, damo::float64})
    all.emplace_back(to_string(d), Tensor::full({2, 3}, damo::float64, 5).astype(d));
  all.emplace_back("values", m);
  all.emplace_back("transposed", m.transposed());
  all.emplace_back("reversed", m.reversed(1));
  all.emplace_back("every second", m.slice(1, 0, 3, 2));
  all.emplace_back("scalar", Tensor(2.5F));
  all.emplace_back("none", Tensor::empty({0, 3}, damo::int32));
  all.emplace_back("rank8", Tensor::zeros({1, 2, 1, 2, 1, 2, 1, 2}, damo::int8));
  all.emplace_back("layer0/W", Tensor(std::vector<std::int64_t>{INT64_MIN, INT64_MAX}));
  all.emplace_back("W\xc3\xa9", Tensor(std::vector<float>{1, 2}));
  return all;
}

void check_same(const NamedTensors& got, const NamedTensors& expected) {
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    CAPTURE(expected[i].first);
    CHECK(got[i].first == expected[i].first);
    CHECK(identical(got[i].second, expected[i].second));
    CHECK(got[i].second.is_contiguous());
  }
}

// "" if there is no Python with NumPy here.
std::string python() {
  for (const char* name : {"/usr/bin/python3", "python3"})
    if (std::system((std::string(name) + " -c 'import numpy' 2>/dev/null").c_str()) == 0) return name;
  std::cerr << "*** SKIPPED: a test needs python3 with NumPy ***" << std::endl;
  return "";
}

bool run(const std::string& interpreter, const std::string& script) {
  const std::string path = damo::test::temp_dir() + "/script.py";
  write_file(path, script);
  return std::system((interpreter + " " + path).c_str()) == 0;
}

std::string npy(const std::string& dictionary, const std::string& elements,
                const std::string& version = {1, 0}) {
  std::string s = "\x93NUMPY" + version;
  s += static_cast<char>(dictionary.size() & 0xff);
  s += static_cast<char>(dictionary.size() >> 8);
  if (version[0] > 1) s += std::string(2, '\0');
  return s + dictionary + elements;
}

}  // namespace

TEST_CASE("what save_npz writes, load_npz reads: names, order, dtypes, shapes and bits") {
  const std::string path = damo::test::temp_dir() + "/a.npz";
  save_npz(path, examples());
  check_same(load_npz(path), examples());
  const std::string first = read_file(path);
  save_npz(path, examples());  // over the old one
  CHECK(read_file(path) == first);
  save_npz(path, {});
  CHECK(load_npz(path).empty());
  for (const auto& [name, tensor] : examples()) {
    const std::string single = damo::test::temp_dir() + "/a.npy";
    save_npy(single, tensor);
    CHECK(identical(load_npy(single), tensor));
  }
}

TEST_CASE("a .npy file is the one NumPy writes") {
  const std::string path = damo::test::temp_dir() + "/a.npy";
  save_npy(path, Tensor(std::vector<float>{0, 1, 2}));
  const std::string dictionary =
      "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }" + std::string(60, ' ') + '\n';
  CHECK(read_file(path) == npy(dictionary, std::string("\0\0\0\0\0\0\x80\x3f\0\0\0\x40", 12)));
}

TEST_CASE("NumPy's compressed, Fortran-ordered and streamed arrays are read") {
  const std::string path = damo::test::temp_dir() + "/a.npz";
  write_file(path, compressed);
  check_same(load_npz(path), {{"W", Tensor(std::vector<float>{0, 1, 2, 3, 4, 5}, {2, 3})},
                              {"ok", Tensor(std::vector<double>{1, 0}).astype(damo::bool_)}});
  write_file(path, streamed);
  check_same(load_npz(path), {{"a", Tensor(std::vector<std::int64_t>{0, 1, 2})}});
}

TEST_CASE("NumPy reads what Damo writes, and Damo what NumPy writes") {
  const std::string interpreter = python();
  if (interpreter.empty()) return;
  const std::string folder = damo::test::temp_dir();
  save_npz(folder + "/damo.npz", examples());
  save_npy(folder + "/damo.npy", Tensor(std::vector<float>{1, 2, 3}));
  CHECK(run(interpreter, R"(
import sys, zipfile, numpy as np
folder = ')" + folder + R"('
assert zipfile.ZipFile(folder + '/damo.npz').testzip() is None
d = np.load(folder + '/damo.npz')
assert d.files[-1] == 'W\u00e9' and len(d.files) == 17
for name in ('bool', 'int8', 'int16', 'int32', 'int64', 'uint8', 'float32', 'float64'):
    assert d[name].dtype == np.dtype(name) and np.array_equal(d[name], np.full((2, 3), 5).astype(name)), name
m = np.array([[0, -1.5, 2.25], [1e300, -0.0, 7]])
assert d['values'].tobytes() == m.tobytes() and np.array_equal(d['transposed'], m.T)
assert np.array_equal(d['reversed'], m[:, ::-1]) and np.array_equal(d['every second'], m[:, ::2])
assert d['scalar'] == 2.5 and d['scalar'].shape == () and d['none'].shape == (0, 3) and d['rank8'].ndim == 8
assert d['layer0/W'].tolist() == [-2**63, 2**63 - 1]
assert np.array_equal(np.load(folder + '/damo.npy'), np.array([1, 2, 3], dtype='f4'))
arrays = dict(m=m, f=np.asfortranarray(m), b=np.array([True, False]), z=np.zeros((0, 4), 'i1'),
              s=np.float32(2.5), big=np.arange(300000).reshape(3, 100000) % 7,
              r=np.random.RandomState(1).rand(50000))
np.savez(folder + '/stored.npz', **arrays)
np.savez_compressed(folder + '/packed.npz', **arrays)
np.save(folder + '/f.npy', arrays['f'])
with open(folder + '/v3.npy', 'wb') as f: np.lib.format.write_array(f, m, version=(3, 0))
)"));
  const NamedTensors stored = load_npz(folder + "/stored.npz"), packed = load_npz(folder + "/packed.npz");
  check_same(packed, stored);
  REQUIRE(stored.size() == 7);
  const Tensor m = examples()[8].second;
  CHECK(identical(stored[0].second, m));
  CHECK(identical(stored[1].second, m));
  CHECK(stored[2].second.to_vector<int>() == std::vector<int>{1, 0});
  CHECK(stored[3].second.shape() == damo::Sizes{0, 4});
  CHECK(stored[4].second.item<float>() == 2.5F);
  CHECK(stored[5].second.at<std::int64_t>(2, 99999) == 299999 % 7);
  CHECK(stored[6].second.at<double>(0) == 0.417022004702574);
  CHECK(identical(load_npy(folder + "/f.npy"), m));
  CHECK(identical(load_npy(folder + "/v3.npy"), m));
}

TEST_CASE("what cannot be written is an error, and leaves no file behind") {
  const std::string folder = damo::test::temp_dir(), path = folder + "/a.npz";
  const Tensor one(std::vector<float>{1});
  CHECK(message_of([&] {
          save_npz(path, {{"", one}});
        }) == "cannot write " + path + ": a tensor has no proper name");
  CHECK(message_of([&] {
          save_npz(path, {{std::string("a\0b", 3), one}});
        }) == "cannot write " + path + ": a tensor has no proper name");
  CHECK(message_of([&] {
          save_npz(path, {{"W", one}, {"W", one}});
        }) == "cannot write " + path + ": two tensors have the name 'W'");
  CHECK(message_of([&] {
          save_npz(path, {{"W", Tensor()}});
        }) == "cannot write " + path + ": the tensor 'W' is not set");
  CHECK(message_of([&] { save_npy(path, Tensor()); }) == "cannot write " + path + ": the tensor is not set");
  CHECK(message_of([&] {
          save_npz(path, {{std::string(65533, 'x'), one}});
        }) == path + ": the name of an entry is 65537 bytes long, at most 65535 are possible");

  // 8 GiB that take no memory: all elements are one.
  const Tensor huge = Tensor::over({damo::float64, {1 << 30}, {0}, one.data()}, std::make_shared<int>(0));
  CHECK(message_of([&] {
          save_npz(path, {{"small", one}, {"huge", huge}});
        }) ==
        path +
            ": with 'huge.npy' of 8589934720 bytes the archive would reach 4 GiB, the limit of the format");
  CHECK(files_in(folder) == 0);

  const std::string nowhere = folder + "/none/a.npz";
  CHECK(message_of([&] { save_npz(nowhere, {}); }) ==
        "cannot write " + nowhere + ": No such file or directory");
  CHECK(message_of([&] { save_npz(folder, {}); }) ==
        "cannot write " + folder + ": it is there and not a regular file");
  CHECK(message_of([] { save_npz("/dev/null", {}); }) ==
        "cannot write /dev/null: it is there and not a regular file");
}

TEST_CASE("a disk that is full leaves the old file as it was") {
  const std::string folder = damo::test::temp_dir(), path = folder + "/a.npz";
  const NamedTensors old{{"W", Tensor(std::vector<float>{1, 2, 3})}};
  save_npz(path, old);
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  rlimit small = before;
  small.rlim_cur = 10000;
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
  const std::string error = message_of([&] {
    save_npz(path, {{"W", Tensor::zeros({10000}, damo::float64)}});
  });
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  CHECK(error == "cannot write " + path + ": File too large");
  check_same(load_npz(path), old);
  CHECK(files_in(folder) == 1);
}

TEST_CASE("the global locale changes no byte") {
  struct Grouping : std::numpunct<char> {
    char do_thousands_sep() const override { return '.'; }
    char do_decimal_point() const override { return ','; }
    std::string do_grouping() const override { return "\3"; }
  };
  const std::string path = damo::test::temp_dir() + "/a.npz";
  const NamedTensors tensors{{"W", Tensor::zeros({1234567}, damo::int8)}};
  save_npz(path, tensors);
  const std::string expected = read_file(path);
  const std::locale before = std::locale::global(std::locale(std::locale::classic(), new Grouping));
  save_npz(path, tensors);
  const NamedTensors loaded = load_npz(path);
  std::locale::global(before);
  CHECK(read_file(path) == expected);
  check_same(loaded, tensors);
}
