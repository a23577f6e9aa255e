#include "tasks/batch_operations.hpp"

#include "codelets/accumulate_gradient.hpp"
#include "codelets/compare_trials.hpp"
#include "codelets/compare_waves.hpp"
#include "codelets/make_exit_waves.hpp"
#include "codelets/project_moduli.hpp"
#include "codelets/propagate.hpp"
#include "codelets/update_waves.hpp"

namespace tessera {

const StageWaves& BatchOperations::next_waves() {
    const StageWaves& waves = handles_.stage_waves[next_];
    next_ = (next_ + 1) % handles_.stage_waves.size();
    return waves;
}

void BatchOperations::gradient(const GradientArgs& args, const BatchData& batch, int priority) {
    if (are_staged()) return gradient_in_stages(args, batch, priority);
    const auto& [patterns, frames, object, out, kept] = batch;
    const Handles& h = handles_;
    if (args.waves == KeptWaves::none) {
        tessera::gradient.submit(args, {&patterns, &frames, &h.detector, &h.probe, &object, &h.state, &out},
                                 priority);
    } else {
        gradient_keeping_waves.submit(
            args, {&patterns, &frames, &h.detector, &h.probe, &object, &h.state, &out, kept}, priority);
    }
}

void BatchOperations::line_search(const LineSearchArgs& args, const BatchData& batch, int priority) {
    if (are_staged()) return line_search_in_stages(args, batch, priority);
    const auto& [patterns, frames, object, out, kept] = batch;
    const Handles& h = handles_;
    if (args.waves == KeptWaves::none) {
        tessera::line_search.submit(
            args, {&patterns, &frames, &h.detector, &h.probe, &object, &h.state, &out}, priority);
    } else {
        line_search_keeping_waves.submit(
            args, {&patterns, &frames, &h.detector, &h.probe, &object, &h.state, &out, kept}, priority);
    }
}

void BatchOperations::fourier_projection(const FourierProjectionArgs& args, const BatchData& batch,
                                         int priority) {
    if (are_staged()) return projection_in_stages(args, batch, priority);
    const Handles& h = handles_;
    tessera::fourier_projection.submit(args,
                                       {&batch.patterns, &batch.frames, &h.detector, &h.probe, &batch.object,
                                        &h.state, &batch.out, batch.kept},
                                       priority);
}

// A residual is itself where the waves are on their way: chi stays there.
void BatchOperations::gradient_in_stages(const GradientArgs& args, const BatchData& batch, int priority) {
    const Handles& h = handles_;
    const BatchShape& s = args.shape;
    const Data& waves = args.waves == KeptWaves::residual ? *batch.kept : next_waves().here;
    const auto travel = [&](Direction direction) {
        propagate.submit({s, direction}, {&batch.frames, &h.detector, &h.state, &waves}, priority);
    };
    clear.submit({out_bytes(s)}, {&batch.out}, priority);
    if (args.waves != KeptWaves::advance) {
        make_exit_waves.submit({s}, {&batch.frames, &h.probe, &batch.object, &h.state, &waves}, priority);
        travel(Direction::forward);
    }
    const CompareWavesArgs comparison = {s, Comparison::derivative, args.waves};
    if (args.waves == KeptWaves::refresh || args.waves == KeptWaves::advance) {
        compare_waves_keeping.submit(
            comparison,
            {&batch.patterns, &batch.frames, &h.detector, &h.state, &waves, &batch.out, batch.kept},
            priority);
    } else {
        compare_waves.submit(comparison,
                             {&batch.patterns, &batch.frames, &h.detector, &h.state, &waves, &batch.out},
                             priority);
    }
    travel(Direction::back);
    accumulate_gradient.submit(
        {s, args.probe}, {&batch.frames, &h.probe, &batch.object, &h.state, &waves, &batch.out}, priority);
}

void BatchOperations::line_search_in_stages(const LineSearchArgs& args, const BatchData& batch,
                                            int priority) {
    const Handles& h = handles_;
    const BatchShape& s = args.shape;
    const StageWaves& waves = next_waves();
    const auto make = [&](WaveOrder order, const Data& to) {
        make_exit_waves.submit({s, order, args.probe},
                               {&batch.frames, &h.probe, &batch.object, &h.state, &to}, priority);
        propagate.submit({s, Direction::forward}, {&batch.frames, &h.detector, &h.state, &to}, priority);
    };
    clear.submit({sizeof(BatchSums)}, {&batch.out}, priority);
    if (args.waves == KeptWaves::none) make(WaveOrder::here, waves.here);
    make(WaveOrder::along, waves.along);
    if (args.probe == ProbeMotion::moving) make(WaveOrder::along_twice, waves.along_twice);
    const CompareTrialsArgs comparison = {s, args.waves, args.probe};
    if (args.waves == KeptWaves::none) {
        compare_trials.submit(comparison,
                              {&batch.patterns, &batch.frames, &h.detector, &h.state, &batch.out, &waves.here,
                               &waves.along, &waves.along_twice},
                              priority);
    } else {
        compare_trials_keeping.submit(comparison,
                                      {&batch.patterns, &batch.frames, &h.detector, &h.state, &batch.out,
                                       batch.kept, &waves.along, &waves.along_twice},
                                      priority);
    }
}

void BatchOperations::projection_in_stages(const FourierProjectionArgs& args, const BatchData& batch,
                                           int priority) {
    const Handles& h = handles_;
    const Data& waves = next_waves().here;
    BatchShape s = args.shape;
    s.has_lights = false;  // one probe for all frames
    s.num_opr_modes = 0;
    const auto travel = [&](Direction direction) {
        propagate.submit({s, direction}, {&batch.frames, &h.detector, &h.state, &waves}, priority);
    };
    const auto make = [&](const Data& to) {
        make_exit_waves.submit({s}, {&batch.frames, &h.probe, &batch.object, &h.state, &to}, priority);
    };
    clear.submit({overlap_out_bytes(s)}, {&batch.out}, priority);
    if (args.waves == ExitWaves::begin) make(*batch.kept);
    if (args.cost == OverlapCost::compute) {
        make(waves);
        travel(Direction::forward);
        compare_waves.submit({s, Comparison::overlap_cost},
                             {&batch.patterns, &batch.frames, &h.detector, &h.state, &waves, &batch.out},
                             priority);
    }
    // With reflect = 1 that is P O, whose far fields are there.
    if (args.cost == OverlapCost::skip || args.map.reflect != 1) {
        reflect_waves.submit({s, args.map.reflect},
                             {&batch.frames, &h.probe, &batch.object, &h.state, batch.kept, &waves},
                             priority);
        travel(Direction::forward);
    }
    project_moduli.submit({s, args.power_bound}, {&batch.patterns, &h.detector, &h.state, &batch.out, &waves},
                          priority);
    travel(Direction::back);
    update_waves.submit({s, args.map, args.power_bound, args.object},
                        {&batch.frames, &h.probe, &batch.object, &h.state, &waves, &batch.out, batch.kept},
                        priority);
}

}  // namespace tessera
