#include "tasks/reconstruction.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "base/log.hpp"
#include "codelets/position_rules.hpp"
#include "codelets/runtime/trace_recorder.hpp"
#include "scan/orthogonal_modes.hpp"

namespace tessera {
namespace {

double now_s() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Error not_finite(const std::string& engine, std::ptrdiff_t iterations, std::int64_t bad_frames) {
    return {
        ExitCode::diverged,
        fmt::format("{}: the cost is not finite after {} iterations ({} frames; a smaller step or another "
                    "noise_model may help)",
                    engine, iterations, bad_frames)};
}

MeanPowers mean_powers_of(const Problem& problem, const FrameStatistics& statistics) {
    double num_pixels = 0;
    for (const float used : problem.scan.mask) num_pixels += static_cast<double>(used);
    const double probe_pixels =
        static_cast<double>(problem.probe_shape[0]) * static_cast<double>(problem.probe_shape[1]);
    return {*std::max_element(statistics.counts.begin(), statistics.counts.end()) / num_pixels,
            statistics.total_counts / (static_cast<double>(statistics.counts.size()) * probe_pixels)};
}

// <a, b>
cdouble inner_product(const View<const cfloat, 2>& a, const View<const cfloat, 2>& b) {
    cdouble sum = {0, 0};
    for (std::ptrdiff_t r = 0; r < a.size(); ++r) {
        const cdouble x = {static_cast<double>(a[r].re), static_cast<double>(a[r].im)},
                      y = {static_cast<double>(b[r].re), static_cast<double>(b[r].im)};
        sum = conj_mul_add(x, y, sum);
    }
    return sum;
}

}  // namespace

// One engine's bookkeeping while it runs.
struct Reconstruction::EngineRun {
    std::size_t index = 0;  // in the run file
    EngineConfig config;
    std::string name;
    int first_iteration = 0;
    std::vector<IterationState> records;
    int snapshot_at = -1;  // iteration whose copies are on their way
    int last_snapshot = 0;
    StopReason reason = StopReason::none;
    // Of the engine with which this run begins: its first iteration, and the next at which a run can begin.
    // In between a stop would leave nothing to go on from but what there was.
    int begins_at = -1, next_beginning = -1;
    bool has_told_why_it_goes_on = false;
};

Reconstruction::Reconstruction(const Problem& problem, Handles& handles, const FrameStatistics& statistics,
                               ReconstructionHooks hooks)
    : problem_(problem),
      handles_(handles),
      statistics_(statistics),
      hooks_(std::move(hooks)),
      graph_(handles),
      snapshot_(problem, handles) {
    for (const EngineConfig& engine : problem.config.engines) overall_num_iter_ += engine.num_iter;
    graph_.set_mean_powers(mean_powers_of(problem, statistics));
}

void Reconstruction::run(const RunState& from) {
    const double begin_s = now_s();
    start_s_ = begin_s - from.elapsed_s();
    history_ = from.finished;
    stop_ = {};
    stop_.requested = hooks_.stop_requested;
    if (const auto& limit = problem_.config.runtime.time_limit_s) stop_.deadline_s = begin_s + *limit;
    if (hooks_.checkpoints != nullptr) stop_.ready_to_checkpoint = &Checkpoints::vote();
    std::size_t index = 0;
    for_each_engine(problem_, [&](const EngineSettings& settings, int first_iteration) {
        EngineRun run;
        run.index = index++;
        run.config = settings.config;
        run.name = name(settings.config.name);
        run.first_iteration = first_iteration;
        if (stopped_early_ || run.index < from.engine) return;
        if (run.index == from.engine) {
            run.records = from.records;
            run.begins_at = from.iteration;
        }
        for (IterationState& record : run.records) record.time_s += start_s_;
        run_engine(settings, run);
    });
    if (hooks_.checkpoints != nullptr) hooks_.checkpoints->finish();
    snapshot_.submit_copies();
}

// From the records that there are on.
void Reconstruction::run_engine(const EngineSettings& settings, EngineRun& run) {
    const EngineConfig& config = settings.config;
    const auto first = static_cast<int>(run.records.size());
    IterationState state;
    state.ladder_centre = 1.0 / problem_.num_slices();  // all slices move the exit wave: their steps add up
    if (!run.records.empty()) state = run.records.back();
    *HostAccess(handles_.state, Access::write).as<IterationState>() = state;
    run.last_snapshot = first;
    graph_.set_noise_model(config.noise_model);
    const auto engine = make_engine(settings);
    if (run.begins_at >= 0 && hooks_.checkpoints != nullptr) {
        run.next_beginning = first + 1;
        while (!engine->can_begin_at(run.next_beginning)) ++run.next_beginning;
    }

    const int ahead = problem_.config.runtime.submit_ahead;
    int submitted = first;
    bool going = true;
    for (; submitted < config.num_iter && going; ++submitted) {
        if (submitted - first >= ahead) going = take_record(run, submitted - ahead);
        if (!going) break;
        if (hooks_.checkpoints != nullptr && engine->can_begin_at(submitted))
            hooks_.checkpoints->submit_copies({run.index, submitted, run.first_iteration + submitted});
        trace_iteration(run.first_iteration + submitted);
        graph_.set_stop_condition(stop_condition(run, submitted));
        submit_iteration(*engine, settings, graph_, submitted);
        graph_.record(submitted);
        submit_snapshot(run, submitted);
    }
    for (int n = static_cast<int>(run.records.size()); n < submitted && run.reason == StopReason::none; ++n) {
        take_record(run, n);
    }
    if (hooks_.checkpoints != nullptr) {
        hooks_.checkpoints->end_engine(run.reason == StopReason::requested,
                                       [&](int iteration) { return state_before(run, iteration); });
    }
    finish_engine(run);
}

// A run that ends before it comes to an iteration at which it could begin has done nothing for the next one:
// jobs shorter than that would repeat the same iterations for ever. Such a run goes on until there.
VoteToStopArgs Reconstruction::stop_condition(const EngineRun& run, int iteration) const {
    VoteToStopArgs stop = stop_;
    if (iteration >= run.next_beginning) return stop;
    stop.deadline_s = VoteToStopArgs().deadline_s;
    if (iteration > run.begins_at) stop.requested = nullptr;
    return stop;
}

void Reconstruction::tell_why_it_goes_on(EngineRun& run, int iteration) const {
    const bool is_waited_for = iteration > run.begins_at && iteration + 1 < run.next_beginning;
    if (!is_waited_for || run.has_told_why_it_goes_on || !stop_.must_stop()) return;
    run.has_told_why_it_goes_on = true;
    if (!handles_.owners.ranks->is_first()) return;
    log::info(
        "{}: stops after {} iterations, from where it can go on (runtime.waves: keep); before, nothing would "
        "be won",
        run.name, std::min(run.next_beginning, run.config.num_iter));
}

// Where the run stands before an iteration of the engine that is running.
RunState Reconstruction::state_before(const EngineRun& run, int iteration) const {
    RunState state;
    state.engine = run.index;
    state.iteration = iteration;
    state.finished = history_;
    state.records.assign(run.records.begin(), run.records.begin() + iteration);
    for (IterationState& record : state.records) record.time_s -= start_s_;
    return state;
}

// Waits for the record of `iteration`, reports it, and says whether to go on.
bool Reconstruction::take_record(EngineRun& run, int iteration) {
    IterationState record;
    {
        const HostAccess access(graph_.record_of(iteration), Access::read);
        record = *access.as<const IterationState>();
    }
    throw_task_failure();
    run.records.push_back(record);
    run.reason = static_cast<StopReason>(record.stopped);
    if (run.reason == StopReason::not_finite) throw not_finite(run.name, iteration, record.bad_frames);
    if (hooks_.on_iteration) {
        const double counts = statistics_.total_counts;
        hooks_.on_iteration({run.name, iteration, run.config.num_iter, run.first_iteration + iteration,
                             overall_num_iter_, record.cost, record.squared_error / counts, record.step,
                             record.beta, record.time_s - start_s_});
    }
    tell_why_it_goes_on(run, iteration);
    // This record has the cost after the step whose object and probe were copied.
    if (run.snapshot_at + 1 == iteration && run.snapshot_at >= 0) {
        run.snapshot_at = -1;
        hooks_.on_snapshot(snapshot_result(run, record), snapshot_.object());
    }
    // What was submitted after this record does nothing any more.
    if (run.reason != StopReason::none) handles_.stream.abandon();
    if (hooks_.checkpoints != nullptr) {
        hooks_.checkpoints->take_record(iteration, record.checkpoint_votes,
                                        [&](int before) { return state_before(run, before); });
    }
    stopped_early_ = stopped_early_ || run.reason == StopReason::requested;
    return run.reason == StopReason::none;
}

// The record of an iteration has the cost before its step; the cost after it is in the next record, and at
// the very end in a pass of its own.
void Reconstruction::finish_engine(EngineRun& run) {
    graph_.evaluate();
    {
        const HostAccess access(graph_.evaluation(), Access::read);
        const BatchSums& sums = *batch_sums(access.as<const std::byte>());
        final_cost_ = sums.cost;
        final_data_error_ = sums.squared_error / statistics_.total_counts;
    }
    throw_task_failure();
    if (!std::isfinite(final_cost_) || !std::isfinite(final_data_error_))
        throw not_finite(run.name, std::ssize(run.records), 0);
    append(history_, run, run.records.size(), final_cost_, final_data_error_);
    if (run.reason == StopReason::no_descent) {
        log::info("{}: no step lowers the cost any more after {} iterations: as far as single precision goes",
                  run.name, run.records.size());
    }
    if (run.reason == StopReason::converged) {
        log::info("{}: converged after {} iterations (tolerance {:g})", run.name, run.records.size(),
                  run.config.tolerance);
    }
}

// The first `count` iterations of a run, each with what was known after its step.
void Reconstruction::append(History& history, const EngineRun& run, std::size_t count, double last_cost,
                            double last_data_error) const {
    for (std::size_t n = 0; n < count; ++n) {
        const bool last = n + 1 == count;
        const double error =
            last ? last_data_error : run.records[n + 1].squared_error / statistics_.total_counts;
        history.cost.push_back(last ? last_cost : run.records[n + 1].cost);
        history.data_error.push_back(error);
        history.step.push_back(run.records[n].step);
        history.time_s.push_back(run.records[n].time_s - start_s_);
    }
}

// `record`: of the iteration after the copied one.
Result Reconstruction::snapshot_result(const EngineRun& run, const IterationState& record) const {
    History history = history_;
    const double data_error = record.squared_error / statistics_.total_counts;
    append(history, run, run.records.size() - 1, record.cost, data_error);
    return result_of(history, record.cost, data_error);
}

void Reconstruction::submit_snapshot(EngineRun& run, int iteration) {
    const int interval = problem_.config.output.save_interval;
    if (interval == 0 || !hooks_.on_snapshot || run.snapshot_at >= 0) return;
    if (iteration + 1 - run.last_snapshot < interval || iteration + 1 == run.config.num_iter) return;
    snapshot_.submit_copies();
    run.snapshot_at = iteration;
    run.last_snapshot = iteration + 1;
}

std::vector<double> Reconstruction::error_per_frame() const {
    std::vector<double> errors(problem_.placement.windows.size());
    for (const std::size_t t : handles_.own) {
        for (std::size_t b = 0; b < handles_.tiles[t].batches.size(); ++b) {
            if (!handles_.tiles[t].batches[b].is_own) continue;
            const HostAccess access(handles_.tiles[t].batches[b].frame_errors, Access::read);
            const auto* batch_errors = access.as<const double>();
            const auto& frames = problem_.tiling.tiles[t].batches[b].frames;
            for (std::size_t j = 0; j < frames.size(); ++j) {
                const auto frame = static_cast<std::size_t>(frames[j]);
                errors[frame] = batch_errors[j] / std::max(statistics_.counts[frame], 1e-300);
            }
        }
    }
    handles_.owners.ranks->sum_disjoint(errors);
    return errors;
}

// Where frames are now, away from where the scan says: the copied places of all ranks.
void Reconstruction::add_shifts(Result& result) const {
    const auto num_frames = result.positions_px.extent(0);
    std::vector<double> shifts(2 * static_cast<std::size_t>(num_frames));
    snapshot_.get_shifts(shifts);
    handles_.owners.ranks->sum_disjoint(shifts);
    result.position_shifts_px = Array<double, 2>({num_frames, 2});
    BatchSums sums;
    const double num = static_cast<double>(num_frames);
    std::array<double, 2> middle = {0, 0};
    for (std::ptrdiff_t i = 0; i < num_frames; ++i)
        for (std::ptrdiff_t axis = 0; axis < 2; ++axis)
            middle[static_cast<std::size_t>(axis)] += result.positions_px(i, axis) / num;
    for (std::ptrdiff_t i = 0; i < num_frames; ++i) {
        FramePlace place;
        for (std::size_t axis = 0; axis < 2; ++axis) {
            const auto a = static_cast<std::ptrdiff_t>(axis);
            place.shift[axis] = shifts[2 * static_cast<std::size_t>(i) + axis];
            place.from_centre[axis] = result.positions_px(i, a) - middle[axis];
            result.position_shifts_px(i, a) = place.shift[axis];
            result.positions_px(i, a) += place.shift[axis];
        }
        rules::add_plan({}, place, sums);
    }
    const rules::PositionModel model =
        rules::fit_positions(sums.position_moments, handles_.scan_moments, {true, true, true, true});
    std::copy(std::begin(model.parameters), std::end(model.parameters), result.position_model.begin());
}

void Reconstruction::set_positions(Result& result) const {
    const auto num_frames = std::ssize(problem_.placement.windows);
    result.positions_px = Array<double, 2>({num_frames, 2});
    for (std::ptrdiff_t i = 0; i < num_frames; ++i) {
        const WindowPosition& window = problem_.placement.windows[static_cast<std::size_t>(i)];
        result.positions_px(i, 0) = window.y + static_cast<double>(window.frac_y);
        result.positions_px(i, 1) = window.x + static_cast<double>(window.frac_x);
    }
    if (problem_.refines_positions()) add_shifts(result);
}

// Of the copied lights of all ranks, (frame, number); empty where the probe does not vary.
std::vector<double> Reconstruction::gather_lights() const {
    if (!problem_.varies_probe()) return {};
    const auto size = static_cast<std::size_t>(light_size(handles_.num_opr_modes));
    std::vector<double> lights(problem_.placement.windows.size() * size);
    snapshot_.get_lights(lights);
    handles_.owners.ranks->sum_disjoint(lights);
    return lights;
}

// `result` has the probe. A frame's power is s^2 (sum_k |P_k|^2 + 2 Re sum_i w_i <P_0, E_i> + sum_i |w_i|^2).
void Reconstruction::set_lights(Result& result, const std::vector<double>& lights) const {
    if (lights.empty()) return;
    const std::ptrdiff_t n = handles_.num_opr_modes, size = light_size(handles_.num_opr_modes);
    const auto num_frames = std::ssize(problem_.placement.windows);
    std::vector<cdouble> along(static_cast<std::size_t>(n), cdouble{0, 0});
    if (n > 0) {
        result.opr_modes = snapshot_.opr_modes();
        result.opr_weights = Array<cfloat, 2>({num_frames, n});
        const View<const cfloat, 2> first = result.probe.slice(0);
        for (std::ptrdiff_t i = 0; i < n; ++i)
            along[static_cast<std::size_t>(i)] = inner_product(first, result.opr_modes.slice(i));
    }
    result.opr_mode_powers.assign(static_cast<std::size_t>(n), 0);
    const double modes = std::accumulate(result.mode_powers.begin(), result.mode_powers.end(), 0.0);
    double total = 0;
    for (std::ptrdiff_t j = 0; j < num_frames; ++j) {
        const double* light = &lights[static_cast<std::size_t>(j * size)];
        double power = modes;
        for (std::ptrdiff_t i = 0; i < n; ++i) {
            const cdouble w = {light[1 + 2 * i], light[2 + 2 * i]};
            const auto mode = static_cast<std::size_t>(i);
            result.opr_weights(j, i) = {static_cast<float>(w.re), static_cast<float>(w.im)};
            result.opr_mode_powers[mode] += norm(w) / static_cast<double>(num_frames);
            power += 2 * (w * along[mode]).re + norm(w);
        }
        result.probe_amplitude.push_back(light[0]);
        result.intensity_scale.push_back(light[0] * light[0] * power);
        total += result.intensity_scale.back();
    }
    for (double& scale : result.intensity_scale) scale *= static_cast<double>(num_frames) / total;
}

// Of the copied probe, places and lights.
Result Reconstruction::result_of(const History& history, double cost, double data_error) const {
    Result result;
    set_positions(result);
    const std::vector<double> lights = gather_lights();
    if (!handles_.owners.ranks->is_first()) return {};
    // Only the first mode has eigen-probes, so that it cannot be mixed with others.
    result.probe = handles_.num_opr_modes > 0 ? snapshot_.probe() : orthogonal_modes(snapshot_.probe());
    result.mode_powers = mode_powers(result.probe);
    if (const auto ramp = snapshot_.removed_ramp())
        result.removed_ramp = {{ramp->y, ramp->x}, {ramp->mean_re, ramp->mean_im}};
    set_lights(result, lights);
    result.background = snapshot_.background();
    result.pixel_size_m = problem_.scan.pixel_size_m;
    result.num_object_modes = problem_.config.object.num_modes;
    result.object_mode_powers = snapshot_.object_mode_powers();
    result.slice_spacings_m = problem_.config.object.slice_spacings_m;
    for (std::size_t axis = 0; axis < 2; ++axis) {
        result.origin_m[axis] = -problem_.placement.shift_px[axis] * problem_.scan.pixel_size_m[axis];
    }
    result.frames.assign(problem_.scan.frames.begin(), problem_.scan.frames.end());
    result.cost = history.cost;
    result.data_error = history.data_error;
    result.step = history.step;
    result.time_s = history.time_s;
    result.final_cost = cost;
    result.final_data_error = data_error;
    return result;
}

Result Reconstruction::result_without_object() const {
    Result result = result_of(history_, final_cost_, final_data_error_);
    result.data_error_per_frame = error_per_frame();
    return result;
}

}  // namespace tessera
