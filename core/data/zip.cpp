#include "core/data/zip.h"

#include <zlib.h>

#include <algorithm>
#include <set>
#include <string_view>

#include "core/tensor/check.h"

namespace damo {
namespace {

constexpr std::uint32_t local_signature = 0x04034b50, central_signature = 0x02014b50,
                        end_signature = 0x06054b50;
constexpr std::size_t local_size = 30, central_size = 46, end_size = 22;
constexpr std::uint64_t zip64_mark = 0xffffffff;  // in place of a size: the number is in a zip64 record
constexpr std::uint32_t encrypted = 1, descriptor_follows = 8, utf8_name = 0x800, deflate_level = 6;

std::uint32_t get16(const char* p) {
  return static_cast<unsigned char>(p[0]) | static_cast<std::uint32_t>(static_cast<unsigned char>(p[1])) << 8;
}
std::uint32_t get32(const char* p) { return get16(p) | get16(p + 2) << 16; }
std::uint64_t get64(const char* p) { return get32(p) | static_cast<std::uint64_t>(get32(p + 4)) << 32; }

void put16(std::string& s, std::uint64_t v) {
  s += static_cast<char>(v & 0xff);
  s += static_cast<char>(v >> 8 & 0xff);
}
void put32(std::string& s, std::uint64_t v) {
  put16(s, v & 0xffff);
  put16(s, v >> 16);
}

std::uint32_t crc_of(std::uint32_t crc, const void* data, std::uint64_t n) {
  return static_cast<std::uint32_t>(
      ::crc32_z(crc, static_cast<const Bytef*>(data), static_cast<z_size_t>(n)));
}

/// The archive's comment: a checksum over the list of entries and the record that ends the archive.
std::string seal(std::string_view directory, std::string_view end) {
  const std::uint32_t crc = crc_of(0, directory.data(), directory.size());
  return fmt::format("damo crc32 {:08x}", crc_of(crc, end.data(), end.size()));
}
constexpr std::size_t seal_size = 19;

}  // namespace

ZipReader::ZipReader(const std::string& path) : file_(path) {
  read_directory();
  std::set<std::string> names;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    check(names.insert(entries_[i].name).second, "{} is there twice", where(entries_[i]));
    check_local_header(entries_[i], i + 1 < entries_.size() ? entries_[i + 1].header : directory_);
  }
  check(directory_ == 0 || (!entries_.empty() && entries_[0].header == 0),
        "{} is damaged: it holds bytes of no entry", path);
}

std::string ZipReader::where(const ZipEntry& entry) const {
  return fmt::format("{}: entry '{}'", file_.path(), printable(entry.name));
}

void ZipReader::read_directory() {
  const std::string& path = file_.path();
  const std::uint64_t size = file_.size();
  check(size > 0, "{} is empty, expected a zip archive", path);
  std::string begin(std::min<std::uint64_t>(size, 4), '\0');
  file_.read(0, begin.data(), begin.size());
  check(begin.substr(0, 2) == "PK", "{} is not a zip archive: it begins with '{}', expected 'PK'", path,
        printable(begin));

  // The record that ends the archive, and a comment that reaches to the end of the file.
  std::string tail(std::min<std::uint64_t>(size, end_size + 0xffff), '\0');
  file_.read(size - tail.size(), tail.data(), tail.size());
  std::size_t comment = 0;
  const auto ends_here = [&] {
    const char* p = tail.data() + tail.size() - end_size - comment;
    return get32(p) == end_signature && get16(p + 20) == comment;
  };
  while (end_size + comment <= tail.size() && !ends_here()) ++comment;
  check(end_size + comment <= tail.size(), "{} is damaged or truncated: no end of a zip archive was found",
        path);
  const std::uint64_t end = size - end_size - comment;
  const char* p = tail.data() + tail.size() - end_size - comment;
  const std::uint32_t count = get16(p + 10);
  const std::uint64_t directory_size = get32(p + 12);
  directory_ = get32(p + 16);
  check(count != 0xffff && directory_size != zip64_mark && directory_ != zip64_mark,
        "{} is a zip64 archive, which is not supported", path);
  check(get32(p + 4) == 0 && get16(p + 8) == count, "{} is a part of a zip archive in several files", path);
  check(directory_ + directory_size == end, "{} is damaged: the list of its entries does not reach its end",
        path);

  std::string directory(static_cast<std::size_t>(directory_size), '\0');
  file_.read(directory_, directory.data(), directory.size());
  if (comment == seal_size)
    check(std::string_view(p + end_size, comment) == seal(directory, {p, end_size}),
          "{} is damaged: the checksum of the list of its entries is wrong", path);

  std::size_t at = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    const char* e = directory.data() + at;
    const std::size_t left = directory.size() - at;
    check(left >= central_size && get32(e) == central_signature &&
              left - central_size >= get16(e + 28) + get16(e + 30) + get16(e + 32),
          "{} is damaged: the list of its entries breaks off at entry {} of {}", path, i, count);
    ZipEntry entry;
    entry.name.assign(e + central_size, get16(e + 28));
    entry.version = get16(e + 6);
    entry.flags = get16(e + 8);
    entry.time = get16(e + 12);
    entry.date = get16(e + 14);
    entry.crc = get32(e + 16);
    entry.packed_size = get32(e + 20);
    entry.size = get32(e + 24);
    entry.header = get32(e + 42);
    const std::uint32_t method = get16(e + 10);
    check(!entry.name.empty(), "{} is damaged: entry {} has no name", path, i);
    check((entry.flags & encrypted) == 0, "{} is encrypted, which is not supported", where(entry));
    check((entry.flags & ~(descriptor_follows | utf8_name | deflate_level)) == 0 &&
              (method == 0 || method == 8),
          "{} uses method {} with flags {:#x}, expected stored or deflated", where(entry), method,
          entry.flags);
    entry.deflated = method == 8;
    check(entry.packed_size != zip64_mark && entry.size != zip64_mark && entry.header != zip64_mark,
          "{} uses zip64, which is not supported", where(entry));
    // Deflate packs at most 1032 bytes into one.
    const bool plausible =
        entry.deflated ? entry.size / 1032 <= entry.packed_size : entry.size == entry.packed_size;
    check(plausible, "{} is damaged: {} bytes cannot hold {}", where(entry), entry.packed_size, entry.size);
    at += central_size + get16(e + 28) + get16(e + 30) + get16(e + 32);
    entries_.push_back(std::move(entry));
  }
  check(at == directory.size(), "{} is damaged: the list of its entries holds more than {}", path, count);
}

