#include <cstdlib>
#include <stdexcept>
#include <string>

#include "cpu/table.hpp"

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
bool has_v3() {
    return __builtin_cpu_supports("x86-64-v3");
}
bool has_v4() {
    return __builtin_cpu_supports("x86-64-v4");
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
