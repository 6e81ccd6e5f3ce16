#include "apps/files.h"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>

#include "core/data/file.h"
#include "core/tensor/check.h"

namespace damo::apps {

void check_distinct(const std::vector<RunFile>& files) {
  for (std::size_t i = 0; i < files.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const RunFile &a = files[j], &b = files[i];
      if (!(a.written || b.written) || b.replaces == a.option) continue;
      if (!is_same_file(a.path, b.path)) continue;
      check(a.path != b.path, "{} and {} are both {}", a.option, b.option, a.path);
      fail("{} is {}, the same file as {}, {}", b.option, b.path, a.option, a.path);
    }
  }
}

void check_writable(const std::string& option, const std::string& path) {
  const std::filesystem::path file(path);
  const std::filesystem::path folder = file.has_parent_path() ? file.parent_path() : ".";
  std::error_code ignored;
  check(!std::filesystem::is_directory(file, ignored), "{} is {}, which is a folder, and must be a file",
        option, path);
  check(std::filesystem::is_directory(folder, ignored), "{} is {}, but there is no folder {}", option, path,
        folder.string());
  try {
    const OutputFile probe(path);  // not committed
  } catch (const Error& e) {
    fail("{}: {}", option, e.what());
  }
}

void open_standard_streams() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(descriptor, F_GETFD) < 0)
        // The lowest number that is free is this one.
        [[maybe_unused]]
      const int opened = ::open("/dev/null", O_RDWR);
}

}  // namespace damo::apps
