#pragma once

#include "codelets/device/on_chip_frames.hpp"

// The gradient over frames, each of them from the cut window to what it adds, without a pass over device
// memory in between.
namespace tessera {

// Several modes: their far fields wait in scratch memory until all of them make the intensity, whose part so
// far is the plane; then the plane is what each of them is multiplied with.
template <class Layout>
struct HoldMode {
    HoldFarField<Layout> hold;
    bool is_first;
    using Sums = SumNothing::Sums;
    template <class Place>
    TESSERA_HD void operator()(const Place& place, const FrequencyLine& line, StepValues& v,
                               Sums& sums) const {
        hold(place, line, v, sums);
        TESSERA_UNROLL
        for (int i = 0; i < pixels_per_step; ++i) {
            float& intensity = place.plane(line.y + i, line.x);
            intensity = norm_add(v[i], is_first ? 0.0f : intensity);
        }
    }
    template <class Place>
    TESSERA_HD void finish(const Place&, const Sums&) const {}
};

// The last mode completes the intensity.
template <class Layout>
struct CompareFrame {
    const void* counts;  // of the frame
    PatternType type;
    DetectorView detector;
    NoiseModel noise_model;
    float saturated_from;
    bool has_plane;
    float* thread_sums;  // of the frame: cost and squared error
    static constexpr int num_sums = 2;
    struct Sums {
        float cost, squared_error;
    };

    template <class Place>
    TESSERA_HD void operator()(const Place& place, const FrequencyLine& line, StepValues& v,
                               Sums& sums) const {
        constexpr float scale = 1.0f / (Layout::size * Layout::size);
        Measured m[pixels_per_step];
        read_measured<Layout>(counts, type, detector, line, m);
        TESSERA_UNROLL
        for (int i = 0; i < pixels_per_step; ++i) {
            const float others = has_plane ? place.plane(line.y + i, line.x) : 0.0f;
            const float intensity = fma(norm_add(v[i], others), scale, m[i].background);
            const Measured used = m[i].compared_with(intensity, saturated_from);
            const pixel::Misfit<float> misfit = misfit_of(noise_model, intensity, used);
            sums.cost += misfit.cost;
            sums.squared_error += pixel::amplitude_error(intensity, used.counts, used.mask);
            const float factor = misfit.factor * scale;
            if (has_plane) place.plane(line.y + i, line.x) = factor;
            v[i] = factor * v[i];
        }
    }
    template <class Place>
    TESSERA_HD void finish(const Place& place, const Sums& sums) const {
        float* mine = thread_sums + (place.block() * Layout::threads + place.thread()) * num_sums;
        mine[0] = sums.cost;
        mine[1] = sums.squared_error;
    }
};

template <class Layout>
struct TakeMode : SumNothing {
    const cfloat* held;
    template <class Place>
    TESSERA_HD void operator()(const Place& place, const FrequencyLine& line, StepValues& v, Sums&) const {
        TESSERA_UNROLL
        for (int i = 0; i < pixels_per_step; ++i) {
            v[i] = place.plane(line.y + i, line.x) * fetch(held[position_in<Layout>(line, i)]);
        }
    }
};

// target = value, or += value.
template <class Target>
struct Accumulator {
    Target* target;
    bool adds;
    TESSERA_HD void operator()(std::int32_t i, Target value) const {
        put(target[i], adds ? fetch(target[i]) + value : value);
    }
};

// chi becomes the frame's part of the object's gradient, sum over modes of conj(P) chi.
template <class Layout>
struct AddObjectGradient {
    const cfloat* probe;
    Accumulator<cfloat> product;
    TESSERA_HD void operator()(const SpaceLine& line, const StepValues& chi) const {
        cfloat p[pixels_per_step];
        TESSERA_UNROLL
        for (int i = 0; i < pixels_per_step; ++i) p[i] = fetch(probe[pixel_of<Layout>(line, i)]);
        TESSERA_UNROLL
        for (int i = 0; i < pixels_per_step; ++i) product(pixel_of<Layout>(line, i), conj_mul(p[i], chi[i]));
    }
};

// ... and, on its way to the spectrum of the probe's gradient, conj(O) chi.
template <class Layout>
struct AddObjectMakeProbeGradient {
    AddObjectGradient<Layout> to_object;
    FrameWindow object;
    TESSERA_HD void operator()(const SpaceLine& line, StepValues& v) const {
        to_object(line, v);
        cfloat o[pixels_per_step];
        object.read(line, o);
        TESSERA_UNROLL
        for (int i = 0; i < pixels_per_step; ++i) v[i] = conj_mul(o[i], v[i]);
    }
};

// ... or, where the probe is not shifted, the probe's gradient itself.
template <class Layout>
struct AddBothGradients {
    AddObjectMakeProbeGradient<Layout> make;
    Accumulator<cfloat> probe_sum;
    TESSERA_HD void operator()(const SpaceLine& line, StepValues& v) const {
        make(line, v);
        TESSERA_UNROLL
        for (int i = 0; i < pixels_per_step; ++i) probe_sum(pixel_of<Layout>(line, i), v[i]);
    }
};

// The spectrum of conj(O) chi, shifted back to where all frames see the probe.
template <class Layout>
struct AddProbeSpectrum : SumNothing {
    FrameRamps<Layout> ramps;
    Accumulator<cfloat> probe_sum;  // in the order of positions
    template <class Place>
    TESSERA_HD void operator()(const Place&, const FrequencyLine& line, StepValues& v, Sums&) const {
        cfloat factors[pixels_per_step];
        ramps.read(line, factors);
        TESSERA_UNROLL
        for (int i = 0; i < pixels_per_step; ++i) {
            probe_sum(position_in<Layout>(line, i), conj_mul(factors[i], v[i]));
        }
    }
};

// The program of a team: its frames of a turn, one after another.
template <std::int32_t Size>
struct GradientOfFrames : FramesOfTurn<Size> {
    using Base = FramesOfTurn<Size>;
    using Base::area, Base::s, Base::frames;
    using typename Base::Layout;
    static constexpr int num_sums = CompareFrame<Layout>::num_sums;

