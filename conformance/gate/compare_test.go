package gate

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestJudge(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	exact := func(want float64) expected { return expected{want: want, lower: want, upper: want} }
	scaled := func(want, s, usual float64) expected {
		return expected{want: want, scale: s, usual: usual, lower: want, upper: want}
	}
	u := 0x1p-53
	for _, c := range []struct {
		name  string
		f     format
		e     expected
		class Class
		got   float64
		ok    bool
	}{
		{"equal", float64Format, exact(1), Tight, 1, true},
		{"one ulp below", float64Format, exact(1), Tight, math.Nextafter(1, 0), true},
		{"one ulp above", float64Format, exact(1), Tight, math.Nextafter(1, 2), false},
		{"NaN got", float64Format, scaled(1, 1e300, 1e300), Usual, nan, false},
		{"NaN want", float64Format, exact(nan), Tight, nan, true},
		{"NaN want, number got", float64Format, exact(nan), Tight, 0, false},
		{"NaN want, Inf got", float64Format, exact(nan), Tight, inf, false},
		{"Inf", float64Format, exact(inf), Tight, inf, true},
		{"Inf want, -Inf got", float64Format, exact(inf), Usual, -inf, false},
		{"Inf want, NaN got", float64Format, exact(inf), Usual, nan, false},
		{"Inf want, largest got", float64Format, exact(inf), Usual, math.MaxFloat64, false},
		{"Inf got", float64Format, exact(1), Usual, inf, false},
		{"Inf got, 0 want", float64Format, exact(0), Usual, inf, false},
		{"signs of zero", float64Format, exact(0), Tight, math.Copysign(0, -1), true},
		{"zero want, tiny got", float64Format, exact(0), Tight, 1e-300, false},
		{"zero want, smallest subnormal got", float64Format, exact(0), Tight, 5e-324, true},
		{"zero want with scale", float64Format, scaled(0, 1, 1), Tight, 2 * u, true},
		{"beyond the scale", float64Format, scaled(0, 1, 1), Tight, 2.01 * u, false},
		{"class B", float64Format, scaled(0, 1, 100), Standard, 8 * u, true},
		{"class B does not use scale_usual", float64Format, scaled(0, 1, 100), Standard, 9 * u, false},
		{"class C does", float64Format, scaled(0, 1, 100), Usual, 6400 * u, true},
		{"class C ends", float64Format, scaled(0, 1, 100), Usual, 6401 * u, false},
		{"wrong sign", float64Format, exact(1e-300), Tight, -1e-300, false},
		{"subnormal want", float64Format, exact(5e-324), Tight, 0, true},
		{"rounding to float32", float32Format, exact(0.1), Tight, float64(float32(0.1)), true},
		{"two float32 ulps", float32Format, exact(0.1), Tight, float64(math.Nextafter32(math.Nextafter32(0.1, 1), 1)), false},
		{"overflow of float32", float32Format, exact(1e39), Tight, inf, true},
		{"overflow, NaN got", float32Format, exact(1e39), Tight, nan, false},
		{"overflow, largest got", float32Format, exact(1e39), Tight, math.MaxFloat32, false},
		{"at the overflow threshold, largest got", float32Format, exact(math.MaxFloat32 * (1 + 0x1p-25)), Tight, math.MaxFloat32, true},
		{"at the overflow threshold, Inf got", float32Format, exact(math.MaxFloat32 * (1 - 0x1p-25)), Tight, inf, true},
		{"well below the threshold, Inf got", float32Format, exact(3.3e38), Usual, inf, false},
		{"float32 underflow", float32Format, exact(1e-60), Tight, 0, true},
		{"float32 subnormal", float32Format, exact(0x1p-149), Tight, 0, true},
		{"inside an interval", float64Format, expected{want: 0, lower: -1, upper: 1}, Tight, 0.5, true},
		{"end of an interval", float64Format, expected{want: 0, lower: -1, upper: 1}, Tight, -1, true},
		{"outside an interval", float64Format, expected{want: 0, lower: -1, upper: 1}, Tight, 1.1, false},
		{"NaN in an interval", float64Format, expected{want: 0, lower: -1, upper: 1}, Tight, nan, false},
		{"infinite scale", float64Format, scaled(1, inf, inf), Tight, nan, false},
	} {
		r := c.f.judge(c.e, c.class, c.got)
		require.Equal(t, c.ok, r <= 1, "%s: %g", c.name, r)
		require.False(t, math.IsNaN(r), c.name)
	}
}

func TestWeak(t *testing.T) {
	e := expected{want: 1e-17, scale: 8, lower: 1e-17, upper: 1e-17}
	require.True(t, float64Format.weak(e, Standard), "anything near 0 passes")
	e.scale = 1e-16
	require.False(t, float64Format.weak(e, Standard))
	require.False(t, float64Format.weak(expected{scale: 1}, Standard), "0 is never weak")
	require.False(t, float64Format.weak(expected{want: math.NaN()}, Standard))
	require.False(t, float32Format.weak(expected{want: 1e-60, scale: 1e-60}, Standard), "rounds to 0")
}
