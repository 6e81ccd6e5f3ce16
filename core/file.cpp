#include "core/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "core/check.h"

namespace damo {
namespace {

std::string reason(int error) { return std::generic_category().message(error); }

}  // namespace

std::string printable(std::string_view bytes) {
  std::string out;
  for (const char c : bytes.substr(0, 60)) out += c >= ' ' && c <= '~' ? c : '?';
  return out;
}

InputFile::InputFile(const std::string& path) : path_(path) {
  // Without O_NONBLOCK opening a pipe would wait for a writer.
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  check(descriptor_ >= 0, "cannot open {}: {}", path, reason(errno));
  struct stat info {};
  const bool regular = ::fstat(descriptor_, &info) == 0 && S_ISREG(info.st_mode);
  if (!regular) {
    ::close(descriptor_);
    fail("cannot read {}: it is not a regular file", path);
  }
  size_ = static_cast<std::uint64_t>(info.st_size);
}

InputFile::~InputFile() { ::close(descriptor_); }

void InputFile::read(std::uint64_t offset, void* out, std::size_t n) const {
  auto* to = static_cast<char*>(out);
  while (n > 0) {
    const ssize_t got = ::pread(descriptor_, to, n, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    check(got >= 0, "cannot read {}: {}", path_, reason(errno));
    check(got > 0, "{} is truncated: it ends at byte {}, {} more were expected", path_, offset, n);
    to += got;
    offset += static_cast<std::uint64_t>(got);
    n -= static_cast<std::size_t>(got);
  }
}

OutputFile::OutputFile(const std::string& path) : path_(path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  check(!std::filesystem::exists(status) || std::filesystem::is_regular_file(status),
        "cannot write {}: it is there and not a regular file", path);
  // A link keeps pointing to the file, which alone is replaced.
  if (std::filesystem::is_symlink(path, error)) {
    const auto target = std::filesystem::canonical(path, error);
    if (!error) path_ = target.string();
  }
  static std::atomic<unsigned> count{0};
  temporary_ = fmt::format("{}.{}-{}.tmp", path_, ::getpid(), count++);
  const int descriptor = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor < 0) failed();
  file_ = ::fdopen(descriptor, "wb");
  if (file_ == nullptr) {
    const int why = errno;
    ::close(descriptor);
    ::unlink(temporary_.c_str());
    errno = why;
    failed();
  }
}

OutputFile::~OutputFile() {
  if (file_ != nullptr) std::fclose(file_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void OutputFile::failed() const { fail("cannot write {}: {}", path_, reason(errno)); }

void OutputFile::write(const void* data, std::size_t n) {
  if (std::fwrite(data, 1, n, file_) != n) failed();
}

void OutputFile::commit() {
  if (std::fflush(file_) != 0 || ::fsync(::fileno(file_)) != 0) failed();
  const bool closed = std::fclose(file_) == 0;
  file_ = nullptr;
  if (!closed || ::rename(temporary_.c_str(), path_.c_str()) != 0) failed();
  temporary_.clear();
  // The new name too is to survive a crash. Where folders cannot be synchronized the file itself still is
  // safe.
  const std::filesystem::path folder = std::filesystem::path(path_).parent_path();
  const int descriptor = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

}  // namespace damo