    bool is_first_turn;
    // Scratch memory.
    cfloat* shifted;     // (team, mode, y, x): the probe as the frame sees it, with interpolation
    cfloat* held;        // (team, mode, y, x): far fields, of more than one mode
    cfloat* products;    // (frame, y, x): what each frame adds to the object's gradient
    cfloat* probe_sums;  // (team, mode, y, x): what the team's frames add to the probe's, if it moves

    std::size_t on_chip_bytes() const { return Layout::bytes(s.num_modes > 1); }

    template <class Team>
    TESSERA_HD void operator()(Team& team) const {
        if (this->state->stopped != 0) return;
        team.each(LoadRoots<Layout>{this->roots});
        const std::int32_t begin = this->begin_of(team.index()), end = this->begin_of(team.index() + 1);
        for (std::int32_t j = begin; j < end; ++j) {
            for (std::int32_t k = 0; k < s.num_modes; ++k) make_far_field(team, j, k);
            for (std::int32_t k = s.num_modes - 1; k >= 0; --k) {
                if (k + 1 == s.num_modes) {
                    compare(team, j);
                } else {
                    turn_in_frequency<Turn::begin, Layout>(team, TakeMode<Layout>{{}, held + mine(team, k)});
                }
                rows_backward<Layout>(team);
                gather(team, j, k, !is_first_turn || j != begin);
            }
        }
    }

  private:
    template <class Team>
    TESSERA_HD std::ptrdiff_t mine(const Team& team, std::int32_t k) const {
        return this->scratch_of(team.index(), k);
    }
    TESSERA_HD bool is_shifted() const { return this->spectrum != nullptr; }

