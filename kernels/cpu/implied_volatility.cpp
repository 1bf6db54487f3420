// The inversion of the CPU backend, compiled once per instruction set by Highway and chosen at run time.
//
// A block of quotes goes through three passes: validation, moneyness and a starting value for all of them; two steps
// for the quotes of small total deviation and three for the large ones, each kind gathered so that the lanes of a
// vector run the same series; volatilities from deviations. Quotes at the edge of a domain, and any that have not
// converged, are left to the formula.

#include "cpu/implied_volatility.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/implied_volatility.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#ifndef GREEKGRID_CPU_IMPLIED_VOLATILITY_ONCE
#define GREEKGRID_CPU_IMPLIED_VOLATILITY_ONCE
namespace greekgrid::cpu {

// Quotes that go through the passes together; the scratch memory of a block is 30 kB.
inline constexpr std::size_t kQuoteBlock = 256;
// The lanes of the widest vector: what may be written behind the end of a column of scratch.
inline constexpr std::size_t kQuotePad = 8;

// Quotes of one kind, gathered.
struct QuoteQueue {
  HWY_ALIGN_MAX double moneyness[kQuoteBlock + kQuotePad];  // |ln(F/K)|
  HWY_ALIGN_MAX double beta[kQuoteBlock + kQuotePad];       // normalised time value
  HWY_ALIGN_MAX double deviation[kQuoteBlock + kQuotePad];  // starting value of s
  HWY_ALIGN_MAX double bound[kQuoteBlock + kQuotePad];      // exp(-|ln(F/K)|/2), of large ones
  HWY_ALIGN_MAX double index[kQuoteBlock + kQuotePad];      // place in the block
  std::size_t count;
};

struct QuoteScratch {
  QuoteQueue small, large;
  HWY_ALIGN_MAX double right[kQuoteBlock];
  HWY_ALIGN_MAX double deviation[kQuoteBlock];
  HWY_ALIGN_MAX double status[kQuoteBlock];
  HWY_ALIGN_MAX double deferred[kQuoteBlock + kQuotePad];  // places of the quotes left to the formula
  std::size_t deferred_count;
};

}  // namespace greekgrid::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace greekgrid::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<double, kQuotePad>;
using V = hn::Vec<D>;
using Mask = hn::Mask<D>;
using Integers = hn::RebindToSigned<D>;

inline constexpr double kMagic = 6755399441055744.0;  // 1.5 * 2^52: adding it rounds to an integer in the low bits
inline constexpr double kSqrtTwoPi = 2.50662827463100050242;
inline constexpr double kSqrtHalfPi = 1.25331413731550025121;
// ln 2 in two parts, the first short enough for its products with exponents to be exact.
inline constexpr double kLn2High = 6.93147180369123816490e-01;
inline constexpr double kLn2Low = 1.90821492927058770002e-10;

// Deviations and |ln(F/K)| up to which a quote is taken for small: the series in t = s/2 holds full accuracy up to
// t = 0.375, and loses it where h t = |ln(F/K)|/2 is large.
inline constexpr double kSmallStart = 0.73;
inline constexpr double kSmallMoneyness = 4.0;
inline constexpr double kSmallEnd = 0.75;
// Beyond these the quote is left to the formula: there products and logarithms leave the range of normal numbers.
inline constexpr double kLeast = 1e-280;
inline constexpr double kLeastPrice = 1e-100;
inline constexpr double kLargestPrice = 1e100;
inline constexpr double kLargestMoneyness = 40.0;
// Closer to the bound than this the formula decides on the right side of which the price lies.
inline constexpr double kBoundMargin = 1e-12;
// A fourth-order step below this has left an error below eps/4.
inline constexpr double kConverged = 3e-5;

