#include "cpu/table.hpp"

#include "cpu/kernels.hpp"

namespace molkern {
inline namespace MOLKERN_ISA {

extern const Kernels table;
const Kernels table = {
    MOLKERN_ISA_NAME,
    {coulomb_triangles<float>, eigenspectra<float>, bags<float>, pairwise_columns<float>,
     squared_norms<float>, kernel_of_distances<float>, put_row<float>, put_block<float>,
     local_kernel_block<float>, local_norms<float>},
    {coulomb_triangles<double>, eigenspectra<double>, bags<double>, pairwise_columns<double>,
     squared_norms<double>, kernel_of_distances<double>, put_row<double>, put_block<double>,
     local_kernel_block<double>, local_norms<double>},
    coulomb_orders,
    &acsf_functions,
    &aev_functions,
    &soap_functions,
};

}  // namespace MOLKERN_ISA
}  // namespace molkern
