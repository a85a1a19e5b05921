package mutants

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const (
	twelfths           = "variances of a uniform density"
	traceForm          = "difference of the traces"
	firstForm          = "one form for all angles"
	inDegrees          = "angles in degrees"
	wholeTurns         = "half of the angle"
	sidesDetached      = "scale without gradient"
	rootOfScale        = "scale a geometric mean of areas"
	plusThousandth     = "one thousandth added"
	oneMinusReciprocal = "one minus the reciprocal"
	gwdLogOfOnePlus    = "logarithm of one plus"
	floorAfterRoot     = "floor after the root"
	firstFloorOnly     = "floor of the first root alone"
	throughFloorOfD2   = "gradient below the floor"
	alphaOnce          = "alpha not squared"
	rootAtZero         = "infinite slope of the root"
	turnFixed          = "no gradient of the angle"
	halfSides          = "gradient of half sides"
	shiftOnly          = "centers alone"
	sidesClamped       = "sides clamped"
)

var gwdFlaws = []flaw{
	{twelfths, "takes w^2/12 for w^2/4"},
	{traceForm, "takes a^2 + b^2 + c^2 + d^2 - 2 R for the difference of the shapes, which cancels"},
	{firstForm, "takes the form of nearly parallel boxes for boxes at a right angle, where it cancels"},
	{inDegrees, "takes theta for degrees"},
	{wholeTurns, "gives boxes the period 2 pi"},
	{sidesDetached, "does not differentiate the scale"},
	{rootOfScale, "takes the square root for the fourth root of the product of the sides"},
	{plusThousandth, "adds 1e-3 to the squared distance, as the authors' code does"},
	{oneMinusReciprocal, "takes 1 - 1/(tau + y), which loses a small loss"},
	{gwdLogOfOnePlus, "takes log(1 + y), which loses a small distance"},
	{floorAfterRoot, "takes the floor of the root"},
	{firstFloorOnly, "takes no floor before the second root"},
	{throughFloorOfD2, "passes the gradient below the floor"},
	{alphaOnce, "multiplies the shapes by alpha"},
	{rootAtZero, "divides by the root of zero"},
	{turnFixed, "gives theta no gradient"},
	{halfSides, "gives the gradient of half sides"},
	{shiftOnly, "forgets the shapes"},
	{sidesClamped, "clamps sides to [1e-7, 1e7], as mmrotate does"},
	{cornersOnly, "gives the gradient of center and size whatever the format is"},
}

// gaussian is a box by center, sides and angle, with exact differences where the format has them.
type gaussian struct{ x, y, w, h, theta float64 }

func gwd(out []float64, grad, in *loss.GWD[float64], dOut []float64, flaw string) {
	n, cols := in.Pred.Shape[0], in.Pred.Shape[1]
	items := make([]float64, n)
	for i := range n {
		p, g := in.Pred.Data[cols*i:cols*i+cols], in.Target.Data[cols*i:cols*i+cols]
		var d [5]float64
		items[i], d = wasserstein(in, p, g, flaw)
		switch {
		case in.Format == "xyxy" && flaw != cornersOnly:
			d = [5]float64{d[0]/2 - d[2], d[1]/2 - d[3], d[0]/2 + d[2], d[1]/2 + d[3]}
		case in.Format == "xywh" && flaw != cornersOnly:
			d = [5]float64{d[0], d[1], d[2] + d[0]/2, d[3] + d[1]/2}
		}
		for k := range cols {
			grad.Pred.Data[cols*i+k] = share(in.Reduction, dOut, i, float64(n)) * d[k]
		}
	}
	reduce(out, in.Reduction, items, float64(n))
}

// apart returns both boxes and the differences of their centers and sides.
func apart(p, g []float64, format string) (a, b, diff gaussian) {
	if format == "xyxy" {
		l, t, r, u := p[0]-g[0], p[1]-g[1], p[2]-g[2], p[3]-g[3]
		return gaussian{w: p[2] - p[0], h: p[3] - p[1]}, gaussian{w: g[2] - g[0], h: g[3] - g[1]}, gaussian{(l + r) / 2, (t + u) / 2, r - l, u - t, 0}
	}
	a, b = gaussian{w: p[2], h: p[3]}, gaussian{w: g[2], h: g[3]}
	diff = gaussian{p[0] - g[0], p[1] - g[1], p[2] - g[2], p[3] - g[3], 0}
	if format == "xywh" {
		diff.x += diff.w / 2
		diff.y += diff.h / 2
	}
	if len(p) == 5 {
		diff.theta = p[4] - g[4]
	}
	return a, b, diff
}