// Coefficients of mills_ratio and mills_slope of formulas/erfcx.hpp.
inline constexpr double kMillsRatio[] = {
    1.1832619145678034,    -0.2423996705218074,    0.035091880234748005,    0.07169048120136096,
    -0.0807080096790523,   0.04495912907942534,    -0.01253910362039814,    -0.0007159509389343426,
    0.001741848773732585,  -0.0002367014896228787, -0.0002202155756957516,  5.326563960096377e-05,
    3.415881433183821e-05, -8.60188663234564e-06,  -6.5533544552582505e-06, 1.010149243524485e-06,
    1.390762707984928e-06, 1.0633980470022923e-08, -2.869299965207942e-07,  -5.844326186367925e-08,
    5.077844122332048e-08, 2.2205063936815332e-08, -6.5624402369464745e-09, -4.779664948926488e-09,
    4.480233382099169e-10, 4.934984427261487e-10};
inline constexpr double kMillsSlope[] = {
    1.334761708643933,      -0.34686443844569465,   -0.17268170834610128,   0.35354727647612066,
    -0.2212615063801503,    0.027117664485105684,   0.056082893339422395,   -0.03889109207420479,
    0.004677620881409152,   0.005832613643474095,   -0.001935822570159025,  -0.0008822524363062967,
    0.00042624294436056405, 0.00017449545797584647, -8.088403057279302e-05, -4.3507962745601586e-05,
    1.2501180499065316e-05, 1.161899681251207e-05,  -7.852199398893984e-07, -2.8990366698366327e-06,
    -4.331407040970601e-07, 6.054380005946203e-07,  2.1951051635580474e-07, -9.232200026629433e-08,
    -5.250839166159316e-08, 7.906659099103657e-09,  5.695878543494985e-09,  -1.2652705764269517e-10};
// The Chebyshev series of the last, cut off at 1.4e-7.
inline constexpr double kRoughMillsSlope[] = {1.3347615945115994,   -0.34686469997623703,   -0.17267334525320494,
                                              0.35355475134706255,  -0.22136152415889832,   0.027056086183949262,
                                              0.05652592950597824,  -0.03867025567543552,   0.003767896457711168,
                                              0.005435220933561938, -0.0010206550003094832, -0.0005111208908455927};
// tail_quantile and bachelier_deviation of formulas/implied_volatility.hpp.
inline constexpr double kQuantile[] = {1.0003191887913307, -0.04441975988584412, -3.6306572083575466,
                                       2.5497015612772893, -10.196072111025545};
inline constexpr double kBachelierNear[] = {0.3989177893192429, 0.0023467842823428928, 0.01981147185794329,
                                            0.015593441176705785};
inline constexpr double kBachelierFar[] = {1.0105645719910898, -0.6725871572682298, 0.8966022145195478,
                                           -67.9571050674951,  246.47930683641687,  -241.73572677583323};
// (ln(1 + f) - 2 g)/(g z) with g = f/(2 + f), z = g^2, |f| <= sqrt(2) - 1, from the lowest power up: the minimax fit of
// the FreeBSD msun library (e_log.c), error below 2^-58.
inline constexpr double kLog[] = {6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01,
                                  2.222219843214978396e-01, 1.818357216161805012e-01, 1.531383769920937332e-01,
                                  1.479819860511658591e-01};
// 1/k!: the series of exp to 4e-18 on |r| <= ln(2)/2.
inline constexpr double kExp[] = {
    1.0,        1.0,         1.0 / 2,      1.0 / 6,       1.0 / 24,       1.0 / 120,       1.0 / 720,
    1.0 / 5040, 1.0 / 40320, 1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800};

HWY_INLINE V Constant(double value) {
  return hn::Set(D(), value);
}
HWY_INLINE V Reciprocal(V v) {
  return hn::Div(Constant(1.0), v);
}

