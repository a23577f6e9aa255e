#pragma once

#include "codelets/device/frames.hpp"
#include "codelets/device/on_chip_transform.hpp"
#include "codelets/gradient.hpp"

// What happens to a frame's pixels at the turns of its transforms: the forward model of
// codelets/device/frames.hpp on a field that stays in a team's fast memory.
namespace tessera {

// Pixel i of a line in a dense field of the layout's size.
template <class Layout>
TESSERA_HD std::int32_t pixel_of(const SpaceLine& line, std::int32_t i) {
    return (line.y + i * line.stride) * Layout::size + line.x;
}
template <class Layout>
TESSERA_HD std::int32_t position_in(const FrequencyLine& line, std::int32_t i) {
    return (line.y + i) * Layout::size + line.x;
}
template <class Layout>
TESSERA_HD std::int32_t frequency_in(const FrequencyLine& line, std::int32_t i) {
    return (line.q_y + i * line.stride) * Layout::size + line.q_x;
}

// A spectrum in the order of the frequencies' positions, as turns in frequency read it: x, y, mode.
template <class Layout>
struct OrderSpectrum {
    const cfloat* spectrum;
    cfloat* ordered;
    TESSERA_HD void operator()(std::int32_t x, std::int32_t y, std::int32_t mode) const {
        const std::ptrdiff_t from = static_cast<std::ptrdiff_t>(mode) * Layout::size * Layout::size;
        const std::int32_t frequency = Layout::frequency_at(y) * Layout::size + Layout::frequency_at(x);
        ordered[from + y * Layout::size + x] = spectrum[from + frequency];
    }
};

// The object in a frame's window.
struct FrameWindow {
    const cfloat* corner;
    std::int32_t row;  // from one to the next
    TESSERA_HD void read(const SpaceLine& line, StepValues& values) const {
        const cfloat* first = corner + static_cast<std::ptrdiff_t>(line.y) * row + line.x;
        TESSERA_UNROLL
        for (int i = 0; i < pixels_per_step; ++i)
            values[i] = fetch(first[static_cast<std::ptrdiff_t>(i) * line.stride * row]);
    }
};
TESSERA_HD FrameWindow window_of(const cfloat* object, const BatchShape& s, const FramePosition& where) {
    return {object + at(s.tile, where.y, where.x), s.tile.x};
}

// One axis' factors of exp(-2 pi i q f), then the other's: see PhaseRamps.
template <class Layout>
struct FrameRamps {
    const cfloat* y_then_x;
    TESSERA_HD void read(const FrequencyLine& line, StepValues& values) const {
        const cfloat along_x = fetch(y_then_x[Layout::size + line.q_x]);
        TESSERA_UNROLL
        for (int i = 0; i < pixels_per_step; ++i)
            values[i] = fetch(y_then_x[line.q_y + i * line.stride]) * along_x;
    }
};

// ---- Steps

// Begins a backward transform with the spectrum of a mode, shifted to the frame.
template <class Layout>
struct ShiftMode : SumNothing {
    FrameRamps<Layout> ramps;
    const cfloat* spectrum;  // ordered
    template <class Place>
    TESSERA_HD void operator()(const Place&, const FrequencyLine& line, StepValues& v, Sums&) const {
        ramps.read(line, v);
        TESSERA_UNROLL
        for (int i = 0; i < pixels_per_step; ++i) v[i] = v[i] * fetch(spectrum[position_in<Layout>(line, i)]);
    }
};

// Keeps the shifted probe for what comes later, and makes the exit wave of it.
template <class Layout>
struct KeepProbeMakeExitWave {
    FrameWindow object;
    cfloat* shifted;
    TESSERA_HD void operator()(const SpaceLine& line, StepValues& v) const {
        cfloat o[pixels_per_step];
        object.read(line, o);
        TESSERA_UNROLL
        for (int i = 0; i < pixels_per_step; ++i) {
            put(shifted[pixel_of<Layout>(line, i)], v[i]);
            v[i] = v[i] * o[i];
        }
    }
};

// The exit wave of a probe that is not shifted, or was before.
template <class Layout>
struct MakeExitWave {
    FrameWindow object;
    const cfloat* probe;
    TESSERA_HD void operator()(const SpaceLine& line, StepValues& v) const {
        object.read(line, v);
        TESSERA_UNROLL
        for (int i = 0; i < pixels_per_step; ++i) v[i] = fetch(probe[pixel_of<Layout>(line, i)]) * v[i];
    }
};

// Ends with a far field that has to wait.
template <class Layout>
struct HoldFarField : SumNothing {
    cfloat* held;  // in the order of positions
    template <class Place>
    TESSERA_HD void operator()(const Place&, const FrequencyLine& line, StepValues& v, Sums&) const {
        TESSERA_UNROLL
        for (int i = 0; i < pixels_per_step; ++i) put(held[position_in<Layout>(line, i)], v[i]);
    }
};

// ---- What a butterfly's pixels are compared with, all of them on their way at the same time.

template <class Layout, class Count>
TESSERA_HD void read_counts(const void* data, const FrequencyLine& line, float (&counts)[pixels_per_step]) {
    TESSERA_UNROLL
    for (int i = 0; i < pixels_per_step; ++i) {
        counts[i] = decoded(static_cast<const Count*>(data)[frequency_in<Layout>(line, i)]);
    }
}

template <class Layout>
TESSERA_HD void read_measured(const void* counts, PatternType type, const DetectorView& detector,
                              const FrequencyLine& line, Measured (&m)[pixels_per_step]) {
    float raw[pixels_per_step] = {};
    switch (type) {
        case PatternType::u8:
            read_counts<Layout, std::uint8_t>(counts, line, raw);
            break;
        case PatternType::u16:
            read_counts<Layout, std::uint16_t>(counts, line, raw);
            break;
        case PatternType::i32:
            read_counts<Layout, std::int32_t>(counts, line, raw);
            break;
        case PatternType::f32:
            read_counts<Layout, float>(counts, line, raw);
            break;
    }
    TESSERA_UNROLL
    for (int i = 0; i < pixels_per_step; ++i) m[i].background = 0;
    if (detector.background != nullptr) {
        TESSERA_UNROLL
        for (int i = 0; i < pixels_per_step; ++i)
            m[i].background = detector.background[frequency_in<Layout>(line, i)];
    }
    TESSERA_UNROLL
    for (int i = 0; i < pixels_per_step; ++i) {
        m[i].mask = where_not_negative(raw[i], detector.mask[frequency_in<Layout>(line, i)]);
        m[i].counts = raw[i] > 0 ? raw[i] : 0.0f;
    }
}

// ---- What every program knows of the frames of a turn, and how it makes their waves

template <std::int32_t Size>
struct FramesOfTurn {
    using Layout = OnChipLayout<Size>;
    static constexpr std::ptrdiff_t area = std::ptrdiff_t{Size} * Size;

