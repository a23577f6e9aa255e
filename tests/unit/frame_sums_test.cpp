// Reading on several threads: everything once, the same sums, the same failure.
#include "scan/frame_sums.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <thread>

#include "base/error.hpp"
#include "base/share_pieces.hpp"

namespace tessera {
namespace {

TEST(SharePieces, DoesEachOnceAndBeginsThemInTurn) {
    for (const int num_threads : {0, 1, 3, 16}) {
        std::vector<std::atomic<int>> done(100);
        std::atomic<int> largest_thread = 0;
        share_pieces(done.size(), num_threads, [&](std::size_t piece, int thread) {
            if (num_threads <= 1 && piece > 0) {
                EXPECT_EQ(done[piece - 1], 1);
            }
            ++done[piece];
            int largest = largest_thread;
            while (thread > largest && !largest_thread.compare_exchange_weak(largest, thread)) {
            }
        });
        for (const auto& times : done) EXPECT_EQ(times, 1);
        EXPECT_LT(largest_thread, std::max(num_threads, 1));
    }
    share_pieces(0, 4, [](std::size_t, int) { ADD_FAILURE() << "there is nothing to do"; });
}

// All threads are at work before any of them goes on.
TEST(SharePieces, UsesTheThreadsItIsGiven) {
    std::atomic<int> present = 0;
    share_pieces(4, 4, [&](std::size_t, int) {
        ++present;
        while (present < 4) std::this_thread::yield();
    });
    EXPECT_EQ(present, 4);
}

TEST(SharePieces, TellTheFirstFailureWhateverTheThreadsDid) {
    for (int repetition = 0; repetition < 50; ++repetition) {
        std::atomic<int> begun = 0;
        try {
            share_pieces(1000, 4, [&](std::size_t piece, int) {
                ++begun;
                if (piece >= 20) throw std::runtime_error(std::to_string(piece));
            });
            ADD_FAILURE() << "nothing failed";
        } catch (const std::runtime_error& failure) {
            EXPECT_STREQ(failure.what(), "20");
        }
        EXPECT_LE(begun, 24);
    }
}

// Frames of 250 x 250 counts, which are no whole number of parts of a sum; frame i holds i + a ramp.
template <class Count>
class RampFrames : public FrameSource {
  public:
    static constexpr std::size_t side = 250, size = side * side;
    std::ptrdiff_t unreadable_from = PTRDIFF_MAX;

    static Count count_at(std::ptrdiff_t frame, std::size_t pixel) {
        if (pixel == 3 && frame % 2 == 1) return unused_count<Count>;
        const auto step = static_cast<Count>(std::is_integral_v<Count> ? 1 : 0.37);
        return static_cast<Count>(static_cast<Count>(frame + static_cast<std::ptrdiff_t>(pixel % 100)) *
                                  step);
    }
    void read_frames(std::span<const std::ptrdiff_t> which,
                     std::span<void* const> destinations) const override {
        for (std::size_t i = 0; i < which.size(); ++i) {
            if (which[i] >= unreadable_from) throw data_error("frame {}", which[i]);
            auto* counts = static_cast<Count*>(destinations[i]);
            for (std::size_t pixel = 0; pixel < size; ++pixel) counts[pixel] = count_at(which[i], pixel);
        }
    }
};

template <class Count>
class FrameSumsOf : public testing::Test {
  protected:
    static constexpr std::ptrdiff_t num_frames = 700;
    using Source = RampFrames<Count>;

    FrameSumsOf() {
        scan_.num_frames = num_frames + 5;
        scan_.mask = Array<float, 2>({Source::side, Source::side}, 1.0F);
        scan_.pattern_type = std::is_floating_point_v<Count> ? PatternType::f32
                             : sizeof(Count) == 1            ? PatternType::u8
                             : sizeof(Count) == 2            ? PatternType::u16
                                                             : PatternType::i32;
        for (std::ptrdiff_t frame = 2; frame < num_frames; ++frame) {
            destinations_.frames.push_back(frame);
            stored_.emplace_back(frame % 7 == 0 ? 0 : Source::size);  // every seventh does not stay
            destinations_.memory.push_back(stored_.back().empty() ? nullptr : stored_.back().data());
            destinations_.are_own.push_back(frame % 5 != 0);
        }
        copy_.resize(Source::size);
        destinations_.copies.push_back({stored_[1].data(), copy_.data()});
    }

