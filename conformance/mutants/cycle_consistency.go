package mutants

import "github.com/goldenloss/goldenloss/reference/loss"

const (
	cycleJoined     = "one mean over both directions"
	cycleSums       = "norms without divisor"
	cycleOneLambda  = "lambda of a for both"
	cycleIdtAlone   = "identity without lambda"
	cycleIdtSwapped = "identity weighted by the other side"
	cycleHalf       = "mean of both directions"
	cycleZeroTimes  = "zero factor times NaN"
	cycleTie        = "sign of zero is one"
	cycleIdtMissing = "gradient of the identity missing"
	cycleNaN        = "NaN in its own element alone"
)

var cycleFlaws = []flaw{
	{cycleJoined, "divides the sum of all items by N_a + N_b"},
	{cycleSums, "sums over the elements of a sample, as printed"},
	{cycleOneLambda, "weighs both directions by lambda_a"},
	{cycleIdtAlone, "weighs the identity terms by lambda_idt alone"},
	{cycleIdtSwapped, "weighs idt_a by lambda_b and idt_b by lambda_a, as the names in the released code suggest"},
	{cycleHalf, "takes half of the sum of both directions"},
	{cycleZeroTimes, "multiplies a direction without weight by 0, which keeps its NaN"},
	{cycleTie, "gives the absolute error the slope 1 at the origin"},
	{cycleIdtMissing, "gives no gradient of idt_a and idt_b"},
	{cycleNaN, "does not spread a NaN over its sample"},
}

func cycleConsistency(out []float64, grad, in *loss.CycleConsistency[float64], dOut []float64, flaw string) {
	na, nb := in.RecA.Shape[0], in.RecB.Shape[0]
	items := make([]float64, na+nb)
	direction := func(from, n int, lambda, other float64, rec, real, idt, gr, gi []float64) {
		if lambda == 0 && flaw != cycleZeroTimes {
			return
		}
		size := len(rec) / n
		z := float64(n)
		if flaw == cycleJoined {
			z = float64(na + nb)
		}
		for i := range n {
			outer := share(in.Reduction, dOut, from+i, z)
			if flaw == cycleHalf {
				outer /= 2
			}
			at := func(x []float64) []float64 { return x[i*size:][:size] }
			pass := func(x, g []float64, factor float64) float64 {
				if flaw != cycleSums {
					factor /= float64(size)
				}
				var terms []float64
				for j, v := range at(x) {
					e := v - at(real)[j]
					l, d := e*e, 2*e
					if in.Norm == "l1" {
						l, d = e*sign(e), sign(e)
						if flaw == cycleTie && e == 0 {
							d = 1
						}
					}
					terms = append(terms, l)
					at(g)[j] = outer * factor * d
				}
				return factor * total(terms)
			}
			items[from+i] = pass(rec, gr, lambda)
			if in.LambdaIdt > 0 {
				w := lambda * in.LambdaIdt
				switch flaw {
				case cycleIdtAlone:
					w = in.LambdaIdt
				case cycleIdtSwapped:
					w = other * in.LambdaIdt
				}
				items[from+i] += pass(idt, gi, w)
				if flaw == cycleIdtMissing {
					clear(at(gi))
				}
			}
			if l := items[from+i]; l != l && flaw != cycleNaN {
				for j := range size {
					at(gr)[j] = l
					if in.LambdaIdt > 0 && flaw != cycleIdtMissing {
						at(gi)[j] = l
					}
				}
			}
			if flaw == cycleHalf {
				items[from+i] /= 2
			}
		}
	}
	lambdaB := in.LambdaB
	if flaw == cycleOneLambda {
		lambdaB = in.LambdaA
	}
	direction(0, na, in.LambdaA, in.LambdaB, in.RecA.Data, in.RealA.Data, in.IdtA.Data, grad.RecA.Data, grad.IdtA.Data)
	direction(na, nb, lambdaB, in.LambdaA, in.RecB.Data, in.RealB.Data, in.IdtB.Data, grad.RecB.Data, grad.IdtB.Data)
	switch {
	case in.Reduction == loss.Mean && flaw != cycleJoined:
		out[0] = total(items[:na])/float64(na) + total(items[na:])/float64(nb)
	default:
		reduce(out, in.Reduction, items, float64(na+nb))
	}
}
