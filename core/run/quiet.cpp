#include "core/run/quiet.h"

namespace damo {
namespace {

thread_local int quiet = 0;

}  // namespace

bool is_quiet() { return quiet > 0; }
Quiet::Quiet() { ++quiet; }
Quiet::~Quiet() { --quiet; }

}  // namespace damo
