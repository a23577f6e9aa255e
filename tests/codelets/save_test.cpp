// What a checkpoint is made of, and the votes that decide when.
#include "codelets/save.hpp"

#include <gtest/gtest.h>

#include "codelets/vote_to_stop.hpp"
#include "support/filled_data.hpp"

namespace tessera::test {
namespace {

TEST(Save, PutsItsSourcesOneAfterTheOther) {
    const auto first = random_pixels(24, 1), second = random_pixels(8, 2), third = random_pixels(40, 3);
    const Data a = data_of(first), b = data_of(second), c = data_of(third);
    const SaveArgs args = {{a.bytes(), b.bytes(), c.bytes()}};
    ASSERT_EQ(args.total(), (24 + 8 + 40) * sizeof(cfloat));
    const Data saved(args.total()), state = data_of_one(IterationState{});
    save.submit(args, {&a, &b, &c, &state, &saved});
    auto expected = first;
    expected.insert(expected.end(), second.begin(), second.end());
    expected.insert(expected.end(), third.begin(), third.end());
    const auto found = content<cfloat>(saved, expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
        ASSERT_EQ(found[i].re, expected[i].re);
        ASSERT_EQ(found[i].im, expected[i].im);
    }
}

TEST(Save, KeepsWhatItHasOnceTheRunHasStopped) {
    for (const auto reason : {StopReason::requested, StopReason::no_descent, StopReason::converged}) {
        IterationState stopped;
        stopped.stopped = static_cast<std::int32_t>(reason);
        const auto old = random_pixels(24, 4);
        const Data a = data_of(random_pixels(8, 1)), saved = data_of(old), state = data_of_one(stopped);
        save.submit({{a.bytes(), a.bytes(), a.bytes()}}, {&a, &a, &a, &state, &saved});
        const auto found = content<cfloat>(saved, old.size());
        for (std::size_t i = 0; i < old.size(); ++i) ASSERT_EQ(found[i].re, old[i].re);
    }
}

TEST(Votes, ToStopAndForACheckpointAreCountedApart) {
    const std::atomic<bool> yes = true, no = false;
    struct Case {
        VoteToStopArgs args;
        std::int64_t stop, checkpoint;
    };
    for (const Case& c :
         {Case{{&yes, 1e300, &no}, 1, 0}, Case{{&no, 1e300, &yes}, 0, 1}, Case{{nullptr, 0.0, nullptr}, 1, 0},
          Case{{&yes, 1e300, &yes}, 1, 1}, Case{{nullptr, 1e300, nullptr}, 0, 0}}) {
        BatchSums before;
        before.stop_votes = 5;
        before.checkpoint_votes = 7;
        before.cost = 2;
        const Data sums = data_of_one(before);
        vote_to_stop.submit(c.args, {&sums});
        const auto after = content_of_one<BatchSums>(sums);
        EXPECT_EQ(after.stop_votes, 5 + c.stop);
        EXPECT_EQ(after.checkpoint_votes, 7 + c.checkpoint);
        EXPECT_EQ(after.cost, 2);
    }
}

}  // namespace
}  // namespace tessera::test