    cfloat roots[Layout::num_roots];  // exp(-2 pi i n / Size)
    BatchShape s;
    ProbeMotion motion;
    const IterationState* state;
    const FramePosition* frames;  // of the turn, and all that follows
    std::int32_t num_frames, num_teams;
    const std::byte* counts;
    std::ptrdiff_t bytes_per_frame;  // of counts
    DetectorView detector;
    const cfloat* object;
    const cfloat* probe;     // (mode, y, x), without interpolation
    const cfloat* spectrum;  // (mode, y, x), ordered, with it; otherwise null
    const cfloat* ramps;     // (frame, y + x), with it
    float* thread_sums;      // (frame, thread, sum): what a thread sums over its pixels of a frame

    TESSERA_HD std::int32_t begin_of(std::int32_t team) const { return team * num_frames / num_teams; }
    TESSERA_HD FrameRamps<Layout> ramps_of(std::int32_t j) const {
        return {ramps + static_cast<std::ptrdiff_t>(j) * 2 * Size};
    }
    // A mode in the scratch memory of a team.
    TESSERA_HD std::ptrdiff_t scratch_of(std::int32_t team, std::int32_t k) const {
        return (static_cast<std::ptrdiff_t>(team) * s.num_modes + k) * area;
    }

    // One mode's exit wave of frame j, transformed up to the last pass. With interpolation the mode's
    // spectrum is shifted to the frame first, and the shifted mode is left in `shifted`.
    template <class Team>
    TESSERA_HD void transform_exit_wave(Team& team, std::int32_t j, const cfloat* of_object,
                                        const cfloat* mode, const cfloat* mode_spectrum,
                                        cfloat* shifted) const {
        const FrameWindow window = window_of(of_object, s, frames[j]);
        if (spectrum != nullptr) {
            turn_in_frequency<Turn::begin, Layout>(team, ShiftMode<Layout>{{}, ramps_of(j), mode_spectrum});
            rows_backward<Layout>(team);
            turn_in_space<Turn::around, Layout>(team, KeepProbeMakeExitWave<Layout>{window, shifted});
        } else {
            turn_in_space<Turn::begin, Layout>(team, MakeExitWave<Layout>{window, mode});
        }
        rows_forward<Layout>(team);
    }
};

}  // namespace tessera
