#include "core/data/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <optional>
#include <random>
#include <system_error>

#include "core/tensor/check.h"

namespace damo {
namespace {

namespace fs = std::filesystem;

std::string reason(int error) { return std::generic_category().message(error); }

fs::path folder_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : "."; }

// Where links lead, also if nothing is there yet; `path` itself if they lead nowhere.
std::string followed(const std::string& path) {
  std::error_code error;
  if (const fs::path there = fs::canonical(path, error); !error) return there.string();
  constexpr int most_links = 40;
  fs::path at = path;
  for (int i = 0; i < most_links; ++i) {
    const fs::path next = fs::read_symlink(at, error);
    if (error) return at.string();
    at = at.parent_path() / next;
  }
  return path;
}

// What names a file: its device and number, or those of the folder where it will be, and its name there.
struct Identity {
  dev_t device = 0;
  ino_t number = 0;
  std::string name = {};
  bool operator==(const Identity&) const = default;
};

// None for what is no regular file, or cannot become one.
std::optional<Identity> identity_of(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0) {
    if (!S_ISREG(info.st_mode)) return {};
    return Identity{info.st_dev, info.st_ino};
  }
  const fs::path target = followed(path);
  if (::stat(folder_of(target).c_str(), &info) != 0) return {};
  return Identity{info.st_dev, info.st_ino, target.filename().string()};
}

constexpr std::size_t n_digits = 16;
constexpr std::string_view ending = ".tmp";

// What the names of a file's temporary ones begin with: short enough for any name that a file can have.
std::string stem_of(const fs::path& target) { return target.filename().string().substr(0, 200) + "."; }

bool is_temporary(const std::string& name, const std::string& stem) {
  return name.size() == stem.size() + n_digits + ending.size() && name.starts_with(stem) &&
         name.ends_with(ending) &&
         name.find_first_not_of("0123456789abcdef", stem.size()) == stem.size() + n_digits;
}

// A process holds a lock on each of its temporary files; the kernel takes it away when the process ends.
void remove_leftovers(const fs::path& target) {
  const std::string stem = stem_of(target);
  std::error_code error;
  for (fs::directory_iterator at(folder_of(target), error), end; !error && at != end; at.increment(error)) {
    if (!is_temporary(at->path().filename().string(), stem)) continue;
    const int descriptor = ::open(at->path().c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (descriptor < 0) continue;
    if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) ::unlink(at->path().c_str());
    ::close(descriptor);
  }
}

// The descriptor of a new file beside `target` whose name is put into `name`; -1 and errno.
int open_temporary(const fs::path& target, mode_t mode, std::string& name) {
  remove_leftovers(target);
  std::random_device random;
  while (true) {
    const auto number = static_cast<std::uint64_t>(random()) << 32 | random();
    name = (folder_of(target) / fmt::format("{}{:016x}{}", stem_of(target), number, ending)).string();
    const int descriptor = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (descriptor < 0 && errno == EEXIST) continue;
    if (descriptor < 0) return descriptor;
    // Where files cannot be locked, nobody can take this one for a leftover either.
    const bool taken = ::flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    struct stat info {};
    if (!taken && ::fstat(descriptor, &info) == 0 && info.st_nlink > 0) return descriptor;
    ::close(descriptor);  // another process was quicker than the lock, and removes it as a leftover
  }
}

}  // namespace

std::string printable(std::string_view bytes) {
  std::string out;
  for (const char c : bytes.substr(0, 60)) out += c >= ' ' && c <= '~' ? c : '?';
  return out;
}

bool is_same_file(const std::string& a, const std::string& b) {
  const auto x = identity_of(a);
  return x && x == identity_of(b);
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

OutputFile::OutputFile(const std::string& path) : path_(path), target_(path) {
  struct stat old {};
  const bool exists = ::stat(path.c_str(), &old) == 0;
  if (!exists && errno != ENOENT) failed();
  check(!exists || S_ISREG(old.st_mode), "cannot write {}: it is there and not a regular file", path);
  target_ = followed(path);
  // Another file can take its name even if it must not be written.
  if (exists && ::faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) != 0) failed();
  const int descriptor = open_temporary(target_, exists ? 0600 : 0666, temporary_);
  if (descriptor < 0) failed();
  if (exists) {
    // Neither is possible everywhere. First the owner: a change of it may take rights away.
    [[maybe_unused]] const int owned = ::fchown(descriptor, old.st_uid, old.st_gid);
    [[maybe_unused]] const int permitted = ::fchmod(descriptor, old.st_mode & 0777);
  }
  file_ = ::fdopen(descriptor, "wb");
  if (file_ == nullptr) {
    const int why = errno;
    ::unlink(temporary_.c_str());
    ::close(descriptor);
    errno = why;
    failed();
  }
}

OutputFile::~OutputFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
  if (file_ != nullptr) std::fclose(file_);
}

void OutputFile::failed() const { fail("cannot write {}: {}", path_, reason(errno)); }

void OutputFile::write(const void* data, std::size_t n) {
  if (std::fwrite(data, 1, n, file_) != n) failed();
}

void OutputFile::commit() {
  if (std::fflush(file_) != 0 || ::fsync(::fileno(file_)) != 0) failed();
  // While the file is open its lock keeps others from removing it.
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) failed();
  temporary_.clear();
  const bool closed = std::fclose(file_) == 0;
  file_ = nullptr;
  if (!closed) failed();
  // The new name too is to survive a crash. Where folders cannot be synchronized the file itself still is
  // safe.
  const int descriptor = ::open(folder_of(target_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

}  // namespace damo