    // Mode k's far field of frame j; the last one's stays before its last pass.
    template <class Team>
    TESSERA_HD void make_far_field(Team& team, std::int32_t j, std::int32_t k) const {
        this->transform_exit_wave(team, j, this->object, this->probe + k * area,
                                  is_shifted() ? this->spectrum + k * area : nullptr,
                                  is_shifted() ? shifted + mine(team, k) : nullptr);
        if (k + 1 == s.num_modes) return;
        turn_in_frequency<Turn::end, Layout>(team, HoldMode<Layout>{{{}, held + mine(team, k)}, k == 0});
    }

    template <class Team>
    TESSERA_HD void compare(Team& team, std::int32_t j) const {
        turn_in_frequency<Turn::around, Layout>(
            team, CompareFrame<Layout>{this->counts + j * this->bytes_per_frame, s.pattern_type,
                                       this->detector, s.noise_model, s.saturated_from, s.num_modes > 1,
                                       this->thread_sums + j * Layout::team_threads * num_sums});
    }

    template <class Team>
    TESSERA_HD void gather(Team& team, std::int32_t j, std::int32_t k, bool adds_to_team) const {
        const AddObjectGradient<Layout> to_object = {
            is_shifted() ? shifted + mine(team, k) : this->probe + k * area,
            {products + j * area, k + 1 != s.num_modes}};
        if (this->motion == ProbeMotion::fixed) {
            turn_in_space<Turn::end, Layout>(team, to_object);
            return;
        }
        const AddObjectMakeProbeGradient<Layout> to_both = {to_object, window_of(this->object, s, frames[j])};
        const Accumulator<cfloat> probe_sum = {probe_sums + mine(team, k), adds_to_team};
        if (!is_shifted()) {
            turn_in_space<Turn::end, Layout>(team, AddBothGradients<Layout>{to_both, probe_sum});
            return;
        }
        turn_in_space<Turn::around, Layout>(team, to_both);
        rows_forward<Layout>(team);
        turn_in_frequency<Turn::end, Layout>(team,
                                             AddProbeSpectrum<Layout>{{}, this->ramps_of(j), probe_sum});
    }
};

// window += the products of the turn's frames, in their order. x, y: of the batch's window.
struct GatherProducts {
    BatchShape s;
    const FramePosition* frames;
    std::int32_t num_frames;
    const cfloat* products;
    const IterationState* state;
    cfloat* window;
    TESSERA_HD void operator()(std::int32_t x, std::int32_t y, std::int32_t) const {
        if (state->stopped != 0) return;
        cfloat sum = window[at(s.window, y, x)];
        for (std::int32_t j = 0; j < num_frames; ++j) {
            const std::int32_t py = s.window_y + y - frames[j].y, px = s.window_x + x - frames[j].x;
            if (py < 0 || px < 0 || py >= s.probe.y || px >= s.probe.x) continue;
            sum = sum + products[j * area_of(s.probe) + at(s.probe, py, px)];
        }
        window[at(s.window, y, x)] = sum;
    }
};

// groups[g] = what the teams of group g have added up, in their order; ordered spectra become natural ones.
// x, y; z = group * num_modes + mode.
template <class Layout>
struct GatherTeams {
    const cfloat* probe_sums;
    std::int32_t num_teams, num_modes;
    bool is_ordered;
    cfloat* groups;
    TESSERA_HD void operator()(std::int32_t x, std::int32_t y, std::int32_t z) const {
        constexpr std::ptrdiff_t area = std::ptrdiff_t{Layout::size} * Layout::size;
        const std::int32_t group = z / num_modes, mode = z % num_modes;
        const std::int32_t begin = group * num_teams / num_sum_groups,
                           end = (group + 1) * num_teams / num_sum_groups;
        cfloat sum = {0, 0};
        for (std::int32_t t = begin; t < end; ++t) {
            const std::ptrdiff_t part = static_cast<std::ptrdiff_t>(t) * num_modes + mode;
            sum = sum + probe_sums[part * area + y * Layout::size + x];
        }
        const std::int32_t to_y = is_ordered ? Layout::frequency_at(y) : y;
        const std::int32_t to_x = is_ordered ? Layout::frequency_at(x) : x;
        groups[z * area + to_y * Layout::size + to_x] = sum;
    }
};

}  // namespace tessera
