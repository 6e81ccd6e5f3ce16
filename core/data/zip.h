#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "file.h"

/// Zip archives as far as .npz files need them (PKWARE APPNOTE.TXT): stored and deflated entries, every
/// checksum verified, no zip64, nothing between the entries. Every failure is an Error that names the file
/// and the entry.
namespace damo {

struct ZipEntry {
  std::string name;
  std::uint32_t crc = 0;  ///< of the contents
  std::uint64_t packed_size = 0;
  std::uint64_t size = 0;
  bool deflated = false;
  std::uint64_t header = 0;                                  ///< where its local header begins
  std::uint64_t data = 0;                                    ///< where its packed contents begin
  std::uint32_t version = 0, flags = 0, time = 0, date = 0;  ///< kept to compare the two copies of the header
};

/// An archive's list of entries, checked against the headers of the entries themselves.
class ZipReader {
 public:
  explicit ZipReader(const std::string& path);
  const std::vector<ZipEntry>& entries() const { return entries_; }
  const InputFile& file() const { return file_; }
  /// "file: entry 'name'", as messages begin.
  std::string where(const ZipEntry& entry) const;

 private:
  void read_directory();
  void check_local_header(ZipEntry& entry, std::uint64_t next) const;
  InputFile file_;
  std::vector<ZipEntry> entries_;
  std::uint64_t directory_ = 0;  ///< where the list of entries begins
};

/// The contents of one entry, unpacked as they are read.
class ZipEntryStream {
 public:
  ZipEntryStream(const ZipReader& archive, const ZipEntry& entry);
  ~ZipEntryStream();
  /// The next n bytes, of not more than the entry holds. Throws Error if they cannot be unpacked.
  void read(void* out, std::size_t n);
  /// To be called when all was read: throws Error unless the packed contents end there and the checksum
  /// agrees.
  void finish();

 private:
  void inflate(void* out, std::size_t n);
  struct Inflater;
  const ZipReader& archive_;
  const ZipEntry& entry_;
  std::uint64_t packed_read_ = 0, read_ = 0;
  std::uint32_t crc_ = 0;
  std::unique_ptr<Inflater> inflater_;
};

/// Writes an archive of stored entries, without dates, so that equal contents make equal files. A checksum
/// over the list of entries is kept as the archive's comment: ZipReader finds any single damaged byte.
class ZipWriter {
 public:
  explicit ZipWriter(const std::string& path) : file_(path), path_(path) {}
  /// Throws Error if an entry of that size does not fit any more: an archive stays below 4 GiB and 65535
  /// entries.
  void check_room(const std::string& name, std::uint64_t size) const;
  /// Adds an entry whose contents are `head` and then n bytes.
  void add(const std::string& name, const std::string& head, const void* data, std::uint64_t n);
  /// Completes the archive and gives it its name.
  void commit();

 private:
  OutputFile file_;
  std::string path_, directory_;
  std::uint64_t offset_ = 0;
  std::uint32_t count_ = 0;
};

}  // namespace damo
