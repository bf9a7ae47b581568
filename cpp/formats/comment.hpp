// The comment line of a frame in extended XYZ: words, and keys with values.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "formats/words.hpp"

namespace molkern::formats {

/// What stands at one place of a comment line.
struct Item {
    enum class Kind : std::int8_t { word, number, numbers, text };

    Kind kind;
    std::string_view key;   // empty: a number or a quoted text without a key
    std::string_view text;  // of the value, without quotes or brackets
};

/// The items of a line, in its order, and the numbers of those that are numbers, one after another.
///
/// Known forms: key=value and "key"=value, with blanks around the sign or not, values in quotes,
/// braces or brackets; key: number; and words. Items are divided by blanks and commas. A value of
/// several numbers is numbers; everything else is text.
class Items {
  public:
    std::vector<Item> items;
    std::vector<double> numbers;
    std::vector<std::uint32_t> counts;  // numbers of each item

    /// Replaces what was there. The views point into the line.
    void parse(std::string_view line);

  private:
    void add(std::string_view key, std::string_view value, Item::Kind kind);
    bool add_spoken(std::string_view key, Cursor next, Cursor& cursor);
    void add_word(std::string_view word);
};

}  // namespace molkern::formats
