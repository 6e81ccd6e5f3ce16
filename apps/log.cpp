#include "apps/log.h"

#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <stdexcept>

#include "core/tensor/check.h"

namespace damo::apps {
namespace {

// Names and values are words of the programs themselves: nothing in them needs escaping.
std::string json(const std::string& text) { return fmt::format("\"{}\"", text); }
std::string json(std::int64_t value) { return std::to_string(value); }
std::string json(double value) { return std::isfinite(value) ? fmt::format("{:.17g}", value) : "null"; }

}  // namespace

Log::Log(const std::string& path, bool minibatches, std::int64_t kept)
    : path_(path), minibatches_(minibatches && !path.empty()), kept_(kept), file_(nullptr, &std::fclose) {
  if (path.empty()) return;
  struct stat info {};
  const bool is_pipe = ::stat(path.c_str(), &info) == 0 && (S_ISFIFO(info.st_mode) || S_ISSOCK(info.st_mode));
  check(!is_pipe, "--log is {}, which is a pipe, and must be a file", path);
  // What is there already is kept until the first line is written: the run may fail before.
  file_.reset(std::fopen(path.c_str(), "ae"));
  check(file_ != nullptr, "--log is {}, which cannot be written: {}", path, std::strerror(errno));
  check(::flock(::fileno(file_.get()), LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK,
        "--log is {}, which another run is writing", path);
  const auto size = static_cast<std::int64_t>(std::ftell(file_.get()));
  check(size >= kept, "--log is {}, which has {} bytes, and had {} at the checkpoint", path, size, kept);
}

void Log::begin() {
  if (begun_) return;
  begun_ = true;
  // A pipe or a terminal has nothing to cut.
  if (::ftruncate(::fileno(file_.get()), kept_) != 0 && errno != EINVAL) failed();
}

void Log::write(const std::vector<Field>& fields) {
  if (file_ == nullptr) return;
  begin();
  std::string line;
  for (const Field& field : fields) {
    line += line.empty() ? "{" : ",";
    line += json(field.name) + ":" + std::visit([](const auto& value) { return json(value); }, field.value);
  }
  line += "}\n";
  const bool written = std::fwrite(line.data(), 1, line.size(), file_.get()) == line.size();
  if (!written || std::fflush(file_.get()) != 0) failed();
}

std::int64_t Log::sync() {
  if (file_ == nullptr) return 0;
  begin();
  // A pipe or a terminal cannot be synchronized, and need not.
  if (std::fflush(file_.get()) != 0 ||
      (::fsync(::fileno(file_.get())) != 0 && errno != EINVAL && errno != ENOTSUP))
    failed();
  std::fseek(file_.get(), 0, SEEK_END);
  return std::max<std::int64_t>(0, std::ftell(file_.get()));
}

void Log::failed() const {
  throw std::runtime_error(fmt::format("the log {} cannot be written: {}", path_, std::strerror(errno)));
}

}  // namespace damo::apps