// A polynomial from the lowest power up, as four interleaved Horner chains in x^4.
template <int N>
HWY_INLINE V Polynomial(const double (&c)[N], V x) {
  static_assert(N >= 4);
  const V x2 = hn::Mul(x, x);
  const V x4 = hn::Mul(x2, x2);
  V part[4];
  for (int k = 0; k < 4; ++k) {
    const int last = k + 4 * ((N - 1 - k) / 4);
    part[k] = Constant(c[last]);
    for (int i = last - 4; i >= 0; i -= 4) part[k] = hn::MulAdd(part[k], x4, Constant(c[i]));
  }
  return hn::MulAdd(hn::MulAdd(part[3], x, part[2]), x2, hn::MulAdd(part[1], x, part[0]));
}

// ln(v) for normal v > 0, relative error below 1 ulp. `near`, if given, is v - 1 without the rounding of v and is used
// where 1/sqrt(2) <= v < sqrt(2).
template <class... Near>
HWY_INLINE V Log(V v, Near... near) {
  const D d;
  const Integers di;
  const auto bits = hn::BitCast(di, v);
  const auto exponent = hn::ShiftRight<52>(hn::Sub(bits, hn::Set(di, 0x3FE6A09E667F3BCD)));  // of sqrt(1/2)
  const V k = hn::Sub(hn::BitCast(d, hn::Add(exponent, hn::BitCast(di, Constant(kMagic)))), Constant(kMagic));
  const V mantissa = hn::BitCast(d, hn::Sub(bits, hn::ShiftLeft<52>(exponent)));
  V f = hn::Sub(mantissa, Constant(1.0));
  if constexpr (sizeof...(Near) > 0) f = hn::IfThenElse(hn::Eq(k, hn::Zero(d)), near..., f);
  const V g = hn::Div(f, hn::Add(f, Constant(2.0)));
  const V z = hn::Mul(g, g);
  const V r = hn::Mul(z, Polynomial(kLog, z));
  const V half_square = hn::Mul(Constant(0.5), hn::Mul(f, f));
  const V low = hn::MulAdd(k, Constant(kLn2Low), hn::Mul(g, hn::Add(half_square, r)));
  return hn::MulAdd(k, Constant(kLn2High), hn::Sub(f, hn::Sub(half_square, low)));
}

// exp(v) for |v| < 700, relative error below 2 ulp.
HWY_INLINE V Exp(V v) {
  const D d;
  const Integers di;
  const V shifted = hn::MulAdd(v, Constant(1.44269504088896340736), Constant(kMagic));
  const V k = hn::Sub(shifted, Constant(kMagic));
  const V r = hn::NegMulAdd(k, Constant(kLn2Low), hn::NegMulAdd(k, Constant(kLn2High), v));
  const V power = Polynomial(kExp, r);
  return hn::BitCast(d, hn::Add(hn::BitCast(di, power), hn::ShiftLeft<52>(hn::BitCast(di, shifted))));
}

// (v - 4)/(v + 4) and 1/(1 + v) for one division.
struct MillsArguments {
  V w, inverse;
};
HWY_INLINE MillsArguments PrepareMills(V v) {
  const V one_more = hn::Add(v, Constant(1.0));
  const V four_more = hn::Add(v, Constant(4.0));
  const V both = Reciprocal(hn::Mul(one_more, four_more));
  return {hn::NegMulAdd(hn::Mul(Constant(8.0), one_more), both, Constant(1.0)), hn::Mul(four_more, both)};
}
HWY_INLINE V MillsRatio(V v) {
  const MillsArguments at = PrepareMills(v);
  return hn::Mul(Polynomial(kMillsRatio, at.w), at.inverse);
}
template <int N>
HWY_INLINE V MillsSlope(const double (&fit)[N], V v) {
  const MillsArguments at = PrepareMills(v);
  return hn::Mul(Polynomial(fit, at.w), hn::Mul(at.inverse, at.inverse));
}