// wasserstein is the loss of one pair and its gradient by center, sides and angle.
func wasserstein(in *loss.GWD[float64], p, g []float64, flaw string) (float64, [5]float64) {
	for k := range p {
		if v := (p[k] - p[k]) + (g[k] - g[k]); v != 0 {
			return v, [5]float64{v, v, v, v, v}
		}
	}
	pred, target, diff := apart(p, g, in.Format)
	switch flaw {
	case inDegrees:
		diff.theta *= math.Pi / 180
	case wholeTurns:
		diff.theta /= 2
	}
	clamped := [4]bool{}
	if flaw == sidesClamped && in.Format == "cxcywhr" {
		for i, side := range [...]*float64{&pred.w, &pred.h, &target.w, &target.h} {
			within := math.Max(1e-7, math.Min(*side, 1e7))
			clamped[i], *side = within != *side, within
		}
		diff.w, diff.h = pred.w-target.w, pred.h-target.h
	}
	a, b, c, e := pred.w/2, pred.h/2, target.w/2, target.h/2
	da, db := diff.w, diff.h // derivatives of the shape by a and b
	shape := (diff.w*diff.w + diff.h*diff.h) / 4
	dTheta := 0.0
	if len(p) == 5 {
		sin, cos := math.Sincos(diff.theta)
		P, M := a*c+b*e, a*e+b*c
		Q := (a - b) * (a + b) * (c - e) * (c + e)
		R := math.Sqrt(P*P*cos*cos + M*M*sin*sin)
		switch {
		case flaw == traceForm:
			shape = a*a + b*b + c*c + e*e - 2*R
		case Q >= 0 || flaw == firstForm:
			if P+R > 0 {
				shape += 2 * Q * sin * sin / (P + R)
			}
		default:
			shape = (a-e)*(a-e) + (b-c)*(b-c) - 2*Q*cos*cos/(M+R)
		}
		da, db = 2*a, 2*b
		if R > 0 {
			da -= 2 * (P*c*cos*cos + M*e*sin*sin) / R
			db -= 2 * (P*e*cos*cos + M*c*sin*sin) / R
			dTheta = 2 * Q * sin * cos / R
		}
	}
	k := in.Alpha * in.Alpha
	switch flaw {
	case twelfths:
		k /= 3
	case alphaOnce:
		k = in.Alpha
	case shiftOnly:
		k = 0
	case turnFixed:
		dTheta = 0
	case halfSides:
		da, db = 2*da, 2*db
	}
	d := [5]float64{2 * diff.x, 2 * diff.y, k * da / 2, k * db / 2, k * dTheta}
	d2 := diff.x*diff.x + diff.y*diff.y + k*shape
	if flaw == plusThousandth {
		d2 += 1e-3
	}
	l, slope, rate := shrunk(in, d2, pred, target, flaw)
	for i := range d {
		d[i] *= slope
	}
	if pred.w > 0 && pred.h > 0 {
		d[2] += rate / pred.w
		d[3] += rate / pred.h
	}
	for i := range 2 {
		if clamped[i] {
			d[2+i] = 0
		}
	}
	return l, d
}

// shrunk makes a loss of the squared distance, with its derivative and that by the logarithm of a side.
func shrunk(in *loss.GWD[float64], y float64, pred, target gaussian, flaw string) (l, slope, rate float64) {
	slope = 1
	step := func(v, by float64) { y, slope, rate = v, slope*by, rate*by }
	floor := func() {
		if y < in.D2Floor {
			by := 0.0
			if flaw == throughFloorOfD2 {
				by = 1
			}
			step(in.D2Floor, by)
		}
	}
	root := func() {
		v := math.Sqrt(y)
		if v == 0 && flaw != rootAtZero {
			step(0, 0)
			return
		}
		step(v, 1/(2*v))
	}
	if flaw != floorAfterRoot {
		floor()
	}
	if in.Variant == "mmrotate" {
		root()
		if flaw == floorAfterRoot {
			floor()
		}
		if in.Normalize {
			scale := math.Sqrt(math.Sqrt(pred.w*pred.h) * math.Sqrt(target.w*target.h))
			if flaw == rootOfScale {
				scale *= scale
			}
			own := 0.25
			if scale < in.ScaleFloor || flaw == sidesDetached {
				own = 0
			}
			scale = math.Max(scale, in.ScaleFloor)
			step(y/scale, 1/scale)
			rate = -y * own
		}
		if in.Fun == "sqrt" && flaw != firstFloorOnly {
			floor()
		}
	}
	switch in.Fun {
	case "sqrt":
		root()
	case "log1p":
		v := math.Log1p(y)
		if flaw == gwdLogOfOnePlus {
			v = math.Log(1 + y)
		}
		step(v, 1/(1+y))
	}
	if in.Tau > 0 {
		v := (in.Tau - 1 + y) / (in.Tau + y)
		if flaw == oneMinusReciprocal {
			v = 1 - 1/(in.Tau+y)
		}
		step(v, 1/((in.Tau+y)*(in.Tau+y)))
	}
	return y, slope, rate
}
