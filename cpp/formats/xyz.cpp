#include "formats/xyz.hpp"

#include <cmath>

#include "formats/numbers.hpp"

namespace molkern::formats {
namespace {

constexpr std::size_t longest_symbol = 8;
constexpr std::size_t most_shown = 40;
constexpr std::size_t most_items = 10'000;  // of a comment line

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
    return text;
}

// Text of a file for a message: a part of it, in ASCII.
std::string shown(std::string_view text) {
    static const char digits[] = "0123456789abcdef";
    std::string result = "'";
    for (const char c : text.substr(0, most_shown)) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte < 0x7f)
            result += c;
        else
            result += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
    }
    return result + (text.size() > most_shown ? "...'" : "'");
}

// The next word of a line, which begins after it; empty at the end.
std::string_view next_word(std::string_view& line) {
    const char* at = line.data();
    const char* const end = at + line.size();
    while (at != end && is_blank(*at)) ++at;
    const char* const begin = at;
    while (at != end && !is_blank(*at)) ++at;
    line = std::string_view(at, static_cast<std::size_t>(end - at));
    return std::string_view(begin, static_cast<std::size_t>(at - begin));
}

std::uint64_t packed(std::string_view symbol) {
    std::uint64_t key = 0;
    for (const char c : symbol) key = key << 8 | static_cast<unsigned char>(c);
    return key;
}

}  // namespace

std::int32_t Texts::number_of(std::string_view text) {
    if (const auto found = numbers_.find(text); found != numbers_.end()) return found->second;
    const auto number = static_cast<std::int32_t>(texts_.size());
    texts_.emplace_back(text);
    numbers_.emplace(texts_.back(), number);
    bytes_ += 2 * (text.size() + sizeof(std::string));
    return number;
}

XyzParser::XyzParser(const std::vector<std::pair<std::string, std::int32_t>>& symbols) {
    for (const auto& [symbol, code] : symbols) symbols_[packed(symbol)] = code;
}

std::optional<std::string> XyzParser::feed(std::string_view bytes) {
    if (waiting_) {
        held_.append(bytes);
        return parse_held(false);
    }
    // Lines are parsed where they are, but for one that two pieces share.
    if (!held_.empty()) {
        const std::size_t end = bytes.find('\n');
        held_.append(bytes.substr(0, end == std::string_view::npos ? end : end + 1));
        if (end == std::string_view::npos) return std::nullopt;
        bytes.remove_prefix(end + 1);
        if (const auto missing = parse_held(false)) {
            held_.append(bytes);
            return missing;
        }
    }
    waiting_ = !parse_lines(bytes, false);
    held_.assign(bytes);
    return waiting_ ? std::optional(properties_) : std::nullopt;
}

std::optional<std::string> XyzParser::parse_held(bool complete) {
    std::string_view rest = held_;
    waiting_ = !parse_lines(rest, complete);
    held_.erase(0, held_.size() - rest.size());
    return waiting_ ? std::optional(properties_) : std::nullopt;
}

void XyzParser::add_layout(const std::string& properties, std::vector<Column> columns) {
    for (const Column& column : columns)
        if (column.role == Column::Role::kept && column.kept >= kept.size())
            kept.resize(column.kept + 1);
    const auto number = static_cast<std::int32_t>(by_properties_.size());
    by_properties_.insert_or_assign(properties, Layout{number, std::move(columns)});
    layout_ = nullptr;
}

std::optional<std::string> XyzParser::finish() {
    if (auto missing = parse_held(true)) return missing;
    if (state_ == State::comment) fail("the file ends where the comment line was expected");
    if (state_ == State::atoms)
        fail("the file ends after " + std::to_string(n_declared_ - n_left_) + " of " +
             std::to_string(n_declared_) + " atoms");
    line_ = 0;
    first_frame_ = static_cast<std::int64_t>(n_frames());
    return std::nullopt;
}

std::size_t XyzParser::bytes() const {
    std::size_t total = held_.capacity() + codes.size() * 4 + positions.size() * 8 +
                        lines.size() * 20 + comments.frame.size() * 25 +
                        comments.numbers.size() * 8 + comments.keys.bytes() +
                        comments.texts.bytes();
    for (const auto& values : kept) total += values.size() * 8;
    return total;
}