// |x|/s of the normal model, and s itself, from beta and |x|; `ratio` is beta/|x| and may be infinite.
struct Bachelier {
  V deviate, deviation;
};
HWY_INLINE Bachelier InvertBachelier(V moneyness, V beta, V ratio, V log_ratio) {
  const Mask near = hn::Ge(ratio, Constant(0.25));
  const V above = hn::MulAdd(Constant(0.5), moneyness, beta);
  const V u = hn::Div(moneyness, above);
  const V q = hn::Sqrt(hn::Max(hn::Mul(Constant(-2.0), log_ratio), Constant(1.0)));
  const V near_fit = Polynomial(kBachelierNear, u);
  const V far_deviate = hn::Mul(q, Polynomial(kBachelierFar, Reciprocal(hn::Add(q, Constant(1.0)))));
  return {hn::IfThenElse(near, hn::Mul(u, near_fit), far_deviate),
          hn::Div(hn::IfThenElse(near, above, moneyness), hn::IfThenElse(near, near_fit, far_deviate))};
}

// s (1 + step) by Householder's third-order method for the objective ln(price) or ln(complement), everything scaled by
// s: slope is s times the derivative of the objective, residual its miss.
struct Step {
  V deviation, moved;
};
HWY_INLINE Step Householder(V deviation, V slope, V newton, V h2, V t2) {
  const V bend = hn::Sub(h2, t2);
  const V twist = hn::NegMulAdd(Constant(3.0), h2, hn::MulSub(bend, bend, t2));
  const V second = hn::Sub(bend, slope);
  const V third = hn::MulAdd(slope, hn::MulAdd(Constant(-3.0), bend, hn::Add(slope, slope)), twist);
  const V above = hn::Mul(newton, hn::MulAdd(hn::Mul(Constant(0.5), newton), second, Constant(1.0)));
  const V below = hn::MulAdd(newton, hn::MulAdd(hn::Mul(newton, Constant(1.0 / 6.0)), third, second), Constant(1.0));
  const V moved = hn::Div(above, below);
  return {hn::MulAdd(deviation, moved, deviation), moved};
}

// One step for t below 0.375: the Taylor series in t of the difference of Mills ratios, as in the formula. A step from
// the starting value is off by 1e-8 anyway and makes do with a rough evaluation.
enum class Evaluation { kRough, kFull };
template <Evaluation kEvaluation>
HWY_INLINE Step StepSmall(V moneyness, V beta, V s) {
  const V inverse = Reciprocal(s);
  const V h = hn::Mul(moneyness, inverse);
  const V t = hn::Mul(Constant(0.5), s);
  const V h2 = hn::Mul(h, h);
  const V t2 = hn::Mul(t, t);
  const V t4 = hn::Mul(t2, t2);
  const V quarter = hn::Mul(h2, t2);
  constexpr bool kRough = kEvaluation == Evaluation::kRough;
  const V first = kRough ? MillsSlope(kRoughMillsSlope, h) : MillsSlope(kMillsSlope, h);
  V before = first;
  V term = hn::Mul(hn::Max(hn::MulSub(hn::MulAdd(Constant(3.0), t2, quarter), first, t2), hn::Zero(D())),
                   Constant(1.0 / 6.0));
  V sum = hn::Add(first, term);
  constexpr double kInverse[8] = {1.0 / 6,   1.0 / 20,  1.0 / 42,  1.0 / 72,
                                  1.0 / 110, 1.0 / 156, 1.0 / 210, 1.0 / 272};  // 1/((2k + 2)(2k + 3))
  for (int k = 1; k < (kRough ? 4 : 8); ++k) {
    const V factor = hn::MulAdd(Constant(4 * k + 3), t2, quarter);
    const V next = hn::Mul(hn::MulSub(factor, term, hn::Mul(t4, before)), Constant(kInverse[k]));
    before = term;
    term = next;
    sum = hn::Add(sum, term);
  }
  const V slope = Reciprocal(sum);
  const V ratio = hn::Mul(hn::Mul(hn::Mul(Constant(kSqrtTwoPi), beta), inverse), slope);
  const V residual = hn::MulAdd(Constant(0.5), hn::Add(h2, t2), Log(ratio));
  return Householder(s, slope, hn::Mul(residual, sum), h2, t2);
}

