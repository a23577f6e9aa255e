#pragma once

#include "codelets/device/on_chip_frames.hpp"
#include "codelets/device/trial_costs.hpp"

// The costs along a direction over frames. One field is on the chip: of the far fields A, B and C of a mode
// (see codelets/line_search.hpp) those made before wait in scratch memory, and of the last mode B does not.
namespace tessera {

// The far fields of a frame, (mode, y, x), in the order of positions.
struct HeldAlong {
    cfloat* a;
    cfloat* b;
    cfloat* c;  // null: nothing of second order
};

// Compares a frame pixel by pixel, with the last mode's B in the team's memory: a pass of its own, for beside
// a butterfly the polynomials and nine sums do not fit into registers.
template <class Layout>
struct CompareAlongTeam {
    BatchShape s;
    Measurements measurements;  // from this frame on
    HeldAlong held;
    AddTrialCosts add;
    float* thread_sums;  // of the frame
    template <class Place>
    TESSERA_HD void operator()(const Place& place) const {
        float sums[num_costs] = {};
        for (std::int32_t i = place.thread(); i < Layout::rows * Layout::size; i += Layout::threads) {
            const std::int32_t y = place.block() * Layout::rows + i / Layout::size, x = i % Layout::size;
            const std::int32_t frequency = Layout::frequency_at(y) * Layout::size + Layout::frequency_at(x);
            const Measured measured = measurements(s, 0, frequency);
            add(polynomial(y * Layout::size + x, fetch(place.own(y, x))), measured, sums);
        }
        float* mine = thread_sums + (place.block() * Layout::threads + place.thread()) * num_costs;
        for (int n = 0; n < num_costs; ++n) mine[n] = sums[n];
    }
    TESSERA_HD pixel::IntensityPolynomial<float> polynomial(std::int32_t position, cfloat last_b) const {
        pixel::IntensityPolynomial<float> sum = {0, 0, 0, 0, 0};
        for (std::int32_t k = 0; k < s.num_modes; ++k) {
            const std::ptrdiff_t i = k * std::ptrdiff_t{Layout::size * Layout::size} + position;
            const cfloat a = fetch(held.a[i]), b = k + 1 == s.num_modes ? last_b : fetch(held.b[i]);
            sum =
                held.c != nullptr ? pixel::add_mode(sum, a, b, fetch(held.c[i])) : pixel::add_mode(sum, a, b);
        }
        return sum;
    }
};

// P dO + dP O.
template <class Layout>
struct MakeExitWaveAlong {
    FrameWindow object, object_direction;
    const cfloat* probe;
    const cfloat* probe_direction;
    TESSERA_HD void operator()(const SpaceLine& line, StepValues& v) const {
        StepValues o;
        object_direction.read(line, v);
        object.read(line, o);
        TESSERA_UNROLL
        for (int i = 0; i < pixels_per_step; ++i) {
            const std::int32_t pixel = pixel_of<Layout>(line, i);
            v[i] = mul_add(fetch(probe_direction[pixel]), o[i], fetch(probe[pixel]) * v[i]);
        }
    }
};

template <std::int32_t Size>
struct LineSearchOfFrames : FramesOfTurn<Size> {
    using Base = FramesOfTurn<Size>;
    using Base::area, Base::s, Base::frames;
    using typename Base::Layout;
    static constexpr int num_sums = num_costs;

    const cfloat* object_direction;
    const cfloat* probe_direction;     // (mode, y, x), if the probe moves, without interpolation
    const cfloat* direction_spectrum;  // (mode, y, x), ordered, with it
    // Scratch memory.
    cfloat* shifted;            // (team, y, x): a mode as the frame sees it, with interpolation
    cfloat* shifted_direction;  // (team, y, x): its direction
    HeldAlong held;             // (team, mode, y, x) each

    std::size_t on_chip_bytes() const { return Layout::bytes(false); }

    template <class Team>
    TESSERA_HD void operator()(Team& team) const {
        if (this->state->stopped != 0) return;
        team.each(LoadRoots<Layout>{this->roots});
        const std::int32_t end = this->begin_of(team.index() + 1);
        for (std::int32_t j = this->begin_of(team.index()); j < end; ++j) {
            for (std::int32_t k = 0; k < s.num_modes; ++k) {
                make_ends(team, j, k);
                make_middle(team, j, k);
                if (k + 1 == s.num_modes) {
                    team.each_in_block(InnerColumns<Layout, Way::forward>{});
                } else {
                    hold(team, held.b, k);
                }
            }
            compare(team, j);
        }
    }

  private:
    TESSERA_HD bool is_shifted() const { return this->spectrum != nullptr; }
    TESSERA_HD bool is_moving() const { return this->motion == ProbeMotion::moving; }

    template <class Team>
    TESSERA_HD void hold(Team& team, cfloat* field, std::int32_t k) const {
        turn_in_frequency<Turn::end, Layout>(
            team, HoldFarField<Layout>{{}, field + this->scratch_of(team.index(), k)});
    }

    // A = F(P O) and C = F(dP dO); with interpolation both modes are left as the frame sees them.
    template <class Team>
    TESSERA_HD void make_ends(Team& team, std::int32_t j, std::int32_t k) const {
        const std::ptrdiff_t mine = team.index() * area;
        this->transform_exit_wave(team, j, this->object, this->probe + k * area,
                                  is_shifted() ? this->spectrum + k * area : nullptr,
                                  is_shifted() ? shifted + mine : nullptr);
        hold(team, held.a, k);
        if (!is_moving()) return;
        this->transform_exit_wave(team, j, object_direction, probe_direction + k * area,
                                  is_shifted() ? direction_spectrum + k * area : nullptr,
                                  is_shifted() ? shifted_direction + mine : nullptr);
        hold(team, held.c, k);
    }

    // B = F(P dO + dP O), before its last pass.
    template <class Team>
    TESSERA_HD void make_middle(Team& team, std::int32_t j, std::int32_t k) const {
        const std::ptrdiff_t mine = team.index() * area;
        const cfloat* mode = is_shifted() ? shifted + mine : this->probe + k * area;
        const FrameWindow along = window_of(object_direction, s, frames[j]);
        if (is_moving()) {
            const cfloat* direction = is_shifted() ? shifted_direction + mine : probe_direction + k * area;
            const FrameWindow window = window_of(this->object, s, frames[j]);
            turn_in_space<Turn::begin, Layout>(team,
                                               MakeExitWaveAlong<Layout>{window, along, mode, direction});
        } else {
            turn_in_space<Turn::begin, Layout>(team, MakeExitWave<Layout>{along, mode});
        }
        rows_forward<Layout>(team);
    }

    template <class Team>
    TESSERA_HD void compare(Team& team, std::int32_t j) const {
        constexpr float scale = 1.0f / static_cast<float>(area);
        const std::ptrdiff_t mine = this->scratch_of(team.index(), 0);
        team.each(CompareAlongTeam<Layout>{
            s,
            {{this->counts + j * this->bytes_per_frame, s.pattern_type}, this->detector},
            {held.a + mine, s.num_modes > 1 ? held.b + mine : nullptr, is_moving() ? held.c + mine : nullptr},
            {s.noise_model, s.saturated_from, scale, this->state},
            this->thread_sums + j * std::ptrdiff_t{Layout::team_threads * num_costs}});
    }
};

}  // namespace tessera
