package optimized

// panel is the number of terms of a dot product that are summed in one go.
const panel = 128

// dots adds the dot products of the m rows of a and the n rows of b to c, whose rows have n elements: c += a b^T. The rows of a and b
// have depth elements and begin strideA and strideB apart. Every product is summed in the same order, wherever it stands.
func dots(c []float64, a []float64, strideA, m int, b []float64, strideB, n, depth int) {
	for d := 0; d < depth; d += panel {
		e := min(d+panel, depth)
		for j := 0; j < n; j += 2 {
			j1 := min(j+1, n-1) // beyond the last row, the last row again
			b0, b1 := b[j*strideB:][d:e], b[j1*strideB:][d:e]
			for i := 0; i < m; i += 3 {
				i1, i2 := min(i+1, m-1), min(i+2, m-1)
				s00, s01, s10, s11, s20, s21 := dots3x2(a[i*strideA:][d:e], a[i1*strideA:][d:e], a[i2*strideA:][d:e], b0, b1)
				c0, c1, c2 := c[i*n:], c[i1*n:], c[i2*n:]
				c0[j] += s00
				if i1 > i {
					c1[j] += s10
				}
				if i2 > i1 {
					c2[j] += s20
				}
				if j1 == j {
					continue
				}
				c0[j1] += s01
				if i1 > i {
					c1[j1] += s11
				}
				if i2 > i1 {
					c2[j1] += s21
				}
			}
		}
	}
}

// dots3x2 returns six dot products. The compiler keeps six sums in registers, no more.
func dots3x2(a0, a1, a2, b0, b1 []float64) (s00, s01, s10, s11, s20, s21 float64) {
	a1, a2, b0, b1 = a1[:len(a0)], a2[:len(a0)], b0[:len(a0)], b1[:len(a0)]
	for d, x0 := range a0 {
		y0, y1 := b0[d], b1[d]
		s00 += x0 * y0
		s01 += x0 * y1
		x1 := a1[d]
		s10 += x1 * y0
		s11 += x1 * y1
		x2 := a2[d]
		s20 += x2 * y0
		s21 += x2 * y1
	}
	return
}
