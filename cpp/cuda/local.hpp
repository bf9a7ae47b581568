// Representations of the surroundings of each atom on a device: what they share. A kernel sees
// centres with their neighbours; the driver finds those, sums over structures, and gathers
// gradients.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "cuda/neighbors.hpp"
#include "molkern/acsf.hpp"
#include "molkern/aev.hpp"
#include "molkern/local.hpp"
#include "molkern/soap.hpp"

namespace molkern::cuda {

/// Derivatives of a scalar with respect to the features of centres, or of the structures these
/// belong to.
template <typename Real>
struct Cotangent {
    const Real* rows;
    std::int64_t n_features;
    const std::int64_t* structure;  // [n_centers]; null: a row for each centre

    MOLKERN_DEVICE const Real* of(std::int64_t center) const noexcept {
        return rows + (structure == nullptr ? center : structure[center]) * n_features;
    }
};

/// What is kept on each device, made when it is first needed there; its memory must be shared.
template <typename T>
class PerDevice {
  public:
    template <typename... Arguments>
    const T& get(const Arguments&... arguments) const {
        const std::lock_guard<std::mutex> lock(mutex_);
        std::unique_ptr<const T>& kept = kept_[current_device()];
        if (kept == nullptr) kept = std::make_unique<const T>(arguments...);
        return *kept;
    }

  private:
    mutable std::mutex mutex_;
    mutable std::map<int, std::unique_ptr<const T>> kept_;
};

/// A representation with its parameters, on the host and on the devices it was used on.
///
/// values   features of centres begin .. end - 1, to [end - begin, n_features]
/// vjp      for all pairs the gradient with respect to the neighbour, gx, gy, gz [n_pairs]
///
/// Where there is a shorter way to averages than through the features of all centres, with
/// centers [n_structures + 1], on the host, the first one of each structure:
///
/// averages    features of structures; false: there is none
/// inner_vjp   as vjp, for Average::inner; cotangent [n_structures, n_features]
class DeviceKernel {
  public:
    DeviceKernel() = default;
    virtual ~DeviceKernel() = default;
    DeviceKernel(const DeviceKernel&) = delete;
    DeviceKernel& operator=(const DeviceKernel&) = delete;

    virtual void values(const DeviceNeighbors& neighbors, std::int64_t most, std::int64_t begin,
                        std::int64_t end, double* to, Stream stream) const = 0;
    virtual void values(const DeviceNeighbors& neighbors, std::int64_t most, std::int64_t begin,
                        std::int64_t end, float* to, Stream stream) const = 0;
    virtual void vjp(const DeviceNeighbors& neighbors, std::int64_t most,
                     const Cotangent<double>& cotangent, double* gx, double* gy, double* gz,
                     Stream stream) const = 0;
    virtual void vjp(const DeviceNeighbors& neighbors, std::int64_t most,
                     const Cotangent<float>& cotangent, double* gx, double* gy, double* gz,
                     Stream stream) const = 0;

    virtual bool averages(const DeviceNeighbors&, const std::vector<std::int64_t>& /*centers*/,
                          Average, double* /*to*/, Stream) const {
        return false;
    }
    virtual bool averages(const DeviceNeighbors&, const std::vector<std::int64_t>& /*centers*/,
                          Average, float* /*to*/, Stream) const {
        return false;
    }
    virtual void inner_vjp(const DeviceNeighbors&, const std::vector<std::int64_t>& /*centers*/,
                           const double* /*cotangent*/, double* /*gx*/, double* /*gy*/,
                           double* /*gz*/, Stream) const {
        throw Error("this representation has no inner average");
    }

    std::vector<std::int32_t> species;  // ascending
    std::int64_t n_features = 0;
    double r_cut = 0;
};

/// Both types of number from the templates run_values and run_vjp of Derived.
template <typename Derived>
class TypedKernel : public DeviceKernel {
  public:
    void values(const DeviceNeighbors& neighbors, std::int64_t most, std::int64_t begin,
                std::int64_t end, double* to, Stream stream) const override {
        self().run_values(neighbors, most, begin, end, to, stream);
    }
    void values(const DeviceNeighbors& neighbors, std::int64_t most, std::int64_t begin,
                std::int64_t end, float* to, Stream stream) const override {
        self().run_values(neighbors, most, begin, end, to, stream);
    }
    void vjp(const DeviceNeighbors& neighbors, std::int64_t most,
             const Cotangent<double>& cotangent, double* gx, double* gy, double* gz,
             Stream stream) const override {
        self().run_vjp(neighbors, most, cotangent, gx, gy, gz, stream);
    }
    void vjp(const DeviceNeighbors& neighbors, std::int64_t most, const Cotangent<float>& cotangent,
             double* gx, double* gy, double* gz, Stream stream) const override {
        self().run_vjp(neighbors, most, cotangent, gx, gy, gz, stream);
    }

  private:
    const Derived& self() const noexcept { return static_cast<const Derived&>(*this); }
};

/// Kernels with parameters of the host.
std::shared_ptr<DeviceKernel> acsf_kernel(std::shared_ptr<const AcsfParameters> parameters);
std::shared_ptr<DeviceKernel> aev_kernel(std::shared_ptr<const AevParameters> parameters);
std::shared_ptr<DeviceKernel> soap_kernel(std::shared_ptr<const SoapParameters> parameters);

/// Features, as local_values of the host; `of.r_cut` is that of the kernel. Returns the first
/// structure that is wrong (FoundNeighbors::coincident) or no_molecule; waits for the stream.
///
/// positions   [n_atoms, 3]              angstrom
/// out         [n_centers, n_features], or [n_structures, n_features] with an average
template <typename Real>
std::size_t local_values(const DeviceKernel& kernel, const Surroundings& of,
                         const double* positions, Average average, Real* out, Stream stream);

/// Gradient of the sum of cotangent * features with respect to positions, and to strain.
///
/// cotangent   as `out` of local_values
/// gradient    [n_atoms, 3]
/// strain      [n_structures, 3, 3], null if not wanted: derivative by e in r -> r (1 + e)
template <typename Real>
std::size_t local_vjp(const DeviceKernel& kernel, const Surroundings& of, const double* positions,
                      Average average, const Real* cotangent, double* gradient, double* strain,
                      Stream stream);

}  // namespace molkern::cuda
