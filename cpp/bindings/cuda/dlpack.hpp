// DLPack's description of an array (https://dmlc.github.io/dlpack, version 0), as far as it is
// used.
#pragma once

#include <cstdint>

namespace molkern::dlpack {

enum Kind : std::int32_t { cpu = 1, cuda = 2, cuda_managed = 13 };
enum Code : std::uint8_t { integer = 0, unsigned_integer = 1, real = 2 };

struct Device {
    std::int32_t kind, id;
};

struct Type {
    std::uint8_t code, bits;
    std::uint16_t lanes;
};

struct Tensor {
    void* data;
    Device device;
    std::int32_t n_dimensions;
    Type type;
    std::int64_t* shape;
    std::int64_t* strides;  // in elements; null: C order
    std::uint64_t byte_offset;
};

struct ManagedTensor {
    Tensor tensor;
    void* context;
    void (*deleter)(ManagedTensor*);
};

constexpr const char* capsule_name = "dltensor";
constexpr const char* used_capsule_name = "used_dltensor";

}  // namespace molkern::dlpack
