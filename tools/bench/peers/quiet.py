"""Keeps the work of others on a shared machine out of a measurement: waits until the cores are idle, and tells
how much of them others used during a run. Programs suffer unequally from company (threads that spin in an
OpenMP barrier lose whole time slices), so a ratio taken beside somebody's build says little."""

import os
import sys
import time

TICK_S = 1 / os.sysconf("SC_CLK_TCK")


class CoreTimes:
    """Seconds that some cores have been busy since the machine started, and this process's children."""

    def __init__(self, cores):
        self.at_s = time.monotonic()
        self.busy_s = 0.0
        names = {f"cpu{core}" for core in cores}
        with open("/proc/stat") as file:
            for line in file:
                name, *ticks = line.split()
                if name in names:
                    user, nice, system, _idle, _waiting, interrupt, soft, stolen = map(int, ticks[:8])
                    self.busy_s += TICK_S * (user + nice + system + interrupt + soft + stolen)
        times = os.times()
        self.ours_s = times.children_user + times.children_system

    def others_share(self, before, cores):
        """What others used of the cores since `before`, 0 to 1."""
        others_s = (self.busy_s - before.busy_s) - (self.ours_s - before.ours_s)
        return max(others_s, 0.0) / ((self.at_s - before.at_s) * len(cores))


def wait(cores, limit, patience_s):
    """Returns once others use less than `limit` of the cores, or when patience is at its end."""
    end = time.monotonic() + patience_s
    while True:
        before = CoreTimes(cores)
        time.sleep(1.0)
        share = CoreTimes(cores).others_share(before, cores)
        if share < limit:
            return
        if time.monotonic() >= end:
            break
    print(f"others still use {share:.0%} of the cores: measuring all the same", file=sys.stderr)


def least_disturbed(measure, cores, limit, patience_s, tries=4):
    """measure() among idle cores; repeated when others came in meanwhile, the least disturbed run is kept."""
    best = None
    for _ in range(tries):
        wait(cores, limit, patience_s)
        run = measure()
        if best is None or run.others_share < best.others_share:
            best = run
        if best.others_share < limit:
            break
    return best
