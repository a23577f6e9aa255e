// The keys that say what a detector does to counts.
#include <gtest/gtest.h>

#include "unit/config_texts.hpp"

namespace tessera {
namespace {

TEST(RunFile, WhatFramesHoldBesideCounts) {
    const RunConfig c = run_of("scan: {file: a.cxi, mask: {saturated_above: 6.5e4, negative_counts: zero}}");
    EXPECT_EQ(c.scan.mask.saturated_above, 65000.0);
    EXPECT_EQ(c.scan.mask.negative_counts, NegativeCounts::zero);
    EXPECT_EQ(run_of(write_run_config(c)), c);
    EXPECT_EQ(run_of(scan_line).scan.mask.saturated_above, std::nullopt);
    EXPECT_EQ(run_of(scan_line).scan.mask.negative_counts, NegativeCounts::leave_out);
    expect_problem("scan: {file: a.cxi, mask: {saturated_above: 0}}",
                   "run.yaml:1: scan.mask.saturated_above: 0 is out of range (allowed: above 0)");
    expect_problem("scan: {file: a.cxi, mask: {negative_counts: refuse}}",
                   "run.yaml:1: scan.mask.negative_counts: expected one of leave_out, zero, got 'refuse'");
}

}  // namespace
}  // namespace tessera
