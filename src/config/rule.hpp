#pragma once

#include <cstddef>
#include <limits>
#include <string>
#include <string_view>

namespace tessera {

enum class Unit { none, bytes, seconds };  // 8GiB; 90s, 10min, 2h

// What may be said about a key beyond its type. Written as a chain: above(0).or_auto().
// Numbers are always finite, texts never empty.
struct Rule {
    double least = -std::numeric_limits<double>::infinity();
    double most = std::numeric_limits<double>::infinity();
    bool least_excluded = false;
    bool most_excluded = false;
    std::string_view unset_word;  // of an optional: what null may also be written as, and is written as
    bool one_for_both = false;    // of a pair: a single value stands for both
    std::size_t count = 0;        // of a list: how many values; a single value stands for all of them
    Unit unit = Unit::none;
    std::string_view
        owner;  // not empty: the key has no meaning with the settings read so far, only for `owner`

    Rule or_auto() const {
        Rule rule = *this;
        rule.unset_word = "auto";
        return rule;
    }
    Rule or_one_for_both() const {
        Rule rule = *this;
        rule.one_for_both = true;
        return rule;
    }
    Rule times(std::size_t num_values) const {
        Rule rule = *this;
        rule.count = num_values;
        return rule;
    }
    Rule in(Unit unit_written) const {
        Rule rule = *this;
        rule.unit = unit_written;
        return rule;
    }
    // A key that only some settings use: given with others, it is a problem; written, it is left out.
    Rule only_if(bool is_used, std::string_view used_by) const {
        Rule rule = *this;
        if (!is_used) rule.owner = used_by;
        return rule;
    }

    bool admits(double value) const;
    std::string range() const;  // "at least 0, below 1"; empty where every finite value is admitted
};

Rule anything();
Rule at_least(double least);
Rule above(double least);
Rule within(double least, double most);       // both included
Rule above_up_to(double least, double most);  // least excluded
Rule from_below(double least, double most);   // most excluded

}  // namespace tessera
