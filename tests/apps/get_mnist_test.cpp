#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <mutex>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/support.h"

/// apps/get_mnist.sh against mirrors of our own, good and bad.
namespace damo::test {
namespace {

namespace fs = std::filesystem;
using Strings = std::vector<std::string>;

const Strings names{"train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz",
                    "t10k-labels-idx1-ubyte.gz"};
const std::string page = "<html><body>This is not the file.</body></html>\n";

std::string contents(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

void write(const fs::path& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

// The names in a folder.
std::set<std::string> listing(const fs::path& folder) {
  std::set<std::string> found;
  for (const auto& entry : fs::directory_iterator(folder)) found.insert(entry.path().filename().string());
  return found;
}

// A web server of five mirrors of `folder`: /right; /missing and /page answer by a page, with status 404 and
// 200; /half has the first half of each file; /broken closes the connection there.
class Mirrors {
 public:
  explicit Mirrors(fs::path folder) : folder_(std::move(folder)) {
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(bind(listener_, any, size) == 0);
    REQUIRE(listen(listener_, 8) == 0);
    REQUIRE(getsockname(listener_, any, &size) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }

  ~Mirrors() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }

  std::string url(const std::string& mirror) const {
    return "http://127.0.0.1:" + std::to_string(port_) + "/" + mirror;
  }

  // What was asked for, as "right/train-images-idx3-ubyte.gz".
  Strings requests() const {
    const std::scoped_lock lock(mutex_);
    return requests_;
  }

 private:
  void serve() {
    for (;;) {
      const int client = accept(listener_, nullptr, nullptr);
      if (client < 0) return;
      answer(client);
      close(client);
    }
  }

  void answer(int client) {
    std::string request;
    for (char c = 0; request.find("\r\n\r\n") == std::string::npos && recv(client, &c, 1, 0) == 1;)
      request += c;
    std::string get, path;
    std::istringstream(request) >> get >> path;
    path.erase(0, 1);
    {
      const std::scoped_lock lock(mutex_);
      requests_.push_back(path);
    }
    const std::string mirror = path.substr(0, path.find('/'));
    std::string body = contents(folder_ / path.substr(path.find('/') + 1));
    if (mirror == "missing" || mirror == "page") body = page;
    if (mirror == "half") body.resize(body.size() / 2);
    const std::string head = std::string(mirror == "missing" ? "HTTP/1.0 404 Not Found" : "HTTP/1.0 200 OK") +
                             "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n";
    if (mirror == "broken") body.resize(body.size() / 2);
    const std::string all = head + body;
    for (std::size_t sent = 0; sent < all.size();) {
      const ssize_t n = send(client, all.data() + sent, all.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return;
      sent += static_cast<std::size_t>(n);
    }
  }

  fs::path folder_;
  int listener_ = -1;
  int port_ = 0;
  std::thread thread_;
  mutable std::mutex mutex_;
  Strings requests_;
};

struct Outcome {
  int status;
  std::string err;
};

// Fetches into `folder`; `tools` is the only folder of commands, all of them if empty.
Outcome get_mnist(const std::string& folder, const Strings& mirrors, const std::string& tools = "") {
  std::string urls;
  for (const std::string& mirror : mirrors) urls += mirror + " ";
  const std::string err = temp_dir() + "/err";
  const std::string path = tools.empty() ? "" : "PATH='" + tools + "' ";
  const std::string command = "env no_proxy='*' NO_PROXY='*' DAMO_MNIST_MIRRORS='" + urls + "' " + path +
                              "bash '" DAMO_SOURCE_DIR "/apps/get_mnist.sh' '" + folder + "' >'" + err +
                              "' 2>&1";
  const int status = std::system(command.c_str());
  return {WEXITSTATUS(status), contents(err)};
}

bool is_installed(const std::string& tool) {
  return std::system(("command -v " + tool + " >/dev/null").c_str()) == 0;
}

// A folder with `tool` and the commands that the script needs beside it.
std::string tools_with(const std::string& tool) {
  const std::string folder = temp_dir();
  const std::string commands = "bash cp gzip mkdir mv rm sha256sum " + tool;
  const std::string command =
      "for name in " + commands + "; do ln -s \"$(command -v $name)\" '" + folder + "'; done";
  REQUIRE(std::system(command.c_str()) == 0);
  return folder;
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

void check_complete(const std::string& folder, const std::string& data) {
  CHECK(listing(folder) == std::set<std::string>(names.begin(), names.end()));
  for (const std::string& name : names)
    CHECK_MESSAGE(contents(folder + "/" + name) == contents(data + "/" + name), name);
}

// Nothing listens at this port.
const std::string nowhere = "http://127.0.0.1:1/mnist";

}  // namespace

TEST_CASE("bad mirrors are skipped with a word, by curl and by wget") {
  const auto data = mnist_dir();
  if (!data) return;
  for (const std::string tool : {"curl", "wget"}) {
    if (!is_installed(tool)) {
      std::cerr << "*** SKIPPED: " << tool << " is not installed ***" << std::endl;
      continue;
    }
    CAPTURE(tool);
    const Mirrors server(*data);
    const std::string folder = temp_dir() + "/new/folder";
    const Strings mirrors{nowhere,
                          server.url("missing"),
                          server.url("page"),
                          server.url("broken"),
                          server.url("half"),
                          server.url("right")};
    const Outcome outcome = get_mnist(folder, mirrors, tools_with(tool));
    CHECK_MESSAGE(outcome.status == 0, outcome.err);
    check_complete(folder, *data);
    for (const std::string& mirror : mirrors)
      CHECK_MESSAGE(has(outcome.err, "get_mnist: " + mirror + "/train-images-idx3-ubyte.gz\n"), outcome.err);
    CHECK(has(outcome.err, "get_mnist: this mirror failed\n"));
    CHECK(has(outcome.err, "get_mnist: this mirror's file has another checksum\n"));
    CHECK(has(outcome.err, "get_mnist: MNIST is in " + folder + "\n"));
  }
}

TEST_CASE("without a right mirror nothing is left, neither under the final name nor beside it") {
  const auto data = mnist_dir();
  if (!data) return;
  const std::string wrong = temp_dir(), folder = temp_dir();
  write(wrong + "/" + names[0], contents(*data + "/" + names[0]).substr(0, 100'000));
  const Outcome outcome = get_mnist(folder, {nowhere, "file://" + wrong, "file:///no/such/folder"});
  CHECK(outcome.status == 1);
  CHECK_MESSAGE(has(outcome.err, "get_mnist: no mirror has train-images-idx3-ubyte.gz\n"), outcome.err);
  CHECK(listing(folder).empty());
}

TEST_CASE("leftovers and wrong files are replaced, right ones are not asked for") {
  const auto data = mnist_dir();
  if (!data) return;
  const std::string folder = temp_dir();
  write(folder + "/" + names[0] + ".part", contents(*data + "/" + names[0]).substr(0, 5000));
  write(folder + "/" + names[1], page);
  write(folder + "/" + names[1] + ".part", page);
  for (const std::string& name : {names[2], names[3]}) fs::copy_file(*data + "/" + name, folder + "/" + name);
  const Outcome outcome = get_mnist(folder, {"file://" + *data});
  CHECK_MESSAGE(outcome.status == 0, outcome.err);
  check_complete(folder, *data);
  CHECK(has(outcome.err, "/" + names[1] + " has another checksum and will be replaced\n"));
  CHECK(!has(outcome.err, names[2]));
  CHECK(!has(outcome.err, names[3]));
}

TEST_CASE("a wrong file stays until there is a right one") {
  if (!mnist_dir()) return;
  const std::string folder = temp_dir();
  write(folder + "/" + names[0], page);
  CHECK(get_mnist(folder, {nowhere}).status == 1);
  CHECK(contents(folder + "/" + names[0]) == page);
}

TEST_CASE("where all files are right no mirror is asked") {
  const auto data = mnist_dir();
  if (!data) return;
  const Mirrors server(*data);
  const std::string folder = temp_dir();
  for (const std::string& name : names) fs::copy_file(*data + "/" + name, folder + "/" + name);
  CHECK(get_mnist(folder, {server.url("right")}).status == 0);
  CHECK(server.requests().empty());
  check_complete(folder, *data);
}

TEST_CASE("get_mnist takes one folder and no options") {
  const Outcome outcome = get_mnist("--help", {nowhere});
  CHECK(outcome.status == 2);
  CHECK(outcome.err == "usage: apps/get_mnist.sh [folder]\n");
}

}  // namespace damo::test