// One step for any t that is not small: the difference of Mills ratios, or their sum for the complement.
HWY_INLINE Step StepLarge(V moneyness, V beta, V bound, V s) {
  const V h = hn::Div(moneyness, s);
  const V t = hn::Mul(Constant(0.5), s);
  const Mask upper = hn::Le(h, t);
  const V inner = MillsRatio(hn::Abs(hn::Sub(h, t)));
  const V outer = MillsRatio(hn::Add(h, t));
  const V ratios = hn::IfThenElse(upper, hn::Add(inner, outer), hn::Sub(inner, outer));
  const V target = hn::IfThenElse(upper, hn::Sub(bound, beta), beta);
  const V h2 = hn::Mul(h, h);
  const V t2 = hn::Mul(t, t);
  const V residual =
      hn::MulAdd(Constant(0.5), hn::Add(h2, t2), Log(hn::Div(hn::Mul(Constant(kSqrtTwoPi), target), ratios)));
  const V signed_ratios = hn::IfThenElse(upper, hn::Neg(ratios), ratios);
  return Householder(s, hn::Div(s, signed_ratios), hn::Div(hn::Mul(residual, signed_ratios), s), h2, t2);
}

// v with N(-v) = p to 4e-4, for 0 < p <= 1/4.
HWY_INLINE V TailQuantile(V p) {
  const V q = hn::Sqrt(hn::Mul(Constant(-2.0), Log(hn::Min(p, Constant(0.25)))));
  return hn::Mul(q, Polynomial(kQuantile, Reciprocal(hn::Add(q, Constant(1.0)))));
}

// The starting value of the formula for quotes that are not small.
HWY_INLINE V StartLarge(V moneyness, V beta, V bound, V bachelier) {
  const D d;
  const V inflection = hn::Sqrt(hn::Add(moneyness, moneyness));
  const V centre_slope = hn::Mul(Constant(1.0 / kSqrtTwoPi), bound);
  const V centre = hn::Mul(centre_slope, hn::Sub(Constant(kSqrtHalfPi), MillsRatio(inflection)));
  const Mask lower = hn::And(hn::Lt(beta, centre), hn::Gt(moneyness, hn::Zero(d)));
  // Upper: the cubic about the inflection, or the quantile of the complement.
  const V y = hn::Div(hn::Sub(beta, centre), centre_slope);
  V start = hn::MulAdd(y, hn::MulAdd(hn::Mul(y, y), Constant(1.0 / 24.0), Constant(1.0)), inflection);
  const V complement = hn::Sub(bound, beta);
  const Mask far = hn::AndNot(lower, hn::Lt(complement, hn::Mul(Constant(0.4), bound)));
  if (!hn::AllFalse(d, far)) {
    const V half = hn::Mul(Constant(0.5), complement);
    V tail = hn::Max(inflection, hn::Mul(Constant(2.0), TailQuantile(half)));
    for (int i = 0; i < 2; ++i) {
      const V h = hn::Div(moneyness, tail);
      const V square = hn::Mul(Constant(0.5), hn::Mul(h, h));
      const V p = hn::Div(hn::Mul(half, Exp(square)), hn::Add(square, Constant(1.0)));
      tail = hn::Max(inflection, hn::Mul(Constant(2.0), TailQuantile(p)));
    }
    start = hn::IfThenElse(far, tail, start);
  }
  if (hn::AllFalse(d, lower)) return start;
  // Lower: the normal model's value, corrected for the curvature of the lognormal law.
  const V first = hn::Min(bachelier, inflection);
  const V h = hn::Div(moneyness, first);
  const V theta = Reciprocal(hn::MulAdd(hn::Add(h, Constant(1.3)), h, Constant(3.0)));
  const V correction = hn::Mul(hn::Sub(Constant(0.5), theta), hn::Mul(Constant(0.25), hn::Mul(first, first)));
  const V corrected = hn::Mul(beta, Exp(hn::Min(correction, Constant(50.0))));
  const V ratio = hn::Div(corrected, moneyness);
  const V low = InvertBachelier(moneyness, corrected, ratio, Log(ratio)).deviation;
  return hn::IfThenElse(lower, hn::Min(low, inflection), start);
}

