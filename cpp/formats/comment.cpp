#include "formats/comment.hpp"

#include "formats/numbers.hpp"

namespace molkern::formats {
namespace {

bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

bool divides(char c) {
    return is_blank(c) || c == ',';
}

// A place in a line that moves on.
struct Cursor {
    std::string_view line;
    std::size_t at = 0;

    bool done() const { return at >= line.size(); }
    char here() const { return line[at]; }

    void skip(bool (*which)(char)) {
        while (!done() && which(here())) ++at;
    }

    // What is inside of a pair of quotes, braces or brackets that begins here; to the end of the
    // line where the pair is not closed.
    std::string_view enclosed() {
        const char open = here(), close = open == '{' ? '}' : open == '[' ? ']' : open;
        const std::size_t begin = ++at;
        int depth = 1;
        for (; !done(); ++at) {
            if (here() == '\\' && (close == '"' || close == '\'') && at + 1 < line.size()) {
                ++at;
            } else if (here() == close) {
                if (--depth == 0) break;
            } else if (here() == open) {
                ++depth;
            }
        }
        const std::string_view inside = line.substr(begin, at - begin);
        if (!done()) ++at;
        return inside;
    }

    // Up to the next blank, comma or sign of equality.
    std::string_view bare() {
        const std::size_t begin = at;
        while (!done() && !divides(here()) && here() != '=') ++at;
        return line.substr(begin, at - begin);
    }
};

bool is_quote(char c) {
    return c == '"' || c == '\'';
}

bool is_open(char c) {
    return is_quote(c) || c == '{' || c == '[';
}

// A key of JSON without what surrounds it.
std::string_view unquoted(std::string_view key) {
    while (!key.empty() && (is_quote(key.front()) || key.front() == '{')) key.remove_prefix(1);
    while (!key.empty() && is_quote(key.back())) key.remove_suffix(1);
    return key;
}

// Whether another key follows, so that the value before it is empty.
bool key_follows(Cursor cursor) {
    if (cursor.done() || is_open(cursor.here())) return false;
    cursor.bare();
    return !cursor.done() && cursor.here() == '=';
}

}  // namespace

void Items::parse(std::string_view line) {
    items.clear();
    numbers.clear();
    counts.clear();
    const auto add = [&](Item item, bool may_be_several) {
        const std::size_t first = numbers.size();
        Cursor parts{item.text};
        const auto is_gap = [](char c) { return divides(c) || c == '[' || c == ']'; };
        bool all = true;
        for (parts.skip(is_gap); all && !parts.done(); parts.skip(is_gap)) {
            const std::size_t begin = parts.at;
            while (!parts.done() && !is_gap(parts.here())) ++parts.at;
            double value = 0.0;
            all = parse_number(item.text.substr(begin, parts.at - begin), value);
            if (all) numbers.push_back(value);
        }
        std::size_t count = numbers.size() - first;
        if (!all || count == 0 || (count > 1 && !may_be_several)) {
            numbers.resize(first);
            count = 0;
        } else {
            item.kind = count == 1 ? Item::Kind::number : Item::Kind::numbers;
        }
        items.push_back(item);
        counts.push_back(static_cast<std::uint32_t>(count));
    };
    Cursor cursor{line};
    for (cursor.skip(divides); !cursor.done(); cursor.skip(divides)) {
        const bool quoted = is_quote(cursor.here());
        const std::string_view key = quoted ? cursor.enclosed() : cursor.bare();
        if (key.empty() && !quoted) {  // a sign of equality without a key
            ++cursor.at;
            continue;
        }
        Cursor next = cursor;
        next.skip(is_blank);
        if (!next.done() && next.here() == '=') {
            ++next.at;
            next.skip(is_blank);
            std::string_view value;
            bool several = false;
            if (!next.done() && !key_follows(next)) {
                several = is_open(next.here());
                // Values such as SMILES may hold signs of equality, and commas between numbers.
                const std::size_t begin = next.at;
                if (several) {
                    value = next.enclosed();
                } else {
                    while (!next.done() && !is_blank(next.here())) ++next.at;
                    value = next.line.substr(begin, next.at - begin);
                    while (!value.empty() && (value.back() == ',' || value.back() == ';'))
                        value.remove_suffix(1);
                    several = true;
                }
            }
            cursor = next;
            add({Item::Kind::text, key, value}, several);
        } else if (!quoted && key.size() > 1 && key.back() == ':') {
            // xtb's "energy: -5.07".
            Cursor value_begins = next;
            const std::string_view value = value_begins.bare();
            double number = 0.0;
            if (!value.empty() && parse_number(value, number)) {
                cursor = value_begins;
                add({Item::Kind::number, unquoted(key.substr(0, key.size() - 1)), value}, false);
            } else {
                items.push_back({Item::Kind::word, key, {}});
                counts.push_back(0);
            }
        } else if (quoted) {
            items.push_back({Item::Kind::text, {}, key});
            counts.push_back(0);
        } else {
            add({Item::Kind::word, {}, key}, false);
            if (items.back().kind == Item::Kind::word) items.back() = {Item::Kind::word, key, {}};
        }
    }
}

}  // namespace molkern::formats
