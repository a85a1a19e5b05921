package optimized

// samplesChunk is the number of elements of a chunk.
const samplesChunk = 8192

// samples cuts a batch into chunks, each within one sample.
type samples struct {
	n, size int // number of samples and of elements in each
	per     int // chunks of a sample
}

func newSamples(n, size int) samples { return samples{n, size, ceilDiv(size, samplesChunk)} }

func (s *samples) chunks() int { return s.n * s.per }

// cost is the work of a chunk, at so many nanoseconds an element.
func (s *samples) cost(element int) int { return element * min(s.size, samplesChunk) }

// chunk returns the sample that chunk i belongs to and its elements, counted in the whole batch.
func (s *samples) chunk(i int) (n, lo, hi int) {
	n = i / s.per
	at := i % s.per * samplesChunk
	return n, n*s.size + at, n*s.size + min(at+samplesChunk, s.size)
}

// of returns the part of sample n in a list with one entry a chunk.
func (s *samples) of(partial []float64, n int) []float64 { return partial[n*s.per : (n+1)*s.per] }