void ZipReader::check_local_header(ZipEntry& entry, std::uint64_t next) const {
  const std::string at = where(entry);
  check(entry.header <= next && next - entry.header >= local_size,
        "{} is damaged: it begins outside the archive", at);
  std::string head(local_size, '\0');
  file_.read(entry.header, head.data(), head.size());
  const char* p = head.data();
  const std::uint64_t name_size = get16(p + 26), extra_size = get16(p + 28);
  check(get32(p) == local_signature && next - entry.header - local_size >= name_size + extra_size,
        "{} is damaged: its header is", at);
  std::string more(static_cast<std::size_t>(name_size + extra_size), '\0');
  file_.read(entry.header + local_size, more.data(), more.size());
  entry.data = entry.header + local_size + name_size + extra_size;

  std::uint64_t packed_size = get32(p + 18), size = get32(p + 22);
  // NumPy reserves room for a zip64 record, even for small entries: size and then packed size.
  if (packed_size == zip64_mark && size == zip64_mark) {
    const char* extra = more.data() + name_size;
    check(extra_size >= 20 && get16(extra) == 1 && get16(extra + 2) == 16,
          "{} is damaged: its zip64 record is", at);
    size = get64(extra + 4);
    packed_size = get64(extra + 12);
  }
  const bool later = (entry.flags & descriptor_follows) != 0;  // checksum and sizes follow the contents
  const bool same_numbers =
      get32(p + 14) == entry.crc && packed_size == entry.packed_size && size == entry.size;
  check(more.compare(0, static_cast<std::size_t>(name_size), entry.name) == 0 &&
            get16(p + 4) == entry.version && get16(p + 6) == entry.flags &&
            get16(p + 8) == (entry.deflated ? 8U : 0U) && get16(p + 10) == entry.time &&
            get16(p + 12) == entry.date && (later || same_numbers),
        "{} is damaged: its header and the list of entries differ", at);
  check(entry.packed_size <= next - entry.data, "{} is damaged: its contents reach beyond the next entry",
        at);
  const std::uint64_t gap = next - entry.data - entry.packed_size;
  check(gap == 0 || (later && gap >= 12 && gap <= 24), "{} is damaged: {} bytes too many follow it", at, gap);
}

struct ZipEntryStream::Inflater {
  z_stream stream{};
  char buffer[65536];
};

ZipEntryStream::ZipEntryStream(const ZipReader& archive, const ZipEntry& entry)
    : archive_(archive), entry_(entry) {
  if (!entry.deflated) return;
  inflater_ = std::make_unique<Inflater>();
  // Negative: deflate data without zlib's own header.
  invariant(::inflateInit2(&inflater_->stream, -MAX_WBITS) == Z_OK, "zlib could not be started");
}

ZipEntryStream::~ZipEntryStream() {
  if (inflater_) ::inflateEnd(&inflater_->stream);
}

void ZipEntryStream::read(void* out, std::size_t n) {
  invariant(n <= entry_.size - read_, "{} is read beyond its end", archive_.where(entry_));
  if (inflater_) {
    inflate(out, n);
  } else {
    archive_.file().read(entry_.data + read_, out, n);
  }
  crc_ = crc_of(crc_, out, n);
  read_ += n;
}

