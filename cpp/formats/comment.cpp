#include "formats/comment.hpp"

#include <algorithm>

#include "formats/numbers.hpp"

namespace molkern::formats {

namespace {

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

// The value after a sign of equality: in quotes or brackets, or up to the next blank. Values such
// as SMILES may hold signs of equality, and commas stand between numbers.
std::string_view value_at(Cursor& cursor) {
    if (cursor.done() || key_follows(cursor)) return {};
    if (is_open(cursor.here())) return cursor.enclosed();
    std::string_view value = cursor.until_blank();
    while (!value.empty() && (value.back() == ',' || value.back() == ';')) value.remove_suffix(1);
    return value;
}

bool is_letter(char c) {
    return ('a' <= c && c <= 'z') || ('A' <= c && c <= 'Z');
}

bool is_gap(char c) {
    return divides(c) || c == '[' || c == ']';
}

// Appends the numbers that a text consists of; none where it is something else, or where a bracket
// of it is somewhere else in the line.
std::size_t append_numbers(std::string_view text, std::vector<double>& numbers) {
    if (std::count(text.begin(), text.end(), '[') != std::count(text.begin(), text.end(), ']'))
        return 0;
    const std::size_t first = numbers.size();
    Cursor cursor{text};
    for (cursor.skip(is_gap); !cursor.done(); cursor.skip(is_gap)) {
        const std::size_t begin = cursor.at;
        while (!cursor.done() && !is_gap(cursor.here())) ++cursor.at;
        double value = 0.0;
        if (!parse_number(text.substr(begin, cursor.at - begin), value)) {
            numbers.resize(first);
            break;
        }
        numbers.push_back(value);
    }
    return numbers.size() - first;
}

}  // namespace

void Items::parse(std::string_view line) {
    items.clear();
    numbers.clear();
    counts.clear();
    if (line.size() > 1 && line.front() == '{' && line.back() == '}')
        line = line.substr(1, line.size() - 2);  // JSON
    Cursor cursor{line};
    for (cursor.skip(divides); !cursor.done(); cursor.skip(divides)) {
        const bool quoted = is_quote(cursor.here());
        const std::string_view key = quoted ? cursor.enclosed() : cursor.bare();
        Cursor next = cursor;
        next.skip(is_blank);
        if (key.empty() && !quoted) {
            ++cursor.at;  // a sign of equality without a key
        } else if (!next.done() && next.here() == '=') {
            ++next.at;
            next.skip(is_blank);
            const std::string_view value = value_at(next);
            cursor = next;
            add(key, value, Item::Kind::text);
        } else if (quoted && !next.done() && next.here() == ':') {
            ++next.at;
            next.skip(is_blank);
            const bool pair = !next.done() && is_open(next.here());
            const std::string_view value = pair ? next.enclosed() : next.bare();
            cursor = next;
            add(key, value, Item::Kind::text);
        } else if (quoted) {
            items.push_back({Item::Kind::text, {}, key});
            counts.push_back(0);
        } else if (!add_spoken(key, next, cursor)) {
            add_word(key);
        }
    }
}

// A key with its value.
void Items::add(std::string_view key, std::string_view value, Item::Kind kind) {
    const std::size_t count = append_numbers(value, numbers);
    if (count > 0) kind = count == 1 ? Item::Kind::number : Item::Kind::numbers;
    items.push_back({kind, key, value});
    counts.push_back(static_cast<std::uint32_t>(count));
}

// xtb's "energy: -5.07", also with a blank before the colon; whether it is one.
bool Items::add_spoken(std::string_view key, Cursor next, Cursor& cursor) {
    if (key.back() == ':') {
        key.remove_suffix(1);
    } else {
        if (next.bare() != ":") return false;
        next.skip(is_blank);
    }
    const std::string_view value = next.bare();
    double number = 0.0;
    if (key.empty() || !parse_number(value, number)) return false;
    cursor = next;
    add(unquoted(key), value, Item::Kind::text);
    return true;
}

// A word, or a number without a key or after a colon: "energy:-5.07", but not "12:30:45".
void Items::add_word(std::string_view word) {
    double number = 0.0;
    if (parse_number(word, number)) {
        add({}, word, Item::Kind::text);
        return;
    }
    const std::size_t colon = word.find(':');
    const std::string_view key = unquoted(word.substr(0, colon));
    if (colon != std::string_view::npos && !key.empty() && is_letter(key.front()) &&
        parse_number(word.substr(colon + 1), number)) {
        add(key, word.substr(colon + 1), Item::Kind::text);
        return;
    }
    items.push_back({Item::Kind::word, word, {}});
    counts.push_back(0);
}

}  // namespace molkern::formats
