// The message of the last failure, one for each thread.
#include "mdt.h"

#include <c10/util/Exception.h>

#include <string>

namespace {
thread_local std::string last_error;
}

namespace mdt {

void keep_error() noexcept {
  try {
    try {
      throw;
    } catch (const c10::Error& error) {
      last_error = error.what_without_backtrace();
    } catch (const std::exception& error) {
      last_error = error.what();
    } catch (...) {
      last_error = "an exception of unknown type";
    }
  } catch (...) {
    // No memory for the message: an empty one still says that the call failed.
    last_error.clear();
  }
}

}  // namespace mdt

MDT_API const char* mdt_error() {
  return last_error.c_str();
}
