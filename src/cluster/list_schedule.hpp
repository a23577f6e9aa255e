#pragma once

#include "cluster/submitted_graph.hpp"
#include "config/machine_config.hpp"
#include "tiling/machine.hpp"

namespace tessera {

// A model of a run that needs no simulator: when and where each task and message of a graph would take place.
// Workers are those of a rank, its GPUs or its cores. As StarPU does, a task goes to the GPU where it is
// expected to end first, copies of its data included, which set off at once, and a worker takes the most
// urgent of those given to it; cores take the most urgent of their rank. What is left out against
// simulating: links serve one copy after the other instead of sharing themselves out, schedulers and messages
// take no time of their own but the latency of two ways for each (an announcement, and the data), a GPU's
// memory has no end, messages do not wait for whoever receives them to be ready. `submit_ahead`: iterations
// that hosts are ahead of their records. Cost: a few us and some hundred bytes an event, its logarithm in
// number left out; more where many equally urgent tasks wait for copies, among which workers look in turn.
Schedule list_schedule(SubmittedGraph graph, const MachineConfig& machine, const Machine& workers,
                       int submit_ahead);

}  // namespace tessera
