#pragma once

#include <string>

namespace tessera {

// A field of a table of comma-separated values, quoted where it must be (RFC 4180).
std::string csv_field(const std::string& text);

}  // namespace tessera
