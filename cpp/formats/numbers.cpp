#include "formats/numbers.hpp"

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <locale>
#include <sstream>
#include <string>

namespace molkern::formats {
namespace {

// 10^0 to 10^22 are exact in double, and so is a mantissa up to 2^53: one rounding remains, that of
// the product or quotient (W. D. Clinger, PLDI 1990, doi:10.1145/93542.93557).
constexpr double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                             1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
constexpr int largest_power = 22;
constexpr std::uint64_t largest_mantissa = std::uint64_t{1} << 53;
constexpr int most_digits = 18;  // more could overflow the mantissa
constexpr int largest_exponent = 100'000;

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool equal(std::string_view text, std::string_view word) {
    if (text.size() != word.size()) return false;
    for (std::size_t k = 0; k < text.size(); ++k)
        if (lower(text[k]) != word[k]) return false;
    return true;
}

// The parts of a decimal number; `tail` is what follows its exponent.
struct Decimal {
    bool negative = false;
    std::uint64_t mantissa = 0;
    int n_digits = 0;  // of the mantissa, without leading zeros
    int exponent = 0;  // of the last digit of the mantissa
    std::string_view digits, written_exponent;
};

bool parse_exponent(std::string_view text, Decimal& number) {
    if (text.substr(0, 2) == "*^") {
        text.remove_prefix(2);
    } else if (lower(text[0]) == 'e' || lower(text[0]) == 'd') {
        text.remove_prefix(1);
    } else {
        return false;
    }
    number.written_exponent = text;
    const bool negative = !text.empty() && text[0] == '-';
    if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
    if (text.empty()) return false;
    int written = 0;
    for (const char c : text) {
        if (!is_digit(c)) return false;
        if (written < largest_exponent) written = 10 * written + (c - '0');
    }
    number.exponent += negative ? -written : written;
    return true;
}

bool parse_decimal(std::string_view text, Decimal& number) {
    if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
        number.negative = text[0] == '-';
        text.remove_prefix(1);
    }
    std::size_t k = 0;
    bool any = false, after_point = false;
    for (; k < text.size(); ++k) {
        if (text[k] == '.' && !after_point) {
            after_point = true;
            continue;
        }
        if (!is_digit(text[k])) break;
        any = true;
        if (number.n_digits < most_digits) {
            number.mantissa = 10 * number.mantissa + static_cast<std::uint64_t>(text[k] - '0');
            number.n_digits += number.mantissa != 0;
            number.exponent -= after_point;
        } else {
            ++number.n_digits;
            number.exponent += !after_point;
        }
    }
    number.digits = text.substr(0, k);
    return any && (k == text.size() || parse_exponent(text.substr(k), number));
}

// What the fast way cannot round exactly.
double slow(const Decimal& number) {
    std::string text(number.digits);
    if (!number.written_exponent.empty()) {
        text += 'e';
        // from_chars takes no plus sign.
        text += number.written_exponent.substr(number.written_exponent[0] == '+');
    }
    const double out_of_range = number.n_digits == 0 || number.exponent + number.n_digits < 0
                                    ? 0.0
                                    : std::numeric_limits<double>::infinity();
    double value = 0.0;
#if defined(__cpp_lib_to_chars) && __cpp_lib_to_chars >= 201611L
    const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
    if (result.ec == std::errc::result_out_of_range) return out_of_range;
#else
    std::istringstream stream(text);
    stream.imbue(std::locale::classic());
    if (!(stream >> value)) return out_of_range;
#endif
    return value;
}

// Sign, digits, a point and digits: nearly all numbers of nearly all files, in one pass.
bool parse_plain(std::string_view text, double& value) {
    const char* at = text.data();
    const char* const end = at + text.size();
    const bool negative = at != end && *at == '-';
    at += negative;
    std::uint64_t mantissa = 0;
    const char* const first = at;
    for (; at != end && is_digit(*at); ++at)
        mantissa = 10 * mantissa + static_cast<std::uint64_t>(*at - '0');
    std::ptrdiff_t n_digits = at - first, n_decimals = 0;
    if (at != end && *at == '.') {
        const char* const point = ++at;
        for (; at != end && is_digit(*at); ++at)
            mantissa = 10 * mantissa + static_cast<std::uint64_t>(*at - '0');
        n_decimals = at - point;
        n_digits += n_decimals;
    }
    if (at != end || n_digits == 0 || n_digits > most_digits || mantissa > largest_mantissa)
        return false;
    value = static_cast<double>(mantissa) / powers[n_decimals];
    if (negative) value = -value;
    return true;
}

}  // namespace

bool parse_number(std::string_view text, double& value) {
    if (parse_plain(text, value)) return true;
    Decimal number;
    if (!parse_decimal(text, number)) {
        const bool negative = !text.empty() && text[0] == '-';
        if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
        if (equal(text, "nan")) {
            value = std::numeric_limits<double>::quiet_NaN();
            return true;
        }
        if (!equal(text, "inf") && !equal(text, "infinity")) return false;
        value = std::numeric_limits<double>::infinity();
        if (negative) value = -value;
        return true;
    }
    const int power = number.exponent < 0 ? -number.exponent : number.exponent;
    if (number.n_digits <= most_digits && number.mantissa <= largest_mantissa &&
        power <= largest_power) {
        const auto mantissa = static_cast<double>(number.mantissa);
        value = number.exponent < 0 ? mantissa / powers[power] : mantissa * powers[power];
    } else {
        value = slow(number);
    }
    if (number.negative) value = -value;
    return true;
}

}  // namespace molkern::formats
