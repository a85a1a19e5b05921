package optimized

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

const bits = 256 // precision of the expected values

func number(x float64) *big.Float { return new(big.Float).SetPrec(bits).SetFloat64(x) }

// exactExp is exp(x/2^20) by its series, squared twenty times.
func exactExp(x float64) *big.Float {
	small := new(big.Float).SetPrec(bits).SetMantExp(number(x), -20)
	sum, term := number(1), number(1)
	for i := 1; i < 60; i++ {
		term.Mul(term, small).Quo(term, number(float64(i)))
		sum.Add(sum, term)
	}
	for range 20 {
		sum.Mul(sum, sum)
	}
	return sum
}

// atanh2 is log(1+x) = 2 atanh(x/(2+x)) for 0 <= x <= 1.
func atanh2(x *big.Float) *big.Float {
	s := new(big.Float).SetPrec(bits).Quo(x, new(big.Float).SetPrec(bits).Add(x, number(2)))
	square := new(big.Float).SetPrec(bits).Mul(s, s)
	sum, power := new(big.Float).SetPrec(bits), new(big.Float).SetPrec(bits).Mul(s, number(2))
	for i := 0; i < 90; i++ {
		sum.Add(sum, new(big.Float).SetPrec(bits).Quo(power, number(float64(2*i+1))))
		power.Mul(power, square)
	}
	return sum
}

func exactLog1p(x float64) *big.Float {
	if x <= 1 {
		return atanh2(number(x))
	}
	m := new(big.Float).SetPrec(bits)
	n := new(big.Float).SetPrec(bits).Add(number(x), number(1)).MantExp(m) // m in [1/2, 1)
	m.Mul(m, number(2)).Sub(m, number(1))
	log := atanh2(number(1))
	return log.Mul(log, number(float64(n-1))).Add(log, atanh2(m))
}

// units is the error of got in units of 2^-53 of want.
func units(got float64, want *big.Float) float64 {
	if want.Sign() == 0 {
		return math.Abs(got) / 5e-324
	}
	d := new(big.Float).SetPrec(bits).Sub(number(got), want)
	e, _ := d.Quo(d, want).Float64()
	return math.Abs(e) * 0x1p53
}

func TestExponential(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	args := []float64{0, math.Copysign(0, -1), -5e-324, -1e-300, -0x1p-60, -math.Ln2, -math.Ln2 / 128, -745, -708.4, -700, -879.99, expLeast}
	for range 4000 {
		args = append(args, expLeast*r.Float64(), -r.ExpFloat64(), -math.Exp(-30*r.Float64()))
	}
	scale := new(big.Float).SetMantExp(number(1), expBias)
	worst, single := 0.0, 0.0
	for _, x := range args {
		want := exactExp(x)
		want.Mul(want, scale)
		worst, single = max(worst, units(expNeg64(x), want)), max(single, units(expNeg32(x), want))
	}
	t.Logf("%d arguments, errors at most %.3f units for float64, 2^-53 %.3g for float32", len(args), worst, single)
	require.LessOrEqual(t, worst, 1.0) // a unit is between 1/2 and 1 ULP
	require.LessOrEqual(t, single, 0x1p-34*0x1p53)
	for _, f := range []func(float64) float64{expNeg32, expNeg64} {
		require.Equal(t, 0x1p256, f(0))
		require.Zero(t, f(math.Inf(-1)))
		require.Zero(t, f(-881))
		require.True(t, math.IsNaN(f(math.NaN())))
	}
}

func TestLogarithm(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	args := []float64{0, 5e-324, 1e-300, 0x1p-60, 1, math.Nextafter(1, 2), 2, 3, 1e16, 1e300, math.MaxFloat64}
	for i := range 65 { // where one entry of the table takes over from another
		at := (float64(i) + 0.5) / 64
		args = append(args, math.Nextafter(at, 0), at, float64(i)/64)
	}
	for range 4000 {
		args = append(args, r.Float64(), math.Exp(-40*r.Float64()), math.Exp(300*r.Float64()))
	}
	worst, single := 0.0, 0.0
	for _, x := range args {
		want := exactLog1p(x)
		worst, single = max(worst, units(log1p[float64](x), want)), max(single, units(log1p[float32](x), want))
	}
	t.Logf("%d arguments, errors at most %.3f units for float64, 2^-53 %.3g for float32", len(args), worst, single)
	require.LessOrEqual(t, worst, 2.0)
	require.LessOrEqual(t, single, 0x1p-30*0x1p53)
	require.Equal(t, math.Inf(1), log1p[float64](math.Inf(1)))
	require.True(t, math.IsNaN(log1p[float64](math.NaN())))
	require.True(t, math.IsNaN(log1p[float32](math.NaN())))
	require.True(t, math.IsNaN(unitLog1p64(math.NaN())))
	require.InDelta(t, -744.4400719213812, logOf(5e-324), 1e-12)
}

func TestSelections(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for x, want := range map[float64]float64{-inf: -1, -5e-324: -1, 0: 0, 5e-324: 1, 3: 1, inf: 1} {
		require.Equal(t, want, sign(x), x)
	}
	require.True(t, math.IsNaN(sign(nan)))
	require.Equal(t, 2.0, least(nan, 2))
	require.Equal(t, 1.0, least(1, inf))
	for _, x := range []float64{-700, -40, -1, -5e-324, 0, 1e-9, 3, 40, 800} {
		up, down := sigmoid(math.Exp(-math.Abs(x)), negative(x))
		require.InDelta(t, 1, up*(1+math.Exp(-x)), 1e-15, x)
		if x < 700 {
			require.InDelta(t, 1, down*(1+math.Exp(x)), 1e-15, x)
		}
	}
	for _, x := range []float64{0, 5e-324, 0.3, math.Nextafter(1, 0)} {
		below, full := split(x)
		require.Equal(t, [2]float64{x, 0}, [2]float64{below, full})
	}
	below, full := split(1)
	require.Equal(t, [2]float64{0, 1}, [2]float64{below, full})
	_, full = split(nan)
	require.True(t, math.IsNaN(full))
}

// TestAngles: the angle of a point and the squares of sine and cosine.
func TestAngles(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 9))
	for range 200_000 {
		x, y := math.Exp(20*r.NormFloat64()), math.Exp(20*r.NormFloat64())
		if r.IntN(2) == 0 {
			y = -x * (0.5 + r.Float64())
		}
		require.InEpsilon(t, math.Atan2(y, x), angle(y, x), 6e-16, "%g %g", y, x)
		a := 10 * r.NormFloat64()
		sin, cos := turn(a)
		s, c := math.Sincos(a)
		if s*sin+c*cos < 0 {
			sin, cos = -sin, -cos
		}
		require.InDelta(t, s, sin, 5e-16, "%g", a)
		require.InDelta(t, c, cos, 5e-16, "%g", a)
	}
	for _, x := range []float64{0, 1e-300, 2, 1e300} {
		require.Zero(t, angle(0, x))
		require.Equal(t, math.Pi/2, angle(3, 0))
		require.Equal(t, math.Pi/4, angle(x+1, x+1))
	}
	for _, a := range []float64{math.Pi, -math.Pi / 2, 355, 3e5, 1e22, 0} {
		sin, cos := turn(a)
		s, c := math.Sincos(a)
		require.InDelta(t, s*s, sin*sin, 1e-15, "%g", a)
		require.InDelta(t, s*c, sin*cos, 1e-15, "%g", a)
		require.InDelta(t, c*c, cos*cos, 1e-15, "%g", a)
	}
}
