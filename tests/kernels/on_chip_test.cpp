// The transforms and programs of on-chip kernels: right numbers, and nothing that only a GPU would notice, as
// there are threads that disturb each other, memory out of reach, memory banks that collide.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <vector>

#include "codelets/device/on_chip_gradient.hpp"
#include "codelets/device/on_chip_line_search.hpp"
#include "codelets/device/walked_team.hpp"
#include "reference/oracle.hpp"
#include "reference/random_problem.hpp"

namespace tessera::test {
namespace {

// ---- A team under observation

// What a pass did to one kind of memory: who touched which element, in the order of each thread's accesses.
class Accesses {
  public:
    Accesses(std::ptrdiff_t num_elements, std::int32_t num_threads)
        : thread_(static_cast<std::size_t>(num_elements), nobody),
          block_(static_cast<std::size_t>(num_elements), nobody),
          of_thread_(static_cast<std::size_t>(num_threads)) {}

    void note(std::ptrdiff_t element, std::int32_t thread, std::int32_t block, std::int32_t bank) {
        const auto i = static_cast<std::size_t>(element);
        if (thread_[i] != nobody && thread_[i] != thread) ++shared_by_threads;
        if (block_[i] != nobody && block_[i] != block) ++shared_by_blocks;
        thread_[i] = thread;
        block_[i] = block;
        of_thread_[static_cast<std::size_t>(thread)].push_back({element, bank});
    }
    // All threads have passed a barrier of their blocks.
    void block_barrier(std::int32_t lanes) {
        untouched += std::count(thread_.begin(), thread_.end(), nobody);
        count_conflicts(static_cast<std::size_t>(lanes));
        std::fill(thread_.begin(), thread_.end(), nobody);
        for (auto& accesses : of_thread_) accesses.clear();
    }
    void team_barrier() { std::fill(block_.begin(), block_.end(), nobody); }

    std::ptrdiff_t shared_by_threads = 0;  // within a pass
    std::ptrdiff_t shared_by_blocks = 0;   // without a barrier of the team in between
    std::ptrdiff_t untouched = 0;          // by a pass
    std::ptrdiff_t conflicts = 0;          // accesses of lanes at the same time, other element, same bank

  private:
    struct Access {
        std::ptrdiff_t element;
        std::int32_t bank;
    };
    static constexpr std::int32_t nobody = -1, most_banks = 32;
    static constexpr std::ptrdiff_t nothing = -1;

    void count_conflicts(std::size_t lanes) {
        for (std::size_t first = 0; first < of_thread_.size(); first += lanes) {
            for (std::size_t n = 0; n < of_thread_[first].size(); ++n) {
                std::ptrdiff_t in_bank[most_banks];
                std::fill(std::begin(in_bank), std::end(in_bank), nothing);
                for (std::size_t lane = first; lane < first + lanes; ++lane) {
                    ASSERT_EQ(of_thread_[lane].size(), of_thread_[first].size())
                        << "threads of a warp diverge";
                    const Access& access = of_thread_[lane][n];
                    std::ptrdiff_t& there = in_bank[access.bank];
                    if (there != nothing && there != access.element) ++conflicts;
                    there = access.element;
                }
            }
        }
    }

    std::vector<std::int32_t> thread_, block_;
    std::vector<std::vector<Access>> of_thread_;
};

template <class Layout>
struct WatchedMemory {
    // Numbers of two words: half a warp at a time, on 16 pairs of banks; of one: a warp, on 32 banks.
    static constexpr std::int32_t half_warp = 16, warp = 32;

