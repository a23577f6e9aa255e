#include "codelets/limit_object.hpp"
#include "codelets/smooth_object.hpp"
#include "tasks/graph.hpp"

// The phases of what is known of object and probe, whatever the engine.
namespace tessera {

void Graph::constrain_object(const ObjectConstraintsConfig& constraints) {
    HaloExchange::Fields objects(handles_.tiles.size());
    for (const std::size_t t : handles_.own) {
        const TileHandles& tile = handles_.tiles[t];
        objects[t] = &tile.object;
        if (!constraints.has_neighbours()) continue;
        smooth_object.submit(
            {tile.shape, tile.interior, handles_.num_planes, static_cast<float>(constraints.total_variation),
             static_cast<float>(constraints.smoothing)},
            {&tile.object, &handles_.state}, summing);
    }
    if (constraints.has_neighbours()) handles_.couplings.copy_voxels(handles_.owners, objects, summing);
    if (!constraints.has_limits()) return;
    LimitObjectArgs limits;
    if (constraints.amplitude) {
        limits.least_amplitude = (*constraints.amplitude)[0];
        limits.most_amplitude = (*constraints.amplitude)[1];
    }
    if (constraints.phase_rad) {
        limits.first_phase = (*constraints.phase_rad)[0];
        limits.last_phase = (*constraints.phase_rad)[1];
    }
    for (const std::size_t t : handles_.own) {
        limits.size = volume(handles_.tiles[t].shape, handles_.num_planes);
        limit_object.submit(limits, {objects[t], &handles_.state}, summing);
    }
}

void Graph::support_probe(SupportedPart part) const {
    tessera::support_probe.submit({*probe_support_, handles_.num_modes, handles_.probe_shape, part},
                                  {&handles_.probe, &handles_.probe_gradient, &handles_.state}, scalar);
}

void Graph::support_probe_gradient(ProbeMotion probe) const {
    if (!probe_support_ || probe == ProbeMotion::fixed) return;
    support_gradient.submit({*probe_support_, handles_.num_modes, handles_.probe_shape},
                            {&handles_.sums.total(), &handles_.state}, scalar);
}

void Graph::keep_probe_in_support() {
    support_probe(SupportedPart::all);
}

}  // namespace tessera
