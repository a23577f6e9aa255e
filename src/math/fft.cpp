#include "math/fft.hpp"

#include <fftw3.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <sstream>

#include "base/error.hpp"
#include "base/log.hpp"

namespace tessera {
namespace {

// FFTW plans, unplans and handles wisdom under one lock; only executing is thread-safe.
std::mutex& planner_lock() {
    static std::mutex lock;
    return lock;
}

struct FftwFree {
    void operator()(fftwf_complex* memory) const { fftwf_free(memory); }
};

fftwf_complex* as_fftw(cfloat* wave) {
    return reinterpret_cast<fftwf_complex*>(wave);
}

std::filesystem::path wisdom_file() {
    const auto folder = cache_folder();
    if (folder.empty()) return {};
    char host[256] = "host";
    gethostname(host, sizeof host - 1);
    return folder / fmt::format("fftw-wisdom-{}", host);
}

void load_wisdom() {
    const auto file = wisdom_file();
    if (file.empty()) return;
    std::ifstream stream(file);
    std::stringstream text;
    text << stream.rdbuf();
    if (stream && fftwf_import_wisdom_from_string(text.str().c_str()) == 0) {
        log::warning("{}: not usable as FFTW wisdom (planning afresh)", file.string());
    }
}

std::string exported_wisdom() {
    char* text = fftwf_export_wisdom_to_string();
    std::string wisdom = text != nullptr ? text : "";
    std::free(text);
    return wisdom;
}

// Beside and renamed: a concurrent run reads the old or the new file, never half of one.
void save_wisdom() {
    const auto file = wisdom_file();
    if (file.empty()) return;
    std::error_code ignored;
    std::filesystem::create_directories(file.parent_path(), ignored);
    const auto beside = file.string() + fmt::format(".{}", getpid());
    {
        std::ofstream stream(beside);
        stream << exported_wisdom();
        if (!stream) return;
    }
    std::filesystem::rename(beside, file, ignored);
    if (ignored) std::filesystem::remove(beside, ignored);
}

// Where our own transform was measured to be faster than FFTW 3.3.10 planned by timing (tools/bench/fft.cpp).
std::unique_ptr<SimdFft> own_where_faster(std::array<int, 2> shape) {
    const auto [least, most] = std::minmax(shape[0], shape[1]);
    return least >= 24 && most <= 1024 ? make_simd_fft(shape) : nullptr;
}

}  // namespace

FftwPlan::FftwPlan(std::array<int, 2> shape) {
    TESSERA_EXPECT(shape[0] > 0 && shape[1] > 0);
    const auto size = static_cast<std::size_t>(shape[0]) * static_cast<std::size_t>(shape[1]);
    const std::lock_guard guard(planner_lock());
    const std::unique_ptr<fftwf_complex, FftwFree> scratch(fftwf_alloc_complex(size));
    if (scratch == nullptr) throw std::bad_alloc();
    // With an odd number of pixels every second wave of a stack is not aligned.
    const unsigned flags = FFTW_MEASURE | (size % 2 != 0 ? FFTW_UNALIGNED : 0U);
    const auto plan = [&](int sign) {
        fftwf_plan made = fftwf_plan_dft_2d(shape[0], shape[1], scratch.get(), scratch.get(), sign, flags);
        if (made == nullptr)
            throw runtime_failure("FFTW cannot plan a transform of {} x {}", shape[0], shape[1]);
        return made;
    };
    forward_ = plan(FFTW_FORWARD);
    backward_ = plan(FFTW_BACKWARD);
}

FftwPlan::~FftwPlan() {
    const std::lock_guard guard(planner_lock());
    fftwf_destroy_plan(static_cast<fftwf_plan>(forward_));
    fftwf_destroy_plan(static_cast<fftwf_plan>(backward_));
}

void FftwPlan::forward(cfloat* wave) const {
    fftwf_execute_dft(static_cast<fftwf_plan>(forward_), as_fftw(wave), as_fftw(wave));
}

void FftwPlan::backward(cfloat* wave) const {
    fftwf_execute_dft(static_cast<fftwf_plan>(backward_), as_fftw(wave), as_fftw(wave));
}

FftPlan::FftPlan(std::array<int, 2> shape) : shape_(shape), own_(own_where_faster(shape)) {
    if (!own_) library_ = std::make_unique<FftwPlan>(shape);
}

const FftPlan& fft_plan(std::array<int, 2> shape) {
    static std::mutex lock;
    static std::map<std::array<int, 2>, std::unique_ptr<FftPlan>> plans;
    const std::lock_guard guard(lock);
    auto& plan = plans[shape];
    if (plan == nullptr) {
        static std::once_flag loaded;
        std::call_once(loaded, load_wisdom);
        const std::string before = exported_wisdom();
        plan = std::make_unique<FftPlan>(shape);
        if (exported_wisdom() != before) save_wisdom();
    }
    return *plan;
}

std::filesystem::path cache_folder() {
    const auto variable = [](const char* name) -> std::filesystem::path {
        const char* value = std::getenv(name);
        return value != nullptr ? value : "";
    };
    if (const auto own = variable("TESSERA_CACHE"); !own.empty()) return own;
    if (const auto cache = variable("XDG_CACHE_HOME"); !cache.empty()) return cache / "tessera";
    if (const auto home = variable("HOME"); !home.empty()) return home / ".cache" / "tessera";
    return {};
}

std::string fft_identity() {
    const auto target = simd_fft_target();
    const auto own = own_where_faster({24, 24}) ? fmt::format("own for {}; others ", target) : "";
    return fmt::format("{}{}, wisdom {:016x}", own, fftwf_version,
                       std::hash<std::string>{}(exported_wisdom()));
}

}  // namespace tessera