    std::vector<cfloat> field = std::vector<cfloat>(Layout::size * Layout::pitch);
    std::vector<cfloat> roots = std::vector<cfloat>(Layout::num_roots);
    std::vector<float> plane = std::vector<float>(Layout::size * Layout::size);
    Accesses of_field{Layout::size * Layout::size, Layout::team_threads};
    Accesses of_plane{Layout::size * Layout::size, Layout::team_threads};
    std::ptrdiff_t foreign_rows = 0, outside = 0;
};

template <class Layout>
class WatchedPlace {
  public:
    WatchedPlace(std::int32_t thread, WatchedMemory<Layout>& memory) : thread_(thread), memory_(memory) {}
    std::int32_t thread() const { return thread_ % Layout::threads; }
    std::int32_t block() const { return thread_ / Layout::threads; }
    cfloat& own(std::int32_t y, std::int32_t x) const {
        memory_.foreign_rows += y / Layout::rows != block() ? 1 : 0;
        return pixel(y, x);
    }
    cfloat& any(std::int32_t y, std::int32_t k, std::int32_t x) const {
        memory_.outside += y < 0 || y >= Layout::inner ? 1 : 0;
        return pixel(y + k * Layout::inner, x);
    }
    cfloat& root(std::int32_t i) const { return memory_.roots.at(static_cast<std::size_t>(i)); }
    float& plane(std::int32_t y, std::int32_t x) const {
        memory_.foreign_rows += y / Layout::rows != block() ? 1 : 0;
        const std::int32_t i = y * Layout::size + x;
        memory_.of_plane.note(i, thread_, block(), i % WatchedMemory<Layout>::warp);
        return memory_.plane.at(static_cast<std::size_t>(i));
    }

  private:
    cfloat& pixel(std::int32_t y, std::int32_t x) const {
        if (y < 0 || x < 0 || y >= Layout::size || x >= Layout::size) {
            ++memory_.outside;
            y = x = 0;
        }
        const std::int32_t bank = (y % Layout::rows * Layout::pitch + x) % WatchedMemory<Layout>::half_warp;
        memory_.of_field.note(y * Layout::size + x, thread_, block(), bank);
        return memory_.field[static_cast<std::size_t>(y * Layout::pitch + x)];
    }

    std::int32_t thread_;
    WatchedMemory<Layout>& memory_;
};

// Threads take a pass in a given order.
template <class Layout>
class WatchedTeam {
  public:
    WatchedTeam(std::int32_t index, bool backwards) : index_(index), order_(Layout::team_threads) {
        std::iota(order_.begin(), order_.end(), 0);
        if (backwards) std::reverse(order_.begin(), order_.end());
    }
    std::int32_t index() const { return index_; }
    template <class Pass>
    void each(const Pass& pass) {
        each_in_block(pass);
        memory.of_field.team_barrier();
    }
    template <class Pass>
    void each_in_block(const Pass& pass) {
        for (const std::int32_t thread : order_) pass(WatchedPlace<Layout>(thread, memory));
        memory.of_field.block_barrier(WatchedMemory<Layout>::half_warp);
        memory.of_plane.block_barrier(WatchedMemory<Layout>::warp);
        ++num_passes;
    }

    WatchedMemory<Layout> memory;
    std::ptrdiff_t num_passes = 0;

