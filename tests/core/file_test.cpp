#include "core/file.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "tests/core/files.h"
#include "tests/support.h"

using damo::test::files_in;
using damo::test::message_of;
using damo::test::read_file;
namespace fs = std::filesystem;

TEST_CASE("a file appears only when it is complete, and a link to it stays a link") {
  const std::string folder = damo::test::temp_dir(), path = folder + "/a.txt";
  {
    damo::OutputFile file(path);
    file.write("half", 4);
    CHECK(!fs::exists(path));
  }
  CHECK(files_in(folder) == 0);
  {
    damo::OutputFile file(path);
    file.write("whole", 5);
    file.commit();
  }
  CHECK(read_file(path) == "whole");
  CHECK(files_in(folder) == 1);
  fs::create_symlink("a.txt", folder + "/link");
  damo::OutputFile file(folder + "/link");
  file.write("new", 3);
  file.commit();
  CHECK(fs::is_symlink(folder + "/link"));
  CHECK(read_file(path) == "new");
  const damo::InputFile in(path);
  char bytes[4];
  CHECK(message_of([&] { in.read(1, bytes, 4); }) ==
        path + " is truncated: it ends at byte 3, 2 more were expected");
}