HWY_INLINE void Append(QuoteQueue& queue, Mask which, V moneyness, V beta, V deviation, V index) {
  const D d;
  hn::CompressStore(moneyness, which, d, queue.moneyness + queue.count);
  hn::CompressStore(beta, which, d, queue.beta + queue.count);
  hn::CompressStore(deviation, which, d, queue.deviation + queue.count);
  queue.count += hn::CompressStore(index, which, d, queue.index + queue.count);
}

// Fills a queue up to whole vectors with a quote that converges.
HWY_INLINE std::size_t Pad(QuoteQueue& queue) {
  const D d;
  const std::size_t lanes = hn::Lanes(d);
  hn::StoreU(Constant(0.0), d, queue.moneyness + queue.count);
  hn::StoreU(Constant(0.1), d, queue.beta + queue.count);
  hn::StoreU(Constant(0.25), d, queue.deviation + queue.count);
  return (queue.count + lanes - 1) / lanes * lanes;
}

// First pass over one vector of quotes.
HWY_INLINE void Start(const QuoteColumns& quotes, std::size_t i, QuoteScratch& scratch) {
  const D d;
  const V zero = hn::Zero(d);
  const V one = Constant(1.0);
  const V right = hn::Load(d, scratch.right + i);
  const V price = hn::LoadU(d, quotes.price + i);
  const V forward = hn::LoadU(d, quotes.forward + i);
  const V strike = hn::LoadU(d, quotes.strike + i);
  const V discount = hn::LoadU(d, quotes.discount + i);
  const V tau = hn::LoadU(d, quotes.tau + i);

  const V most = Constant(std::numeric_limits<double>::max());
  const auto positive = [&](V v) { return hn::And(hn::Gt(v, zero), hn::Le(v, most)); };
  const Mask usable =
      hn::And(hn::And(hn::And(positive(forward), positive(strike)), hn::And(positive(discount), positive(tau))),
              hn::And(hn::Le(hn::Abs(price), most), hn::Eq(hn::Abs(right), one)));
  // The same operations as in the formula, so that the statuses are the same.
  const V excess = hn::Sub(forward, strike);
  const V undiscounted = hn::Div(price, discount);
  const V time_value = hn::Sub(undiscounted, hn::Max(hn::Mul(right, excess), zero));
  const Mask positive_value = hn::Gt(time_value, zero);
  const Mask inside = hn::Lt(undiscounted, hn::IfThenElse(hn::Gt(right, zero), forward, strike));
  V status = hn::IfThenElse(inside, zero, Constant(static_cast<double>(formulas::IvStatus::kAboveBound)));
  status = hn::IfThenElse(positive_value, status, Constant(static_cast<double>(formulas::IvStatus::kBelowIntrinsic)));
  status = hn::IfThenElse(usable, status, Constant(static_cast<double>(formulas::IvStatus::kInvalid)));
  hn::Store(status, d, scratch.status + i);
  hn::Store(Constant(std::numeric_limits<double>::quiet_NaN()), d, scratch.deviation + i);
  const Mask candidate = hn::And(usable, hn::And(positive_value, inside));
  if (hn::AllFalse(d, candidate)) return;

  const V inverse_strike = Reciprocal(strike);
  // F - K is exact where F/K is near 1.
  const V moneyness = hn::Abs(Log(hn::Mul(forward, inverse_strike), hn::Mul(excess, inverse_strike)));
  const V beta = hn::Div(time_value, hn::Sqrt(hn::Mul(forward, strike)));
  const auto moderate = [&](V v) {
    return hn::And(hn::Gt(v, Constant(kLeastPrice)), hn::Lt(v, Constant(kLargestPrice)));
  };
  const Mask regular = hn::And(hn::And(moderate(forward), moderate(strike)),
                               hn::And(hn::Gt(beta, Constant(kLeast)), hn::Le(moneyness, Constant(kLargestMoneyness))));
  const Mask taken = hn::And(candidate, regular);
  const V index = hn::Iota(d, static_cast<double>(i));
  scratch.deferred_count +=
      hn::CompressStore(index, hn::AndNot(regular, candidate), d, scratch.deferred + scratch.deferred_count);

  const V ratio = hn::Div(beta, moneyness);
  const Bachelier normal = InvertBachelier(moneyness, beta, ratio, Log(ratio));
  // b is about the normal model's price times exp(-(1/2 - theta) t^2); to first order s answers ln b by the normal
  // model's b/(s db/ds), fitted by the second factor of the denominator.
  const V h = normal.deviate;
  const V theta = hn::MulAdd(hn::Add(h, Constant(1.3)), h, Constant(3.0));
  const V t2 = hn::Mul(Constant(0.25), hn::Mul(normal.deviation, normal.deviation));
  const V answer = hn::MulAdd(hn::MulAdd(Constant(0.72), h, Constant(1.25)), h, one);
  const V growth = hn::Div(hn::Mul(t2, hn::MulSub(Constant(0.5), theta, one)), hn::Mul(theta, answer));
  const V start = hn::MulAdd(normal.deviation, growth, normal.deviation);
  const Mask small = hn::And(hn::Lt(start, Constant(kSmallStart)), hn::Lt(moneyness, Constant(kSmallMoneyness)));
  Append(scratch.small, hn::And(taken, small), moneyness, beta, start, index);
  const Mask large = hn::AndNot(small, taken);
  if (!hn::AllFalse(d, large)) Append(scratch.large, large, moneyness, beta, normal.deviation, index);
}

