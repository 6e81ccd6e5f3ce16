#pragma once
#include "../core/graph/graph.h"

/// Special functions of probability and analysis, elementwise; integers are promoted to floats.
namespace damo {

Var erf(const Arg& x);      ///< 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x
Var erfc(const Arg& x);     ///< 1 - erf(x), with all digits where that is small
Var erfinv(const Arg& y);   ///< x with erf(x) = y; infinite at -1 and 1, NaN beyond
Var erfcinv(const Arg& y);  ///< x with erfc(x) = y; infinite at 0 and 2, NaN beyond

Var gamma(const Arg& x);    ///< the gamma function, (x - 1)! at whole x
Var gammaln(const Arg& x);  ///< log |gamma(x)|
/// The digamma function, the derivative of gammaln; NaN at its poles 0, -1, -2, ... Near its zeros among the
/// negatives the error is absolute, else relative.
Var psi(const Arg& x);
/// The derivative of psi; infinite at 0, -1, -2, ... It has no gradient.
Var tri_gamma(const Arg& x);

}  // namespace damo
