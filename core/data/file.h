#pragma once
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace damo {

/// Bytes of a file as a message shows them: the first 60, and '?' for each that is not printable ASCII.
std::string printable(std::string_view bytes);

/// A file read at any position. Every failure is an Error that names the file.
class InputFile {
 public:
  /// Throws Error if there is no such file, if it cannot be read or is not a regular file.
  explicit InputFile(const std::string& path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  const std::string& path() const { return path_; }
  std::uint64_t size() const { return size_; }

  /// The n bytes from `offset` on. Throws Error if the file ends before.
  void read(std::uint64_t offset, void* out, std::size_t n) const;

 private:
  std::string path_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

/// Whether both lead to one regular file, by whatever spelling and links, also if it is not there yet.
bool is_same_file(const std::string& a, const std::string& b);

/// A file that appears whole or not at all: it is written under another name in the same folder and takes its
/// own only when commit() has put it on the disk. Without commit() an existing file stays as it was. Links
/// are followed, also to a file that is not there yet; an existing file keeps its mode and, where that is
/// permitted, its owner. The other name is `path`, shortened to 200 bytes, with ".", 16 random digits and
/// ".tmp"; what processes that were killed have left under such names is removed.
class OutputFile {
 public:
  /// Throws Error if the folder or an existing file cannot be written to, or if `path` is there and not a
  /// regular file.
  explicit OutputFile(const std::string& path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  /// Appends n bytes. Throws Error, for example if the disk is full.
  void write(const void* data, std::size_t n);

  /// Gives the file its name. Throws Error.
  void commit();

 private:
  [[noreturn]] void failed() const;
  std::string path_;    // as it was given
  std::string target_;  // where links lead
  std::string temporary_;
  std::FILE* file_ = nullptr;
};

}  // namespace damo