    ScanInfo scan_;
    FrameDestinations destinations_;
    std::vector<std::vector<Count>> stored_;
    std::vector<Count> copy_;
};

using CountTypes = testing::Types<std::uint8_t, std::uint16_t, std::int32_t, float>;
TYPED_TEST_SUITE(FrameSumsOf, CountTypes);

TYPED_TEST(FrameSumsOf, AreTheSameOnAnyNumberOfThreads) {
    using Frames = RampFrames<TypeParam>;
    std::vector<double> pattern(Frames::size), counts(static_cast<std::size_t>(this->scan_.num_frames));
    for (std::size_t i = 0; i < this->destinations_.frames.size(); ++i) {
        const std::ptrdiff_t frame = this->destinations_.frames[i];
        if (!this->destinations_.are_own[i]) continue;
        for (std::size_t pixel = 0; pixel < Frames::size; ++pixel) {
            const TypeParam count = Frames::count_at(frame, pixel);
            if (is_unused(count)) continue;
            pattern[pixel] += static_cast<double>(count);
            counts[static_cast<std::size_t>(frame)] += static_cast<double>(count);
        }
    }
    const FrameSums alone = read_frames(Frames(), this->scan_, this->destinations_, 1);
    for (std::size_t pixel = 0; pixel < Frames::size; ++pixel) {
        ASSERT_NEAR(static_cast<double>(alone.pattern[pixel]) / counts_fraction, pattern[pixel],
                    this->num_frames / counts_fraction)
            << pixel;
    }
    EXPECT_EQ(alone.counts, counts);
    for (const int num_threads : {2, 5}) {
        for (auto& frame : this->stored_) std::fill(frame.begin(), frame.end(), TypeParam{0});
        const FrameSums shared = read_frames(Frames(), this->scan_, this->destinations_, num_threads);
        EXPECT_EQ(shared.counts, alone.counts);
        EXPECT_EQ(shared.pattern, alone.pattern);
        for (std::size_t i = 0; i < this->stored_.size(); ++i) {
            const std::ptrdiff_t frame = this->destinations_.frames[i];
            for (std::size_t pixel = 0; pixel < this->stored_[i].size(); pixel += 1021)
                ASSERT_EQ(this->stored_[i][pixel], Frames::count_at(frame, pixel)) << frame;
        }
        EXPECT_EQ(this->copy_, this->stored_[1]);
    }
}

// Knows how often each frame is announced. Of frames that are stored in 2 MiB a piece is ahead.
template <class Count>
class AnnouncedFrames : public RampFrames<Count> {
  public:
    mutable std::array<std::atomic<int>, 1000> times{};
    bool is_one_thread = false;

    std::size_t stored_frame_bytes() const override { return std::size_t{2} << 20; }
    void will_need(std::span<const std::ptrdiff_t> which) const override {
        for (const auto frame : which) ++times[static_cast<std::size_t>(frame)];
    }
    void read_frames(std::span<const std::ptrdiff_t> which,
                     std::span<void* const> destinations) const override {
        // The first piece's thread announces those that others begin with.
        if (is_one_thread || which[0] == 2) {
            for (const auto frame : which) EXPECT_EQ(times[static_cast<std::size_t>(frame)], 1) << frame;
        }
        RampFrames<Count>::read_frames(which, destinations);
    }
};

TYPED_TEST(FrameSumsOf, AnnounceEachFrameOnceBeforeTheyAreRead) {
    for (const int num_threads : {1, 2, 5}) {
        AnnouncedFrames<TypeParam> frames;
        frames.is_one_thread = num_threads == 1;
        read_frames(frames, this->scan_, this->destinations_, num_threads);
        for (std::size_t frame = 0; frame < frames.times.size(); ++frame) {
            const bool is_wanted = frame >= 2 && frame < static_cast<std::size_t>(this->num_frames);
            EXPECT_EQ(frames.times[frame], is_wanted ? 1 : 0) << frame;
        }
    }
}

TYPED_TEST(FrameSumsOf, FailWithTheFirstFrameThatCannotBeRead) {
    RampFrames<TypeParam> frames;
    frames.unreadable_from = 33;
    for (const int num_threads : {1, 2, 5}) {
        try {
            read_frames(frames, this->scan_, this->destinations_, num_threads);
            ADD_FAILURE() << "not noticed";
        } catch (const Error& error) {
            EXPECT_STREQ(error.what(), "frame 33");
        }
    }
}

}  // namespace
}  // namespace tessera