  private:
    std::int32_t index_;
    std::vector<std::int32_t> order_;
};

// ---- Transforms alone

template <class Layout>
struct GiveInSpace {
    const cfloat* from;
    void operator()(const SpaceLine& line, StepValues& v) const {
        for (int i = 0; i < pixels_per_step; ++i) v[i] = from[pixel_of<Layout>(line, i)];
    }
};
template <class Layout>
struct TakeInSpace {
    cfloat* to;
    void operator()(const SpaceLine& line, StepValues& v) const {
        for (int i = 0; i < pixels_per_step; ++i) to[pixel_of<Layout>(line, i)] = v[i];
    }
};
template <class Layout>
struct GiveInFrequency : SumNothing {
    const cfloat* from;  // in natural order
    template <class Place>
    void operator()(const Place&, const FrequencyLine& line, StepValues& v, Sums&) const {
        for (int i = 0; i < pixels_per_step; ++i) v[i] = from[frequency_in<Layout>(line, i)];
    }
};
template <class Layout>
struct TakeInFrequency : SumNothing {
    cfloat* to;
    template <class Place>
    void operator()(const Place&, const FrequencyLine& line, StepValues& v, Sums&) const {
        for (int i = 0; i < pixels_per_step; ++i) to[frequency_in<Layout>(line, i)] = v[i];
    }
};
template <class Layout>
struct Nothing : SumNothing {
    template <class Place>
    void operator()(const Place&, const FrequencyLine&, StepValues&, Sums&) const {}
};

std::vector<cfloat> roots_of(std::int32_t size) {
    std::vector<cfloat> roots;
    for (std::int32_t i = 0; i <= size; ++i) {
        const double angle = -2 * M_PI * i / size;
        roots.push_back({static_cast<float>(std::cos(angle)), static_cast<float>(std::sin(angle))});
    }
    return roots;
}

std::vector<cfloat> single(const reference::Image& image) {
    std::vector<cfloat> values;
    for (const reference::Value& value : image) {
        values.push_back({static_cast<float>(value.real()), static_cast<float>(value.imag())});
    }
    return values;
}

// ||found - factor * expected|| / ||factor * expected||
double relative_error(const std::vector<cfloat>& found, const reference::Image& expected, double factor) {
    double difference = 0, size = 0;
    for (std::ptrdiff_t i = 0; i < expected.size(); ++i) {
        const cfloat value = found[static_cast<std::size_t>(i)];
        difference += std::norm(reference::Value(value.re, value.im) - factor * expected[i]);
        size += std::norm(factor * expected[i]);
    }
    return std::sqrt(difference / size);
}

template <class Layout>
class OnChipTransform : public testing::Test {
  protected:
    static constexpr std::int32_t size = Layout::size;
    static constexpr std::size_t area = std::size_t{size} * size;
    std::vector<cfloat> roots = roots_of(size);
    reference::Image image = reference::random_image({size, size}, 11);
    std::vector<cfloat> given = single(image), taken = std::vector<cfloat>(area);
    WalkedTeam<Layout> team{0};

    void SetUp() override {
        for (std::size_t i = 0; i < area; ++i) {
            image[static_cast<std::ptrdiff_t>(i)] = {given[i].re, given[i].im};
        }
        team.each(LoadRoots<Layout>{roots.data()});
    }
};
using Layouts = testing::Types<OnChipLayout<64>, OnChipLayout<128>, OnChipLayout<256>>;
TYPED_TEST_SUITE(OnChipTransform, Layouts);

// A transform in single precision is off by about 2^-24 sqrt(log2(size)): 2e-7.
constexpr double transform_bound = 4e-7;

TYPED_TEST(OnChipTransform, ForwardIsTheDirectSum) {
    turn_in_space<Turn::begin, TypeParam>(this->team, GiveInSpace<TypeParam>{this->given.data()});
    rows_forward<TypeParam>(this->team);
    turn_in_frequency<Turn::end, TypeParam>(this->team, TakeInFrequency<TypeParam>{{}, this->taken.data()});
    EXPECT_LT(relative_error(this->taken, reference::dft2(this->image), this->size), transform_bound);
}

TYPED_TEST(OnChipTransform, BackwardIsTheDirectSum) {
    turn_in_frequency<Turn::begin, TypeParam>(this->team, GiveInFrequency<TypeParam>{{}, this->given.data()});
    rows_backward<TypeParam>(this->team);
    turn_in_space<Turn::end, TypeParam>(this->team, TakeInSpace<TypeParam>{this->taken.data()});
    EXPECT_LT(relative_error(this->taken, reference::idft2(this->image), this->size), transform_bound);
}

TYPED_TEST(OnChipTransform, ThereAndBackIsTheSameTimesTheNumberOfPixels) {
    turn_in_space<Turn::begin, TypeParam>(this->team, GiveInSpace<TypeParam>{this->given.data()});
    rows_forward<TypeParam>(this->team);
    turn_in_frequency<Turn::around, TypeParam>(this->team, Nothing<TypeParam>{});
    rows_backward<TypeParam>(this->team);
    turn_in_space<Turn::end, TypeParam>(this->team, TakeInSpace<TypeParam>{this->taken.data()});
    EXPECT_LT(relative_error(this->taken, this->image, static_cast<double>(this->area)), transform_bound);
}

TYPED_TEST(OnChipTransform, EveryFrequencyHasOnePosition) {
    std::set<std::int32_t> frequencies;
    for (std::int32_t position = 0; position < this->size; ++position) {
        const std::int32_t frequency = TypeParam::frequency_at(position);
        EXPECT_EQ(TypeParam::position_of(frequency), position);
        frequencies.insert(frequency);
    }
    EXPECT_EQ(frequencies.size(), static_cast<std::size_t>(this->size));
    EXPECT_EQ(*frequencies.begin(), 0);
    EXPECT_EQ(*frequencies.rbegin(), this->size - 1);
}

// What a multiprocessor of compute capability 9.0 has, and what the system takes of it for each block.
TYPED_TEST(OnChipTransform, FitsTheMultiprocessor) {
    constexpr std::size_t most_bytes = 227 * 1024, all_bytes = 228 * 1024, reserved = 1024;
    for (const bool with_plane : {false, true}) {
        EXPECT_LE(TypeParam::bytes(with_plane), most_bytes);
        EXPECT_LE(TypeParam::blocks_per_multiprocessor * (TypeParam::bytes(with_plane) + reserved),
                  all_bytes);
    }
    EXPECT_LE(TypeParam::blocks_per_multiprocessor * TypeParam::threads, 2048);
}

// ---- The whole program of a team

// Two frames of two modes, made up, and what the team leaves in memory.
template <class Program>
class Frames {
  public:
    using Layout = typename Program::Layout;

