#include "apps/session.h"

#include <algorithm>
#include <stdexcept>

#include "core/data/mnist.h"
#include "core/data/picture.h"
#include "core/data/synthetic.h"
#include "core/run/profile.h"
#include "core/run/threads.h"
#include "core/tensor/bytes.h"
#include "core/tensor/check.h"

namespace damo::apps {
namespace {

// Runs f, whose Errors are then no fault of the command line: a full disk, for example.
template <class F>
void during_the_run(F f) {
  try {
    f();
  } catch (const Error& e) {
    throw std::runtime_error(e.what());
  }
}

// All that the run reads and writes.
std::vector<RunFile> files_of(const CommonOptions& o, const std::vector<RunFile>& pictures) {
  std::vector<RunFile> files;
  const auto add = [&](const std::string& option, const std::string& path, bool written,
                       const std::string& replaces = "") {
    if (!path.empty())
      files.push_back({.option = option, .path = path, .written = written, .replaces = replaces});
  };
  const auto reads = [&](const std::string& option, const std::string& path) { add(option, path, false); };
  const auto writes = [&](const std::string& option, const std::string& path,
                          const std::string& replaces = "") { add(option, path, true, replaces); };
  // They may be one file, but no other of the run.
  reads("standard output", "/dev/stdout");
  reads("standard error", "/dev/stderr");
  const std::string mnist = o.dataset == "synthetic" ? "" : find_mnist(o.dataset);
  if (!mnist.empty())
    for (const std::string& path : mnist_files(mnist)) reads("--dataset", path);
  reads("--load", o.load);
  add("--resume", o.resume, o.checkpoint.empty());
  writes("--checkpoint", o.checkpoint, "--resume");
  writes("--save", o.save, "--load");
  writes("--log", o.log);
  for (const RunFile& picture : pictures) writes(picture.option, picture.path);
  return files;
}

// The options, if no two of them name one file. This comes before anything is written.
const CommonOptions& checked(const CommonOptions& options, const std::vector<RunFile>& pictures) {
  check_distinct(files_of(options, pictures));
  return options;
}

}  // namespace

Session::Session(const CommonOptions& options, const std::vector<RunFile>& pictures)
    : terminal(checked(options, pictures).progress),
      checkpoint(options),
      log(options.log, options.log_minibatches, checkpoint.log_bytes()),
      options_(options) {
  set_floatX(dtype_from_string(options.floatX));
  set_default_mode(mode_from(options.mode));
  set_default_profile(options.profile);
  set_threads(options.threads);
  if (!options.save.empty()) check_writable("--save", options.save);
  for (const RunFile& picture : pictures) check_writable(picture.option, picture.path);
}

Session::~Session() {
  if (options_.profile) terminal.warn(profiles());
}

Datasets Session::load_datasets() {
  Datasets datasets = read_datasets();
  if (checkpoint.writes())
    for (const SharedDataset* set : {&datasets.train, &datasets.valid, &datasets.test})
      checkpoint.expect(set->x.name(),
                        static_cast<std::int64_t>(checksum(set->x.get_value({.borrow = true}))));
  return datasets;
}

Datasets Session::read_datasets() {
  say("... loading data");
  const CommonOptions& o = options_;
  if (o.dataset == "synthetic") {
    SyntheticArgs args;
    if (o.train_size > 0) args.n_train = o.train_size;
    if (o.valid_size > 0) args.n_valid = o.valid_size;
    if (o.test_size > 0) args.n_test = o.test_size;
    return shared_datasets(synthetic_digits(args));
  }
  check(o.train_size <= 50000, "--train-size is {}, and the training set has 50000 points", o.train_size);
  check(o.valid_size <= 10000, "--valid-size is {}, and the validation set has 10000 points", o.valid_size);
  check(o.test_size <= 10000, "--test-size is {}, and the test set has 10000 points", o.test_size);
  const std::string folder = find_mnist(o.dataset);
  check(!folder.empty(),
        "MNIST was not found: name the folder of its four files by --dataset or DAMO_DATA, or take --dataset "
        "synthetic");
  return load_data(folder, {.train = o.train_size, .valid = o.valid_size, .test = o.test_size});
}

void Session::check_batch_size(int batch_size, std::initializer_list<Shared> sets) const {
  for (const Shared& set : sets) {
    const std::int64_t n = set.get_value({.borrow = true}).shape(0);
    check(batch_size <= n, "--batch-size is {}, and {} has only {} examples", batch_size, set.name(), n);
  }
}

void Session::load(const NamedParams& params) {
  if (!options_.load.empty()) load_params(options_.load, params);
}

void Session::save(const NamedParams& params) {
  if (options_.save.empty()) return;
  during_the_run([&] { save_params(options_.save, params); });
}

void Session::save_filters(const Shared& W, const std::string& path) {
  during_the_run([&] {
    const Tensor filters = W.get_value().transposed();
    save_png(path, tile_raster_images(
                       filters, {.img_shape = {28, 28}, .tile_shape = {10, 10}, .tile_spacing = {1, 1}}));
  });
}

std::unique_ptr<Streams> make_streams(const std::string& rng_option, RandomState& rng) {
  const std::int64_t seed = rng.randint(1 << 30);
  if (rng_option == "mrg") return std::make_unique<MRG_RandomStreams>(seed);
  return std::make_unique<RandomStreams>(static_cast<std::uint32_t>(seed));
}

}  // namespace damo::apps
