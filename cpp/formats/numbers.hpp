// Numbers of text files, exactly rounded and the same in every locale.
#pragma once

#include <string_view>

namespace molkern::formats {

/// Whether the whole of `text` is a number; its value.
///
/// Signs, decimal points without digits on one side, exponents of C, of Fortran (1.0D-3) and of
/// Mathematica (1.0*^-3), NaN and infinity. A number beyond the range of double is infinite or 0.
bool parse_number(std::string_view text, double& value);

}  // namespace molkern::formats
