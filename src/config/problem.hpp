#pragma once

#include <string>

namespace tessera {

// One finding about a YAML file, worded for people: "run.yaml:12: engines[0].num_itr: unknown key (did you
// mean num_iter?)".
struct ConfigProblem {
    std::string where;    // "run.yaml:12" (file and line; "--set key=value" for an override)
    std::string key;      // "engines[0].num_itr"; empty where the whole file is meant
    std::string message;  // "unknown key (did you mean num_iter?)"
    std::string text() const;
};

}  // namespace tessera