// All lines of `rest` that end there (`complete`: and the last one); false where a layout is
// missing, with the comment line of that frame as the first of what is left.
bool XyzParser::parse_lines(std::string_view& rest, bool complete) {
    while (!rest.empty()) {
        const std::size_t end = rest.find('\n');
        if (end == std::string_view::npos && !complete) return true;
        ++line_;
        if (!parse_line(rest.substr(0, end))) {
            --line_;
            return false;
        }
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
    // A frame without atoms may have no comment line at the end of a file.
    if (complete && state_ == State::comment && n_declared_ == 0) return parse_comment({});
    return true;
}

bool XyzParser::parse_line(std::string_view line) {
    switch (state_) {
        case State::count:
            parse_count(trimmed(line));
            return true;
        case State::comment:
            return parse_comment(trimmed(line));
        case State::atoms:
            parse_atom(line);
            return true;
    }
    return true;
}

void XyzParser::parse_count(std::string_view line) {
    if (line.empty()) return;  // between frames, and at the end
    std::uint64_t count = 0;
    bool digits = line.size() <= 18;
    for (const char c : line) {
        digits = digits && c >= '0' && c <= '9';
        if (digits) count = 10 * count + static_cast<std::uint64_t>(c - '0');
    }
    if (!digits) fail("expected a number of atoms, found " + shown(line));
    lines.push_back(line_);
    n_declared_ = n_left_ = count;
    state_ = State::comment;
}

bool XyzParser::parse_comment(std::string_view line) {
    items_.parse(line);
    if (items_.items.size() > most_items)
        fail("expected a comment line of at most " + std::to_string(most_items) + " words, found " +
             std::to_string(items_.items.size()));
    std::string_view properties;
    for (const Item& item : items_.items)
        if (item.key == "Properties" || item.key == "properties") properties = item.text;
    if (layout_ == nullptr || properties != properties_) {
        properties_.assign(properties);
        const auto found = by_properties_.find(properties_);
        if (found == by_properties_.end()) return false;
        layout_ = &found->second;
    }
    layouts.push_back(layout_->number);
    const auto frame = static_cast<std::int64_t>(n_frames() - 1);
    std::size_t first = 0;
    for (std::size_t k = 0; k < items_.items.size(); ++k) {
        const Item& item = items_.items[k];
        const std::uint32_t count = items_.counts[k];
        comments.frame.push_back(frame);
        comments.key.push_back(comments.keys.number_of(item.key));
        comments.kind.push_back(static_cast<std::int8_t>(item.kind));
        comments.count.push_back(count);
        if (count == 0) {
            comments.value.push_back(comments.texts.number_of(item.text));
            continue;
        }
        comments.value.push_back(static_cast<std::int64_t>(comments.numbers.size()));
        const auto values = items_.numbers.begin() + static_cast<std::ptrdiff_t>(first);
        comments.numbers.insert(comments.numbers.end(), values, values + count);
        first += count;
    }
    state_ = n_declared_ == 0 ? State::count : State::atoms;
    if (n_declared_ == 0) offsets.push_back(offsets.back());
    return true;
}

void XyzParser::parse_atom(std::string_view line) {
    std::string_view rest = line;
    std::size_t n_words = 0;
    std::optional<std::int32_t> code;
    for (const Column& column : layout_->columns)
        for (std::size_t k = 0; k < column.width; ++k) {
            const std::string_view word = next_word(rest);
            if (word.empty()) {
                if (n_words == 0) fail("expected an atom, found an empty line");
                fail("expected more than " + std::to_string(n_words) + " columns, found " +
                     shown(trimmed(line)));
            }
            ++n_words;
            double value = 0.0;
            switch (column.role) {
                case Column::Role::skipped:
                    continue;
                case Column::Role::symbol:
                    if (!code) code = code_of(word);  // Z is the better one where both are
                    continue;
                case Column::Role::number:
                    if (!parse_number(word, value) || !(value >= 0 && value < 1e9) ||
                        value != std::floor(value))
                        fail("expected an atomic number, found " + shown(word));
                    code = static_cast<std::int32_t>(value);
                    continue;
                case Column::Role::position:
                case Column::Role::kept:
                    if (!parse_number(word, value))
                        fail("expected a number in column " + std::to_string(n_words) + ", found " +
                             shown(word));
                    if (column.role == Column::Role::kept) {
                        kept[column.kept].push_back(value);
                        continue;
                    }
                    if (!std::isfinite(value))
                        fail("expected a finite position in column " + std::to_string(n_words) +
                             ", found " + shown(word));
                    positions.push_back(value);
            }
        }
    n_longer_lines += !next_word(rest).empty();
    codes.push_back(code.value_or(0));
    if (--n_left_ > 0) return;
    offsets.push_back(static_cast<std::int64_t>(codes.size()));
    state_ = State::count;
}

std::int32_t XyzParser::code_of(std::string_view symbol) {
    if (symbol.size() <= longest_symbol) {
        const auto found = symbols_.find(packed(symbol));
        if (found != symbols_.end()) return found->second;
        std::int32_t number = 0;
        bool digits = true;
        for (const char c : symbol) {
            digits = digits && c >= '0' && c <= '9';
            if (digits) number = 10 * number + (c - '0');
        }
        if (digits) return -number;
    }
    fail("expected a chemical symbol, found " + shown(symbol));
}

void XyzParser::fail(const std::string& what) const {
    std::string message = "line " + std::to_string(line_);
    if (state_ != State::count)
        message += " (frame " +
                   std::to_string(static_cast<std::int64_t>(n_frames()) - 1 - first_frame_) + ")";
    throw XyzError(message + ": " + what);
}

}  // namespace molkern::formats
