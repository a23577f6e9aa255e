#include "config/rule.hpp"

#include <fmt/format.h>

#include <cmath>

namespace tessera {

bool Rule::admits(double value) const {
    return (least_excluded ? value > least : value >= least) &&
           (most_excluded ? value < most : value <= most);
}

std::string Rule::range() const {
    std::string low, high;
    if (std::isfinite(least)) low = fmt::format("{} {}", least_excluded ? "above" : "at least", least);
    if (std::isfinite(most)) high = fmt::format("{} {}", most_excluded ? "below" : "at most", most);
    return low.empty() || high.empty() ? low + high : low + ", " + high;
}

Rule anything() {
    return {};
}

Rule at_least(double least) {
    Rule rule;
    rule.least = least;
    return rule;
}

Rule above(double least) {
    Rule rule = at_least(least);
    rule.least_excluded = true;
    return rule;
}

Rule within(double least, double most) {
    Rule rule = at_least(least);
    rule.most = most;
    return rule;
}

Rule above_up_to(double least, double most) {
    Rule rule = within(least, most);
    rule.least_excluded = true;
    return rule;
}

Rule from_below(double least, double most) {
    Rule rule = within(least, most);
    rule.most_excluded = true;
    return rule;
}

}  // namespace tessera
