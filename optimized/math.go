package optimized

import (
	"math"
	"unsafe"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// Exponential and logarithm, small enough to be inlined into the loops of the kernels. A table of 64 entries reduces the argument and
// a short polynomial does the rest; its length is that of the element type: 2^-29 is enough for float32.

var (
	// expTable holds 2^(i/64) = high (1 + low). The bits of high carry expBias and lack i in the place of the exponent: adding
	// i + 64 n there gives the bits of 2^(i/64 + n + expBias).
	expTable [64]struct {
		bits uint64
		low  float64
	}
	// logTable holds log(1 + i/64) = log + low.
	logTable [128]struct{ inverse, log, low float64 }
)

const (
	round  = 0x1.8p52 // x + round - round is x rounded to an integer, which stands in the low bits of x + round
	perLn2 = 64 / math.Ln2
	ln2    = 0x1.62e42fefap-1 // log 2 to 36 bits; with ln2Low to 89
	ln2Low = math.Ln2 - ln2

	signBit = 1 << 63
	oneBits = 0x3ff << 52

	// expBias keeps exponentials away from the smallest numbers: they may meet large factors later.
	expBias  = 256
	expScale = 0x1p-256 // undoes it
	expLeast = -880     // the exponential of less is 0; of this it is 2^-1269
)

func init() {
	// 2^(1/64) by six square roots, in pairs of numbers whose sum is meant.
	root, rootLow := 2.0, 0.0
	for range 6 {
		s := math.Sqrt(root)
		root, rootLow = s, (math.FMA(-s, s, root)+rootLow)/(2*s)
	}
	v, low := 1.0, 0.0
	for i := range expTable {
		expTable[i].bits = math.Float64bits(v) + expBias<<52 - uint64(i)<<46
		expTable[i].low = low / v
		p := v * root
		v, low = p, math.FMA(v, root, -p)+(v*rootLow+low*root)
		p = v + low
		v, low = p, low-(p-v)
	}
	// log((d+1)/(d-1)) = 2 atanh(1/d)
	v, low = 0, 0
	for i := range logTable {
		e := &logTable[i]
		e.inverse, e.log, e.low = 64/float64(64+i), v, low
		d := float64(129 + 2*i)
		step := 2 / d
		low += math.FMA(-step, d, 2)/d + step/(d*d)*(1./3+(1./5+1./7/(d*d))/(d*d))
		p := v + step
		low += step - (p - v) // v = 0 or step < v
		v, low = p+low, low-((p+low)-p)
	}
}

// expNeg32 and expNeg64 are exp(x) 2^expBias for x <= 0, for results in float32 and float64. NaN stays NaN.
func expNeg32(x float64) float64 {
	if x < expLeast {
		return 0
	}
	z := x*perLn2 + round
	k := math.Float64bits(z)
	r := x - (z-round)*(math.Ln2/64)
	return math.Float64frombits(expTable[k%64].bits+k<<46) * (1 + r*(1+r*(1./2+r*(1./6))))
}

func expNeg64(x float64) float64 {
	if x < expLeast {
		return 0
	}
	z := x*perLn2 + round
	k := math.Float64bits(z)
	e := &expTable[k%64]
	s := math.Float64frombits(e.bits + k<<46)
	z -= round
	r := x - z*(ln2/64) - z*(ln2Low/64)
	return s + s*(e.low+(r+r*r*(1./2+r*(1./6+r*(1./24+r*(1./120+r*(1./720)))))))
}

// expNeg is expNeg32 or expNeg64.
func expNeg[T loss.Float](x float64) float64 {
	if single[T]() {
		return expNeg32(x)
	}
	return expNeg64(x)
}

// expAll fills e with exp(x - top) 2^expBias, none of x being larger than top.
func expAll[T, X loss.Float](e []float64, x []X, top float64) {
	x = x[:len(e)]
	if single[T]() {
		for i := range e {
			e[i] = expNeg32(float64(x[i]) - top)
		}
		return
	}
	for i := range e {
		e[i] = expNeg64(float64(x[i]) - top)
	}
}

// unitLog1p32 and unitLog1p64 are log(1 + q) for 0 <= q <= 1.
func unitLog1p32(q float64) float64 {
	z := q*64 + round
	e := &logTable[math.Float64bits(z)%128]
	r := (q - (z-round)*(1./64)) * e.inverse
	return e.log + (r - r*r*(1./2-r*(1./3-r*(1./4))))
}

func unitLog1p64(q float64) float64 {
	z := q*64 + round
	e := &logTable[math.Float64bits(z)%128]
	r := (q - (z-round)*(1./64)) * e.inverse
	return e.log + (r + (e.low - r*r*(1./2-r*(1./3-r*(1./4-r*(1./5-r*(1./6-r*(1./7-r*(1./8)))))))))
}

// log1p is log(1 + x) for x >= 0.
func log1p[T loss.Float](x float64) float64 {
	if x <= 1 {
		if single[T]() {
			return unitLog1p32(x)
		}
		return unitLog1p64(x)
	}
	if !(x <= math.MaxFloat64) {
		return x
	}
	b := math.Float64bits(1 + x)
	n := float64(int(b>>52) - 1023)
	f := math.Float64frombits(b<<12>>12|oneBits) - 1
	return n*ln2 + (unitLog1p64(f) + n*ln2Low)
}

// single reports whether T is float32. It is a constant in the compiled code.
func single[T loss.Float]() bool { return unsafe.Sizeof(T(0)) == 4 }

// least is the smaller of two numbers that are not negative, the number of a number and NaN.
func least(a, b float64) float64 {
	return math.Float64frombits(min(math.Float64bits(a), math.Float64bits(b)))
}

// sign is 1, -1, 0 at 0 and NaN for NaN. No jump depends on which.
func sign(x float64) float64 {
	b := math.Float64bits(x)
	size := b &^ signBit
	some := (size | -size) >> 63    // 1 unless x is 0
	nan := (0x7ff<<52 - size) >> 63 // 1 for NaN
	return math.Float64frombits((oneBits|b&signBit)&-some | -nan)
}

// negative is a mask of ones where x is negative or -0.
func negative(x float64) uint64 { return uint64(int64(math.Float64bits(x)) >> 63) }

// sigmoid returns sigmoid(x) and sigmoid(-x), given exp(-|x|) and negative(x).
func sigmoid(q float64, neg uint64) (up, down float64) {
	r := 1 / (1 + q)
	swap := (math.Float64bits(q) ^ oneBits) & neg
	return math.Float64frombits(oneBits^swap) * r, math.Float64frombits(math.Float64bits(q)^swap) * r
}

// decays fills q with exp(-|x|), which both sigmoids and both softplus are made of.
func decays[T loss.Float](q []float64, x []T) {
	x = x[:len(q)]
	if single[T]() {
		for j := range q {
			q[j] = expNeg32(-math.Abs(float64(x[j]))) * expScale
		}
		return
	}
	for j := range q {
		q[j] = expNeg64(-math.Abs(float64(x[j]))) * expScale
	}
}

// tails fills l with log(1+q), which is softplus(-|x|) for the q of decays.
func tails[T loss.Float](l, q []float64) {
	q = q[:len(l)]
	if single[T]() {
		for j := range l {
			l[j] = unitLog1p32(q[j])
		}
		return
	}
	for j := range l {
		l[j] = unitLog1p64(q[j])
	}
}

// logOf is math.Log, right for subnormal numbers as well.
func logOf(x float64) float64 {
	if x > 0 && x < 0x1p-1022 {
		return math.Log(x*0x1p60) - 60*math.Ln2
	}
	return math.Log(x)
}
