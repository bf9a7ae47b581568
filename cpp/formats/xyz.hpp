// Extended XYZ in one pass: frames of a file that comes piece by piece.
//
// A frame is a line with the number of atoms, a comment line, and a line for each atom. What the
// columns of the atoms are is told by Properties= in the comment; which of them are wanted is told
// by the caller, once for each such text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "formats/comment.hpp"

namespace molkern::formats {

/// Columns of the atom lines that belong together.
struct Column {
    enum class Role : std::int8_t { skipped, symbol, number, position, kept };

    Role role = Role::skipped;
    std::size_t width = 1;  // words
    std::size_t kept = 0;   // which of the arrays that are kept
};

/// A file that is no extended XYZ; says the line and the frame.
class XyzError : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Texts, each of them once, by number.
class Texts {
  public:
    std::int32_t number_of(std::string_view text);

    const std::vector<std::string>& all() const { return texts_; }
    std::size_t bytes() const { return bytes_; }

  private:
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const {
            return std::hash<std::string_view>{}(text);
        }
    };
    std::unordered_map<std::string, std::int32_t, Hash, std::equal_to<>> numbers_;
    std::vector<std::string> texts_;
    std::size_t bytes_ = 0;
};

/// Items of all comment lines, one after another.
struct Comments {
    std::vector<std::int64_t> frame;   // [n_items]
    std::vector<std::int32_t> key;     // [n_items], of `keys`
    std::vector<std::int8_t> kind;     // [n_items], see Item::Kind
    std::vector<std::int64_t> value;   // [n_items], first of `numbers`, or one of `texts`
    std::vector<std::uint32_t> count;  // [n_items], numbers
    std::vector<double> numbers;
    Texts keys, texts;
};

class XyzParser {
  public:
    /// `symbols`: what each of them becomes. A word of digits becomes minus its number.
    explicit XyzParser(const std::vector<std::pair<std::string, std::int32_t>>& symbols);

    /// Parses what is complete in all bytes so far. Stops where the atoms of a frame have columns
    /// that are not known yet, and returns the text after Properties= (empty: there is none);
    /// `add_layout` must follow, then `feed` again, with no bytes or more.
    std::optional<std::string> feed(std::string_view bytes);

    void add_layout(const std::string& properties, std::vector<Column> columns);

    /// The end of a file; another may follow. Raises for a frame that is not complete.
    std::optional<std::string> finish();

    // Results, of all files together.
    std::vector<std::int32_t> codes;        // [n_atoms]
    std::vector<double> positions;          // [n_atoms, 3]
    std::vector<std::int64_t> offsets{0};   // [n_frames + 1], first atom of each frame
    std::vector<std::int64_t> lines;        // [n_frames], of the number of atoms, from 1
    std::vector<std::int32_t> layouts;      // [n_frames], in the order of `add_layout`
    std::vector<std::vector<double>> kept;  // [n_kept][n_atoms of its layouts, width]
    std::int64_t n_longer_lines = 0;        // atoms with words beyond the known columns
    Comments comments;

    std::size_t n_frames() const { return lines.size(); }
    /// Lines of this file that are parsed; the next one is where a layout is missing.
    std::int64_t n_lines() const { return line_; }
    /// Memory that the results take, and the part of a line that is held.
    std::size_t bytes() const;

  private:
    struct Layout {
        std::int32_t number;
        std::vector<Column> columns;
    };
    enum class State { count, comment, atoms };

    std::optional<std::string> parse_held(bool complete);
    bool parse_lines(std::string_view& rest, bool complete);
    bool parse_line(std::string_view line);
    void parse_count(std::string_view line);
    bool parse_comment(std::string_view line);
    void parse_atom(std::string_view line);
    std::int32_t code_of(std::string_view symbol);
    [[noreturn]] void fail(const std::string& what) const;

    std::unordered_map<std::uint64_t, std::int32_t> symbols_;
    std::unordered_map<std::string, Layout> by_properties_;
    std::string properties_;          // of the last frame
    const Layout* layout_ = nullptr;  // of the last frame
    std::string held_;                // bytes that are not parsed yet
    bool waiting_ = false;            // for a layout; else what is held is a part of a line
    State state_ = State::count;
    std::int64_t line_ = 0;         // the last one that was parsed
    std::int64_t first_frame_ = 0;  // of this file
    std::uint64_t n_left_ = 0, n_declared_ = 0;
    Items items_;
};

}  // namespace molkern::formats