void ZipEntryStream::inflate(void* out, std::size_t n) {
  z_stream& z = inflater_->stream;
  auto* to = static_cast<Bytef*>(out);
  while (n > 0) {
    if (z.avail_in == 0 && packed_read_ < entry_.packed_size) {
      const std::uint64_t m =
          std::min<std::uint64_t>(sizeof inflater_->buffer, entry_.packed_size - packed_read_);
      archive_.file().read(entry_.data + packed_read_, inflater_->buffer, static_cast<std::size_t>(m));
      packed_read_ += m;
      z.next_in = reinterpret_cast<Bytef*>(inflater_->buffer);
      z.avail_in = static_cast<uInt>(m);
    }
    const auto room = static_cast<uInt>(std::min<std::size_t>(n, 1U << 30));
    z.next_out = to;
    z.avail_out = room;
    const int status = ::inflate(&z, Z_NO_FLUSH);
    const std::size_t got = room - z.avail_out;
    to += got;
    n -= got;
    check((status == Z_OK || status == Z_STREAM_END) && (n == 0 || status == Z_OK),
          "{} is damaged: its packed contents are", archive_.where(entry_));
  }
}

void ZipEntryStream::finish() {
  invariant(read_ == entry_.size, "{} is not read to its end", archive_.where(entry_));
  if (inflater_) {
    // Where the contents end, so must the packed ones: one more byte is asked for, and none may come.
    Bytef beyond = 0;
    z_stream& z = inflater_->stream;
    z.next_out = &beyond;
    z.avail_out = 1;
    int status = Z_OK;
    while (status == Z_OK && z.avail_out == 1) {
      if (z.avail_in == 0 && packed_read_ < entry_.packed_size) {
        archive_.file().read(entry_.data + packed_read_, inflater_->buffer, 1);
        ++packed_read_;
        z.next_in = reinterpret_cast<Bytef*>(inflater_->buffer);
        z.avail_in = 1;
      }
      status = ::inflate(&z, Z_NO_FLUSH);
    }
    check(status == Z_STREAM_END && z.avail_out == 1 && z.avail_in == 0 && packed_read_ == entry_.packed_size,
          "{} is damaged: its packed contents do not end where they should", archive_.where(entry_));
  }
  check(crc_ == entry_.crc, "{} is damaged: its checksum is {:08x}, expected {:08x}", archive_.where(entry_),
        crc_, entry_.crc);
}

void ZipWriter::check_room(const std::string& name, std::uint64_t size) const {
  check(name.size() <= 0xffff, "{}: the name of an entry is {} bytes long, at most 65535 are possible", path_,
        name.size());
  const std::uint64_t others = offset_ + directory_.size() + end_size + seal_size;
  const std::uint64_t headers = local_size + central_size + 2 * name.size();
  check(size < zip64_mark && others + headers + size < zip64_mark,
        "{}: with '{}' of {} bytes the archive would reach 4 GiB, the limit of the format", path_,
        printable(name), size);
  check(count_ < 0xfffe, "{}: an archive holds at most 65534 entries", path_);
}

void ZipWriter::add(const std::string& name, const std::string& head, const void* data, std::uint64_t n) {
  const std::uint64_t size = head.size() + n;
  check_room(name, size);
  const bool ascii =
      std::all_of(name.begin(), name.end(), [](char c) { return static_cast<signed char>(c) >= 0; });
  std::string common;
  put16(common, 20);  // version needed: 2.0
  put16(common, ascii ? 0 : utf8_name);
  put16(common, 0);       // stored
  put16(common, 0);       // midnight
  put16(common, 0x0021);  // of 1 January 1980
  put32(common, crc_of(crc_of(0, head.data(), head.size()), data, n));
  put32(common, size);
  put32(common, size);
  put16(common, name.size());
  put16(common, 0);  // no extra field

  std::string local;
  put32(local, local_signature);
  local += common + name + head;
  put32(directory_, central_signature);
  put16(directory_, 20);  // made by version 2.0 on no system in particular
  directory_ += common;
  for (int i = 0; i < 3; ++i) put16(directory_, 0);  // no comment, first disk, no attributes
  put32(directory_, 0);
  put32(directory_, offset_);
  directory_ += name;

  file_.write(local.data(), local.size());
  file_.write(data, static_cast<std::size_t>(n));
  offset_ += local.size() + n;
  ++count_;
}

void ZipWriter::commit() {
  std::string end;
  put32(end, end_signature);
  put32(end, 0);
  put16(end, count_);
  put16(end, count_);
  put32(end, directory_.size());
  put32(end, offset_);
  put16(end, seal_size);
  const std::string all = directory_ + end + seal(directory_, end);
  file_.write(all.data(), all.size());
  file_.commit();
}

}  // namespace damo
