// Gradients of SOAP on a device.
#pragma once

#include <vector>

#include "cuda/local.hpp"
#include "cuda/soap_parts.hpp"

namespace molkern::cuda {

/// Gradients with respect to the neighbours of all centres, gx, gy, gz [n_pairs].
template <typename Real>
void soap_vjp(const SoapCenters& of, const Cotangent<Real>& cotangent, double* gx, double* gy,
              double* gz, Stream stream);

/// The same for features of the mean coefficients of structures.
///
/// centers     [n_structures + 1]            first centre of each structure
/// cotangent   [n_structures, n_features]
void soap_inner_vjp(const SoapCenters& of, const std::vector<std::int64_t>& centers,
                    const double* cotangent, double* gx, double* gy, double* gz, Stream stream);

}  // namespace molkern::cuda
