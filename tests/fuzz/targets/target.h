#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

/// What a fuzz target is: it ends the process unless damaged bytes give an Error, and good ones a value.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace damo::fuzz {

/// The same path at every call, in a folder of this process: a file of these bytes.
std::string file_of(const std::string& name, const std::string& bytes);

/// The message of the Error that f throws, or "". Anything else that it throws goes on.
std::string error_of(const std::function<void()>& f);

/// Ends the process, with the property on standard error, unless it holds.
void expect(bool holds, const std::string& property);

}  // namespace damo::fuzz
