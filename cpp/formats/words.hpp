// Words in lines of text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace molkern::formats {

// Space, tab, carriage return, and two that nobody uses.
inline constexpr std::uint64_t blanks =
    std::uint64_t{1} << ' ' | 1 << '\t' | 1 << '\r' | 1 << '\v' | 1 << '\f';

inline bool is_blank(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 64 && (blanks >> byte & 1) != 0;
}

inline bool divides(char c) {
    return is_blank(c) || c == ',';
}

// A place in a line that moves on.
struct Cursor {
    std::string_view line;
    std::size_t at = 0;
    unsigned never_closed = 0;  // what is not closed any more: 1 ", 2 ', 4 {, 8 [

    bool done() const { return at >= line.size(); }
    char here() const { return line[at]; }

    void skip(bool (*which)(char)) {
        while (!done() && which(here())) ++at;
    }

    // What is inside of a pair of quotes, braces or brackets that begins here. One that is not
    // closed is no pair: the word with it.
    std::string_view enclosed() {
        const char open = here(), close = open == '{' ? '}' : open == '[' ? ']' : open;
        const std::size_t begin = at + 1;
        const unsigned kind = open == '"' ? 1 : open == '\'' ? 2 : open == '{' ? 4 : 8;
        std::size_t place = (never_closed & kind) != 0 ? line.size() : begin;
        int depth = 1;
        for (; place < line.size(); ++place) {
            const char c = line[place];
            if (c == '\\' && open == close) {
                ++place;
            } else if (c == close) {
                if (--depth == 0) break;
            } else if (c == open) {
                ++depth;
            }
        }
        if (place >= line.size()) {
            never_closed |= kind;  // not looked for again: a line may have millions of them
            return until_blank();
        }
        at = place + 1;
        return line.substr(begin, place - begin);
    }

    std::string_view until_blank() {
        const std::size_t begin = at;
        while (!done() && !is_blank(here())) ++at;
        return line.substr(begin, at - begin);
    }

    // Up to the next blank, comma or sign of equality.
    std::string_view bare() {
        const std::size_t begin = at;
        while (!done() && !divides(here()) && here() != '=') ++at;
        return line.substr(begin, at - begin);
    }
};

}  // namespace molkern::formats
