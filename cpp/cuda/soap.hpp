// SOAP on a device.
#pragma once

#include <memory>
#include <vector>

#include "cuda/local.hpp"
#include "molkern/soap.hpp"

namespace molkern::cuda {

/// The kernel with these parameters, which are on the host; its species are set by the caller.
std::shared_ptr<DeviceKernel> soap_kernel(std::shared_ptr<const SoapParameters> parameters);

struct SoapCenters;

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