    Frames(Interpolation interpolation, ProbeMotion motion) {
        program.s.num_frames = num_frames;
        program.s.num_modes = num_modes;
        program.s.frame = program.s.probe = program.s.window = {size, size};
        program.s.tile = {size + 1, size + 2};
        program.s.interpolation = interpolation;
        const std::vector<cfloat> roots = roots_of(size);
        std::copy(roots.begin(), roots.end(), program.roots);
        program.motion = motion;
        program.state = &state;
        program.frames = positions;
        program.num_frames = num_frames;
        program.num_teams = 1;
        program.counts = reinterpret_cast<const std::byte*>(counts.data());
        program.bytes_per_frame = area * std::ptrdiff_t{sizeof(std::uint16_t)};
        program.detector = {mask.data(), nullptr, nullptr, nullptr, nullptr};
        program.object = object.data();
        program.probe = probe.data();
        program.spectrum = interpolation == Interpolation::fourier ? probe.data() : nullptr;
        program.ramps = object.data();
        program.thread_sums = sums.data();
        program.shifted = shifted.data();
        set_others(program);
    }

    Program program{};
    std::vector<cfloat> products = std::vector<cfloat>(num_frames * area);
    std::vector<cfloat> probe_sums = std::vector<cfloat>(num_modes * area);
    std::vector<float> sums = std::vector<float>(num_frames * Layout::team_threads * Program::num_sums);

    static constexpr std::int32_t num_frames = 2, num_modes = 2;

  private:
    static constexpr std::int32_t size = Layout::size;
    static constexpr std::ptrdiff_t area = std::ptrdiff_t{size} * size;

    void set_others(GradientOfFrames<size>& gradient) {
        gradient.is_first_turn = true;
        gradient.held = held.data();
        gradient.products = products.data();
        gradient.probe_sums = probe_sums.data();
    }
    void set_others(LineSearchOfFrames<size>& line_search) {
        line_search.object_direction = object.data();
        line_search.probe_direction = probe.data();
        line_search.direction_spectrum = probe.data();
        line_search.shifted_direction = shifted.data() + area;
        line_search.held = {held.data(), held.data() + num_modes * area, held.data() + 2 * num_modes * area};
    }

