#pragma once

/// @file
/// Polynomials that the loops of the CPU backend make the normal density and distribution of.

namespace greekgrid::cpu {

// Polynomials from the highest power down. Exp2: 2^f on [-1/2, 1/2], relative error 7.5e-8 (fp32) and 3e-18 (fp64).
// Mills: N(-x) exp(x^2/2) as a polynomial in x (fp32) or in (x - 4)/(x + 4) (fp64); its error times exp(-x^2/2) is
// below 6.6e-8 (fp32) and 1e-13 (fp64) on [0, infinity).
template <class Real>
inline constexpr Real kExp2[] = {};
template <>
inline constexpr float kExp2<float>[] = {0.001327646905f, 0.009675541406f, 0.05550713289f,
                                         0.2402211972f,   0.693146967f,    1.000000072f};
template <>
inline constexpr double kExp2<double>[] = {
    4.4352797236099687745e-10, 7.0741056275206038311e-9, 1.0178198042978264061e-7, 1.3215433089711255789e-6,
    1.5252733489932703191e-5,  1.5403530462514018700e-4, 1.3333558146789986955e-3, 9.6181291075883359910e-3,
    0.055504108664819921280,   0.24022650695910156200,   0.69314718055994533046,   1.0};
// The same for sums at nodes: relative error 1.9e-9 (fp32), so that rounding is all that sums of many have, and 8e-13.
inline constexpr double kNodeExp2Error = 8e-13;
template <class Real>
inline constexpr Real kNodeExp2[] = {};
template <>
inline constexpr float kNodeExp2<float>[] = {0.00015345820547504843f,
                                             0.0013399931257768509f,
                                             0.0096184889234962384f,
                                             0.055503287768780031f,
                                             0.24022646890962854f,
                                             0.69314720573733247f,
                                             1.0f};
template <>
inline constexpr double kNodeExp2<double>[] = {
    1.3175854705734040765e-6, 1.5309737280515000044e-5, 1.5403851764835254478e-4,
    1.333345206289487493e-3,  9.6181285428416650502e-3, 5.5504109393409153431e-2,
    0.24022650698880412491,   0.69314718054651438022,   0.99999999999976235891};
template <class Real>
inline constexpr Real kMills[] = {};
template <>
inline constexpr float kMills<float>[] = {1.631705442e-6f, -3.520805032e-5f, 3.397403298e-4f, -0.001974634563f,
                                          0.00793940681f,  -0.0243139523f,   0.06115490483f,  -0.1325138071f,
                                          0.2499167955f,   -0.398936515f,    0.4999999341f};
template <>
inline constexpr double kMills<double>[] = {
    1.0323392234313038212e-7,  3.4017418762870115151e-6,  2.3226711075436409667e-5, 5.5226441955211718575e-5,
    -1.9921036676241084645e-5, -1.6971899497608083913e-4, 6.4734215223947215855e-4, 5.1053255096439544568e-4,
    -8.4913739873624508938e-3, 0.030864920662875436788,   -0.071707395955452392839, 0.12437925586462119198,
    -0.17039772154894225004,   0.094410641301387847359};

}  // namespace greekgrid::cpu
