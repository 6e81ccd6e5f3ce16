#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
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

// A web server of six mirrors of `folder`: /right; /missing and /page answer by a page, with status 404 and
// 200; /half has the first half of each file; /broken closes the connection there; /endless never ends.
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
    if (mirror != "endless") {
      send_all(client, all);
    } else if (send_all(client, "HTTP/1.0 200 OK\r\n\r\n")) {
      while (send_all(client, std::string(1 << 20, '\0'))) {
      }
    }
  }

  static bool send_all(int client, const std::string& bytes) {
    for (std::size_t sent = 0; sent < bytes.size();) {
      const ssize_t n = send(client, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return false;
      sent += static_cast<std::size_t>(n);
    }
    return true;
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
Outcome get_mnist(const std::string& folder, const Strings& mirrors, const std::string& tools = "",
                  const std::string& variables = "") {
  std::string urls;
  for (const std::string& mirror : mirrors) urls += mirror + " ";
  const std::string err = temp_dir() + "/err";
  const std::string path = tools.empty() ? "" : "PATH='" + tools + "' ";
  const std::string command = "env no_proxy='*' NO_PROXY='*' " + variables + " DAMO_MNIST_MIRRORS='" + urls +
                              "' " + path + "bash '" DAMO_SOURCE_DIR "/apps/get_mnist.sh' '" + folder +
                              "' >'" + err + "' 2>&1";
  const int status = std::system(command.c_str());
  return {WEXITSTATUS(status), contents(err)};
}

bool is_installed(const std::string& tool) {
  return std::system(("command -v " + tool + " >/dev/null").c_str()) == 0;
}

// A folder with `tool` and the commands that the script needs beside it.
std::string tools_with(const std::string& tool) {
  const std::string folder = temp_dir();
  const std::string commands = "bash cp gzip head mkdir mv rm sha256sum " + tool;
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

TEST_CASE("a file whose gzip data are damaged is not right, whatever it holds; one that is packed anew is") {
  const auto data = mnist_dir();
  if (!data) return;
  const std::string& name = names[3];
  const std::string good = contents(*data + "/" + name);
  std::string checksum = good, length = good;
  checksum[good.size() - 6] = static_cast<char>(checksum[good.size() - 6] ^ 1);
  length[good.size() - 1] = static_cast<char>(length[good.size() - 1] ^ 1);
  for (const std::string& bad :
       {checksum, length, good.substr(0, good.size() - 4), good + "more", good + good}) {
    const std::string folder = temp_dir();
    for (const std::string& other : {names[0], names[1], names[2]})
      fs::copy_file(*data + "/" + other, folder + "/" + other);
    write(folder + "/" + name, bad);
    const Outcome outcome = get_mnist(folder, {"file://" + *data});
    CHECK_MESSAGE(outcome.status == 0, outcome.err);
    CHECK(has(outcome.err, "/" + name + " has another checksum and will be replaced\n"));
    check_complete(folder, *data);
  }
  const std::string folder = temp_dir(), mirror = temp_dir();
  for (const std::string& other : names) fs::copy_file(*data + "/" + other, mirror + "/" + other);
  REQUIRE(std::system(
              ("gzip -dc '" + *data + "/" + name + "' | gzip -1 >'" + mirror + "/" + name + "'").c_str()) ==
          0);
  CHECK(get_mnist(folder, {"file://" + mirror}).status == 0);
  check_complete(folder, mirror);
  CHECK(contents(mirror + "/" + name) != good);
}

TEST_CASE("a mirror whose file does not end is left, by curl, by wget and where it is a file") {
  if (!mnist_dir()) return;
  const std::string folder = temp_dir(), local = temp_dir();
  fs::create_symlink("/dev/zero", local + "/" + names[0]);
  const Outcome outcome = get_mnist(folder, {"file://" + local});
  CHECK(outcome.status == 1);
  CHECK_MESSAGE(has(outcome.err, "get_mnist: this mirror failed\n"), outcome.err);
  CHECK(listing(folder).empty());
  for (const std::string tool : {"curl", "wget"}) {
    if (!is_installed(tool)) continue;
    CAPTURE(tool);
    const Mirrors server(temp_dir());
    const Outcome over_net = get_mnist(folder, {server.url("endless")}, tools_with(tool));
    CHECK(over_net.status == 1);
    CHECK_MESSAGE(has(over_net.err, "get_mnist: this mirror failed\n"), over_net.err);
    CHECK(listing(folder).empty());
  }
}

TEST_CASE("a mirror that was asked for safely leads to no other one that is not") {
  const auto data = mnist_dir();
  if (!data) return;
  if (!is_installed("openssl")) {
    std::cerr << "*** SKIPPED: openssl is not installed ***" << std::endl;
    return;
  }
  const Mirrors plain(*data);
  const std::string place = temp_dir();
  fs::create_directory(place + "/safe");
  for (const std::string& name : names)
    write(place + "/safe/" + name, "HTTP/1.0 302 Found\r\nLocation: " + plain.url("right") + "/" + name +
                                       "\r\nContent-Length: 0\r\n\r\n");
  const std::string start =
      "cd '" + place +
      "' && openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out cert -days 2 -subj /CN=127.0.0.1 "
      "-addext "
      "subjectAltName=IP:127.0.0.1 2>err && echo \"ca_certificate = $PWD/cert\" >wgetrc && "
      "{ openssl s_server -accept 127.0.0.1:0 -HTTP -key key -cert cert >out 2>&1 </dev/null & echo $! >pid; "
      "}";
  REQUIRE(std::system(start.c_str()) == 0);
  const std::string accept = "ACCEPT 127.0.0.1:";
  std::string port;
  while (port.empty() || port.back() != '\n') {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    const std::string out = contents(place + "/out");
    if (has(out, accept)) port = out.substr(out.find(accept) + accept.size());
    REQUIRE(!has(out, "error"));
  }
  port.resize(port.find('\n'));
  for (const std::string tool : {"curl", "wget"}) {
    if (!is_installed(tool)) continue;
    CAPTURE(tool);
    const std::string folder = temp_dir();
    const std::size_t size_before = contents(place + "/out").size();
    const Outcome outcome = get_mnist(folder, {"https://127.0.0.1:" + port + "/safe"}, tools_with(tool),
                                      "CURL_CA_BUNDLE='" + place + "/cert' WGETRC='" + place + "/wgetrc'");
    CHECK(outcome.status == 1);
    CHECK_MESSAGE(has(outcome.err, "get_mnist: this mirror failed\n"), outcome.err);
    CHECK(listing(folder).empty());
    CHECK(plain.requests().empty());
    // It was asked, and trusted.
    CHECK(contents(place + "/out").size() > size_before);
  }
  CHECK(std::system(("kill $(cat '" + place + "/pid')").c_str()) == 0);
}

TEST_CASE("a folder in the place of a file is said") {
  const std::string folder = temp_dir();
  fs::create_directory(folder + "/" + names[0]);
  const Outcome outcome = get_mnist(folder, {nowhere});
  CHECK(outcome.status == 1);
  CHECK(outcome.err == "get_mnist: " + folder + "/" + names[0] + " is there and not a file\n");
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
