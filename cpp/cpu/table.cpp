#include "cpu/table.hpp"

#include "cpu/kernels.hpp"

namespace molkern {
inline namespace MOLKERN_ISA {

extern const Kernels table;
const Kernels table = {
    MOLKERN_ISA_NAME,
    {coulomb_triangles<float>, eigenspectra<float>, bags<float>, laplacian_columns<float>,
     panel_values<float>, kernel_of_distances<float>},
    {coulomb_triangles<double>, eigenspectra<double>, bags<double>, laplacian_columns<double>,
     panel_values<double>, kernel_of_distances<double>},
};

}  // namespace MOLKERN_ISA
}  // namespace molkern
