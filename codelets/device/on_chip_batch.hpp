#pragma once

#include <cmath>

#include "codelets/device/frame_fields.hpp"
#include "codelets/device/on_chip_frames.hpp"

// The host's side of on-chip kernels: a batch goes through a team program in turns of some frames. Only
// device bodies include this.
namespace tessera {

// What the threads of a team have summed of a frame.
template <class Program>
struct AddThreads {
    const float* thread_sums;
    TESSERA_HD void operator()(std::int32_t thread, std::int32_t frame,
                               float (&sums)[Program::num_sums]) const {
        const float* mine = thread_sums + (frame * Program::Layout::team_threads + thread) *
                                              std::ptrdiff_t{Program::num_sums};
        for (int n = 0; n < Program::num_sums; ++n) sums[n] += mine[n];
    }
};

template <class Program>
class OnChipBatch {
  public:
    using Layout = typename Program::Layout;

    OnChipBatch(const BatchShape& s, ProbeMotion motion, const Buffers& buffers, Device& device)
        : s_(s),
          buffers_(buffers),
          device_(device),
          num_teams_(smaller(s.num_frames, Layout::num_teams)),
          turn_(smaller(s.num_frames, Layout::frames_per_turn * num_teams_)) {
        program_.s = s;
        program_.motion = motion;
    }

    bool fits() const { return device_.can_run_teams(program_); }

  protected:
    bool is_shifted() const { return s_.interpolation == Interpolation::fourier; }
    bool is_moving() const { return program_.motion == ProbeMotion::moving; }
    std::size_t team_size() const { return static_cast<std::size_t>(num_teams_) * s_.probe_size(); }

    // Everything that all programs share and that is the same for all turns.
    void set_up() {
        constexpr double two_pi = 6.283185307179586477;
        for (std::int32_t i = 0; i < Layout::num_roots; ++i) {
            const double angle = -two_pi * i / Layout::size;
            program_.roots[i] = {static_cast<float>(std::cos(angle)), static_cast<float>(std::sin(angle))};
        }
        const auto* probe = moving_field(buffers_.get<const std::byte>(3), s_.probe_size()).value;
        program_.num_teams = num_teams_;
        program_.bytes_per_frame =
            static_cast<std::ptrdiff_t>(s_.frame.area() * bytes_per_count(s_.pattern_type));
        program_.detector = detector_view(buffers_.get<const std::byte>(2), s_);
        program_.object = moving_field(buffers_.get<const std::byte>(4), s_.tile.area()).value;
        program_.state = buffers_.get<const IterationState>(5);
        program_.probe = probe;
        program_.spectrum = is_shifted() ? ordered_spectrum(probe, Scratch::ordered_spectrum) : nullptr;
        program_.thread_sums = device_.scratch<float>(
            Scratch::thread_sums, static_cast<std::size_t>(turn_) * Layout::team_threads * Program::num_sums);
        ramps_ = probe_ramps(device_, s_, turn_);
        program_.ramps = ramps_;
        sums_ = device_.scratch<double>(Scratch::row_sums,
                                        static_cast<std::size_t>(s_.num_frames) * Program::num_sums);
    }

    const cfloat* ordered_spectrum(const cfloat* modes, Scratch to) {
        cfloat* spectrum = device_.scratch<cfloat>(Scratch::spectrum, s_.probe_size());
        cfloat* ordered = device_.scratch<cfloat>(to, s_.probe_size());
        device_.copy(spectrum, modes, s_.probe_size() * sizeof(cfloat));
        device_.forward(spectrum, s_.probe, s_.num_modes);
        device_.for_each({Layout::size, Layout::size, s_.num_modes},
                         OrderSpectrum<Layout>{spectrum, ordered});
        return ordered;
    }

    std::int32_t frames_from(std::int32_t first) const { return smaller(s_.num_frames - first, turn_); }

    // The program for the frames from `first` on, and their sums.
    void run_turn(std::int32_t first) {
        const std::int32_t num_frames = frames_from(first);
        program_.frames = buffers_.get<const FramePosition>(1) + first;
        program_.num_frames = num_frames;
        program_.counts = buffers_.get<const std::byte>(0) + first * program_.bytes_per_frame;
        place_ramps(device_, s_, program_.frames, num_frames, ramps_);
        device_.run_teams(num_teams_, program_);
        device_.template reduce_rows<Program::num_sums, Sum>(
            num_frames, Layout::team_threads, AddThreads<Program>{program_.thread_sums},
            sums_ + first * std::ptrdiff_t{Program::num_sums});
    }

    const BatchShape& s_;
    const Buffers& buffers_;
    Device& device_;
    std::int32_t num_teams_, turn_;  // of frames
    Program program_{};
    double* sums_ = nullptr;  // (frame, sum)

  private:
    static std::int32_t smaller(std::int32_t a, std::int32_t b) { return a < b ? a : b; }

    cfloat* ramps_ = nullptr;
};

template <class Batch, class Args>
bool run_if_it_fits(const Args& args, const Buffers& buffers, Device& device) {
    Batch batch(args.shape, args.probe, buffers, device);
    if (!batch.fits()) return false;
    batch.run();
    return true;
}

// Batch<size>, if the batch asks for it, there is one, and the device has the memory; says whether it was.
template <template <std::int32_t> class Batch, class Args>
bool run_on_chip(const Args& args, const Buffers& buffers, Device& device) {
    if (!args.shape.on_chip || args.shape.has_lights || args.waves != KeptWaves::none ||
        !fits_on_chip(args.shape))
        return false;
    switch (args.shape.frame.x) {
        case 64:
            return run_if_it_fits<Batch<64>>(args, buffers, device);
        case 128:
            return run_if_it_fits<Batch<128>>(args, buffers, device);
        default:
            return run_if_it_fits<Batch<256>>(args, buffers, device);
    }
}

}  // namespace tessera
