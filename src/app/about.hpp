#pragma once

#include <map>
#include <string>

#include "codelets/runtime/runtime.hpp"
#include "tasks/problem.hpp"

namespace tessera::app {

std::string describe_host();  // "host: processor, 2 cores, GPUs"

// What a result says about how it was made: versions, commit, host, device, tiling, transforms.
std::map<std::string, std::string> about_run(const Problem& problem, const Runtime& runtime);

}  // namespace tessera::app
