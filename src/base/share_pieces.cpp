#include "base/share_pieces.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace tessera {
namespace {

// The failure of the least piece so far.
class FirstFailure {
  public:
    void note(std::size_t piece, std::exception_ptr failure) {
        const std::lock_guard turn(lock_);
        if (failure_ && piece_ < piece) return;
        piece_ = piece;
        failure_ = std::move(failure);
    }
    void rethrow() const {
        if (failure_) std::rethrow_exception(failure_);
    }

  private:
    std::mutex lock_;
    std::size_t piece_ = 0;
    std::exception_ptr failure_;
};

}  // namespace

void share_pieces(std::size_t num_pieces, int num_threads,
                  const std::function<void(std::size_t piece, int thread)>& work) {
    std::atomic<std::size_t> next = 0;
    FirstFailure failure;
    const auto take_pieces = [&](int thread) {
        for (std::size_t piece = next++; piece < num_pieces; piece = next++) {
            try {
                work(piece, thread);
            } catch (...) {
                failure.note(piece, std::current_exception());
                next = num_pieces;
            }
        }
    };
    const auto most = std::min(static_cast<std::size_t>(std::max(num_threads, 1)), num_pieces);
    {
        std::vector<std::jthread> others;
        for (std::size_t thread = 1; thread < most; ++thread) {
            try {
                others.emplace_back(take_pieces, static_cast<int>(thread));
            } catch (const std::system_error&) {
                break;
            }
        }
        take_pieces(0);
    }
    failure.rethrow();
}

}  // namespace tessera
