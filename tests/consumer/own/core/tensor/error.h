#pragma once

// The project's own, of a name that Damo has as well.
namespace consumer {

constexpr int success = 0, failure = 1;

}  // namespace consumer
