#include "apps/checkpoint.h"

#include <cmath>

#include "core/data/npz.h"
#include "core/data/zip.h"
#include "ops/ops.h"
#include "tests/fuzz/targets/target.h"

using namespace damo;
using damo::fuzz::error_of;
using damo::fuzz::expect;

namespace {

// What a small run keeps.
struct Run {
  RandomStreams streams{7};
  Shared W = shared(Tensor::zeros({2, 3}, float32), "W");
  Function draw = function({.outputs = streams.binomial({.size = {4}, .n = 1, .p = 0.5, .dtype = float32})});
  std::int64_t epoch = 0;
  double patience = 0;
  bool done = false;
  std::vector<double> costs;

  void keep(apps::Checkpoint& checkpoint) {
    checkpoint.expect("data", 42);
    checkpoint.keep({{"W", W}});
    checkpoint.keep("rng", streams.states());
    checkpoint.keep("epoch", epoch);
    checkpoint.keep("patience", patience);
    checkpoint.keep("done", done);
    checkpoint.keep("costs", costs);
  }
};

apps::CommonOptions options(const std::string& checkpoint, const std::string& resume) {
  apps::CommonOptions o;
  o.checkpoint = checkpoint;
  o.resume = resume;
  o.program = "program";
  o.settings = {{"--batch-size", "20"}};
  return o;
}

void write(Run& run, apps::Checkpoint& checkpoint) {
  run.keep(checkpoint);
  apps::Log log("", false);
  checkpoint.write(log);
}

// A file of a run that has just begun.
const std::string& good_file() {
  static const std::string path = [] {
    const std::string p = fuzz::file_of("good.npz", "");
    Run run;
    run.costs = {1, 2};
    apps::Checkpoint checkpoint(options(p, ""));
    write(run, checkpoint);
    return p;
  }();
  return path;
}

// An Error that names the option, or a run that goes on and keeps what it was given.
void resume(const std::string& path) {
  Run run;
  const std::string again = fuzz::file_of("again.npz", "");
  const std::string error = error_of([&] {
    apps::Checkpoint checkpoint(options(again, path));
    write(run, checkpoint);
  });
  if (!error.empty()) return expect(error.starts_with("--resume"), "an Error begins with the option");
  run.draw();
  Run second;
  apps::Checkpoint checkpoint(options("", again));
  second.keep(checkpoint);
  expect(identical(second.W.get_value(), run.W.get_value()), "the parameters are kept");
  expect(second.epoch == run.epoch && second.done == run.done, "the numbers are kept");
  expect(second.patience == run.patience || std::isnan(run.patience), "the real numbers are kept");
  expect(second.costs.size() == run.costs.size(), "the costs are kept");
}

}  // namespace

// The bytes as a file; and as one of the arrays of a good file, where the checksums hold.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  resume(fuzz::file_of("a.npz", bytes));
  if (size == 0) return 0;
  const std::string path = fuzz::file_of("b.npz", "");
  const ZipReader good(good_file());
  ZipWriter bad(path);
  for (std::size_t i = 0; i < good.entries().size(); ++i) {
    const ZipEntry& entry = good.entries()[i];
    std::string contents(static_cast<std::size_t>(entry.size), '\0');
    ZipEntryStream stream(good, entry);
    stream.read(contents.data(), contents.size());
    stream.finish();
    if (i == data[0] % good.entries().size()) contents = bytes.substr(1);
    bad.add(entry.name, "", contents.data(), contents.size());
  }
  bad.commit();
  resume(path);
  return 0;
}
