#pragma once
#include <string>
#include <vector>

namespace damo::apps {

/// A file of a run, by the option that names it.
struct RunFile {
  std::string option = {}, path = {};
  bool written = true;        ///< so that what is there is lost
  std::string replaces = {};  ///< the option whose file it may be: that one was read before
};

/// Throws Error if a file that is written is another option's too, by whatever spelling or link.
void check_distinct(const std::vector<RunFile>& files);

/// Throws Error, which names the option, unless a file can be written at `path`: the folder must exist and
/// permit it, and nothing but a file that may be written may be there.
void check_writable(const std::string& option, const std::string& path);

/// Opens standard input, output and error on /dev/null where they are closed: else the first files that are
/// opened would take their places, and what is printed would go there.
void open_standard_streams();

}  // namespace damo::apps