    IterationState state;
    FramePosition positions[num_frames] = {{0, 1, 0, 0}, {1, 0, 0, 0}};
    std::vector<std::uint16_t> counts = std::vector<std::uint16_t>(num_frames * area, 7);
    std::vector<float> mask = std::vector<float>(area, 1.0f);
    std::vector<cfloat> object = single(reference::random_image({size + 1, size + 2}, 3));
    std::vector<cfloat> probe = single(reference::random_image({num_modes * size, size}, 4));
    std::vector<cfloat> shifted = std::vector<cfloat>(num_modes * area);
    std::vector<cfloat> held = std::vector<cfloat>(3 * num_modes * area);
};

bool same(const std::vector<cfloat>& a, const std::vector<cfloat>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](cfloat x, cfloat y) { return x.re == y.re && x.im == y.im; });
}

template <class Layout>
class OnChipProgram : public testing::Test {};
TYPED_TEST_SUITE(OnChipProgram, Layouts);

// Runs the program with threads in both orders, which has to make no difference, and hands the team over.
template <class Program, class Check>
void watch(Interpolation interpolation, ProbeMotion motion, const Check& check) {
    using Layout = typename Program::Layout;
    Frames<Program> ascending(interpolation, motion), descending(interpolation, motion);
    WatchedTeam<Layout> team(0, false), backwards(0, true);
    ascending.program(team);
    descending.program(backwards);
    EXPECT_TRUE(same(ascending.products, descending.products));
    EXPECT_TRUE(same(ascending.probe_sums, descending.probe_sums));
    EXPECT_EQ(ascending.sums, descending.sums);
    for (const auto* watched : {&team, &backwards}) {
        const WatchedMemory<Layout>& memory = watched->memory;
        EXPECT_EQ(memory.of_field.shared_by_threads, 0);
        EXPECT_EQ(memory.of_field.shared_by_blocks, 0);
        EXPECT_EQ(memory.of_field.conflicts, 0);
        EXPECT_EQ(memory.of_field.untouched, Layout::size * Layout::size);  // by LoadRoots alone
        EXPECT_EQ(memory.of_plane.shared_by_threads, 0);
        EXPECT_EQ(memory.of_plane.conflicts, 0);
        EXPECT_EQ(memory.foreign_rows, 0);
        EXPECT_EQ(memory.outside, 0);
    }
    check(team);
}

TYPED_TEST(OnChipProgram, GradientNeitherRacesNorCollidesNorLeavesItsRows) {
    for (const Interpolation interpolation : {Interpolation::nearest, Interpolation::fourier}) {
        for (const ProbeMotion motion : {ProbeMotion::fixed, ProbeMotion::moving}) {
            watch<GradientOfFrames<TypeParam::size>>(interpolation, motion, [&](const auto& team) {
                // As codelets/device/README.md counts them: passes between the turns, and turns.
                const bool shifts = interpolation == Interpolation::fourier;
                const std::ptrdiff_t back = shifts && motion == ProbeMotion::moving ? 3 : 0;
                const std::ptrdiff_t of_mode = (shifts ? 3 : 0) + 1 + 2 + 1 + 2 + 1 + back;
                // The first mode's far field is held and taken; LoadRoots.
                EXPECT_EQ(team.num_passes, 2 * (2 * of_mode + 1) + 1);
            });
        }
    }
}

TYPED_TEST(OnChipProgram, LineSearchNeitherRacesNorCollidesNorLeavesItsRows) {
    for (const Interpolation interpolation : {Interpolation::nearest, Interpolation::fourier}) {
        for (const ProbeMotion motion : {ProbeMotion::fixed, ProbeMotion::moving}) {
            watch<LineSearchOfFrames<TypeParam::size>>(interpolation, motion, [&](const auto& team) {
                const std::ptrdiff_t shift = interpolation == Interpolation::fourier ? 3 : 0,
                                     wave = 1 + 2 + 1;
                const std::ptrdiff_t of_mode =
                    motion == ProbeMotion::moving ? 2 * (shift + wave) + wave : shift + wave + wave;
                EXPECT_EQ(team.num_passes, 2 * (2 * of_mode + 1) + 1);  // + comparison, + LoadRoots
            });
        }
    }
}

}  // namespace
}  // namespace tessera::test