// Hands out the deviations of a vector of a queue; those that have not converged are left to the formula.
HWY_INLINE void Finish(const QuoteQueue& queue, std::size_t i, Step last, Mask accepted, QuoteScratch& scratch) {
  const D d;
  const Mask good = hn::And(accepted, hn::Le(hn::Abs(last.moved), Constant(kConverged)));
  HWY_ALIGN double deviation[kQuotePad];
  hn::Store(hn::IfThenElse(good, last.deviation, hn::Zero(d)), d, deviation);
  const std::size_t count = std::min(hn::Lanes(d), queue.count - i);
  for (std::size_t k = 0; k < count; ++k) {
    const auto place = static_cast<std::size_t>(queue.index[i + k]);
    scratch.deviation[place] = deviation[k];
    if (deviation[k] == 0.0) scratch.deferred[scratch.deferred_count++] = queue.index[i + k];
  }
}

// Inverts the kQuoteBlock quotes of a block.
void InvertBlock(const QuoteColumns& quotes, double* HWY_RESTRICT sigma, QuoteScratch& scratch) {
  const D d;
  const std::size_t lanes = hn::Lanes(d);
  scratch.small.count = scratch.large.count = scratch.deferred_count = 0;
  for (std::size_t i = 0; i < kQuoteBlock; i += lanes) Start(quotes, i, scratch);

  // Step by step over the whole queue: the steps of different vectors do not wait for each other.
  QuoteQueue& small = scratch.small;
  const std::size_t small_end = Pad(small);
  for (std::size_t i = 0; i < small_end; i += lanes) {
    const Step step = StepSmall<Evaluation::kRough>(hn::Load(d, small.moneyness + i), hn::Load(d, small.beta + i),
                                                    hn::Load(d, small.deviation + i));
    hn::Store(step.deviation, d, small.deviation + i);
  }
  for (std::size_t i = 0; i < small_end; i += lanes) {
    const Step step = StepSmall<Evaluation::kFull>(hn::Load(d, small.moneyness + i), hn::Load(d, small.beta + i),
                                                   hn::Load(d, small.deviation + i));
    Finish(small, i, step, hn::Lt(step.deviation, Constant(kSmallEnd)), scratch);
  }
  QuoteQueue& large = scratch.large;
  const std::size_t large_end = Pad(large);
  for (std::size_t i = 0; i < large_end; i += lanes) {
    const V moneyness = hn::Load(d, large.moneyness + i);
    const V bound = Exp(hn::Mul(Constant(-0.5), moneyness));
    hn::Store(bound, d, large.bound + i);
    hn::Store(StartLarge(moneyness, hn::Load(d, large.beta + i), bound, hn::Load(d, large.deviation + i)), d,
              large.deviation + i);
  }
  for (int k = 0; k < 3; ++k) {
    for (std::size_t i = 0; i < large_end; i += lanes) {
      const V beta = hn::Load(d, large.beta + i);
      const V bound = hn::Load(d, large.bound + i);
      const Step step = StepLarge(hn::Load(d, large.moneyness + i), beta, bound, hn::Load(d, large.deviation + i));
      hn::Store(step.deviation, d, large.deviation + i);
      if (k < 2) continue;
      const Mask away = hn::Gt(hn::Sub(bound, beta), hn::Mul(Constant(kBoundMargin), bound));
      Finish(large, i, step, hn::And(away, hn::Gt(step.deviation, hn::Zero(d))), scratch);
    }
  }
  for (std::size_t i = 0; i < kQuoteBlock; i += lanes) {
    hn::StoreU(hn::Div(hn::Load(d, scratch.deviation + i), hn::Sqrt(hn::LoadU(d, quotes.tau + i))), d, sigma + i);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace greekgrid::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace greekgrid::cpu {

HWY_EXPORT(InvertBlock);

std::size_t invert_quotes(const QuoteColumns& quotes, std::size_t count, double* sigma, formulas::IvStatus* status) {
  std::size_t deferred = 0;
  QuoteScratch scratch;
  // The last quotes of the columns go through a block of their own, filled up with invalid ones.
  struct Rest {
    std::int8_t right[kQuoteBlock];
    double column[5][kQuoteBlock];
    double sigma[kQuoteBlock];
  };
  for (std::size_t begin = 0; begin < count; begin += kQuoteBlock) {
    const std::size_t size = std::min(kQuoteBlock, count - begin);
    QuoteColumns block = {quotes.right + begin,  quotes.price + begin,    quotes.forward + begin,
                          quotes.strike + begin, quotes.discount + begin, quotes.tau + begin};
    double* out = sigma + begin;
    Rest rest;
    if (size < kQuoteBlock) {
      std::memset(&rest, 0, sizeof rest);
      const double** columns[5] = {&block.price, &block.forward, &block.strike, &block.discount, &block.tau};
      for (std::size_t c = 0; c < 5; ++c) {
        std::copy_n(*columns[c], size, rest.column[c]);
        *columns[c] = rest.column[c];
      }
      std::copy_n(block.right, size, rest.right);
      block.right = rest.right;
      out = rest.sigma;
    }
    for (std::size_t i = 0; i < kQuoteBlock; ++i) scratch.right[i] = block.right[i];
    HWY_DYNAMIC_DISPATCH(InvertBlock)(block, out, scratch);
    for (std::size_t i = 0; i < size; ++i) {
      status[begin + i] = static_cast<formulas::IvStatus>(static_cast<int>(scratch.status[i]));
    }
    for (std::size_t k = 0; k < scratch.deferred_count; ++k) {
      const auto i = static_cast<std::size_t>(scratch.deferred[k]);
      const auto inverted = formulas::implied_volatility(block.right[i], block.price[i], block.forward[i],
                                                         block.strike[i], block.discount[i], block.tau[i]);
      out[i] = inverted.sigma;
      status[begin + i] = inverted.status;
    }
    if (size < kQuoteBlock) std::copy_n(rest.sigma, size, sigma + begin);
    deferred += scratch.deferred_count;
  }
  return deferred;
}

}  // namespace greekgrid::cpu
#endif
