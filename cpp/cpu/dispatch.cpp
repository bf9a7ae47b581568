#include <cstdlib>
#include <stdexcept>
#include <string>

#include "cpu/table.hpp"

#if defined(MOLKERN_X86_LEVELS)
#include <cpuid.h>
#endif

namespace molkern {

namespace baseline {
extern const Kernels table;
}
#if defined(MOLKERN_X86_LEVELS)
namespace x86_64_v3 {
extern const Kernels table;
}
namespace x86_64_v4 {
extern const Kernels table;
}
#endif

namespace {

struct Level {
    const char* name;
    const Kernels* table;
    bool supported;
};

#if defined(MOLKERN_X86_LEVELS)
// Older versions of Clang know neither the names of the levels nor some of the features.
bool has_v3() {
    unsigned a = 0, b = 0, c = 0, d = 0, extended = 0;
    if (__get_cpuid(0x80000001, &a, &b, &extended, &d) == 0) return false;
    if (__get_cpuid(1, &a, &b, &c, &d) == 0) return false;
    constexpr unsigned needed = bit_MOVBE | bit_F16C;
    return (c & needed) == needed && (extended & bit_LZCNT) != 0 &&
           __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}
bool has_v4() {
    return has_v3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}
#endif

const Kernels& choose() {
    // Best first.
    const Level levels[] = {
#if defined(MOLKERN_X86_LEVELS)
        {"x86-64-v4", &x86_64_v4::table, has_v4()},
        {"x86-64-v3", &x86_64_v3::table, has_v3()},
#endif
        {"baseline", &baseline::table, true},
    };
    const char* wanted = std::getenv("MOLKERN_ISA");
    std::string known;
    for (const Level& level : levels) {
        if (wanted == nullptr || *wanted == '\0') {
            if (level.supported) return *level.table;
        } else if (level.name == std::string(wanted)) {
            if (level.supported) return *level.table;
            throw std::runtime_error("MOLKERN_ISA=" + std::string(wanted) +
                                     " is not supported by this processor");
        }
        known += std::string(known.empty() ? "" : ", ") + level.name;
    }
    throw std::runtime_error("MOLKERN_ISA: expected one of " + known + ", found '" + wanted + "'");
}

}  // namespace

const Kernels& kernels() {
    static const Kernels& chosen = choose();
    return chosen;
}

}  // namespace molkern
