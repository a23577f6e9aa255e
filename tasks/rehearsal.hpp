#pragma once

#include "tasks/handles.hpp"

namespace tessera {

// Submits what the first `num_iter` iterations of the first engine submit, as far ahead of their records as a
// reconstruction does, and looks at no number on the way: what a simulation needs, where there are none.
// Without results, snapshots and checkpoints. Returns when the last record is there.
void rehearse(const Problem& problem, Handles& handles, int num_iter);

}  // namespace tessera
