#include "apps/log.h"

#include <cerrno>
#include <cmath>
#include <cstring>
#include <stdexcept>

#include "core/check.h"

namespace damo::apps {
namespace {

// Names and values are words of the programs themselves: nothing in them needs escaping.
std::string json(const std::string& text) { return fmt::format("\"{}\"", text); }
std::string json(std::int64_t value) { return std::to_string(value); }
std::string json(double value) { return std::isfinite(value) ? fmt::format("{:.17g}", value) : "null"; }

}  // namespace

Log::Log(const std::string& path, bool minibatches)
    : path_(path), minibatches_(minibatches && !path.empty()), file_(nullptr, &std::fclose) {
  if (path.empty()) return;
  file_.reset(std::fopen(path.c_str(), "w"));
  check(file_ != nullptr, "--log is {}, which cannot be written: {}", path, std::strerror(errno));
}

void Log::write(const std::vector<Field>& fields) {
  if (file_ == nullptr) return;
  std::string line;
  for (const Field& field : fields) {
    line += line.empty() ? "{" : ",";
    line += json(field.name) + ":" + std::visit([](const auto& value) { return json(value); }, field.value);
  }
  line += "}\n";
  const bool written = std::fwrite(line.data(), 1, line.size(), file_.get()) == line.size();
  if (!written || std::fflush(file_.get()) != 0)
    throw std::runtime_error(fmt::format("the log {} cannot be written: {}", path_, std::strerror(errno)));
}

}  // namespace damo::apps
