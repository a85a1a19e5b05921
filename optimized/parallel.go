// Package optimized computes every loss and its gradient in one fused call, in float32 or float64, in parallel, and without
// allocating once it is warm. This is the portable level: plain Go, the meaning that faster levels share.
//
//	X(out, grad, in, dOut)
//
// writes the value to out and, where grad is not nil, the vector-Jacobian product with dOut to those Var tensors of grad that have
// Data. The problem must be valid. Arithmetic runs in float64 whatever the element type: scalar code gains nothing from float32, and
// a float32 result is rounded once. Only exponentials and logarithms stop earlier for float32.
//
// The work is cut into chunks whose bounds depend on the problem alone, and partial sums are added in the order of the chunks, so
// the answer does not depend on the number of processors.
package optimized

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// task is a piece of work cut into chunks that may run at the same time.
type task interface{ run(i int) }

// worthwhile is the number of nanoseconds of work from which on other processors are asked to help. To wake one takes from 5,000 to
// 100,000 where it is virtual.
const worthwhile = 100_000

// job is a task in progress. A job may be offered to a worker that takes it up only when it is over, or when it has become another
// task's: entering is therefore counted under the lock.
type job struct {
	t    task
	n    int64
	next atomic.Int64

	mu      sync.Mutex
	left    sync.Cond // a helper left
	open    bool
	helpers int
}

func (j *job) work() {
	for i := j.next.Add(1) - 1; i < j.n; i = j.next.Add(1) - 1 {
		j.t.run(int(i))
	}
}

// help works on the job unless it is over.
func (j *job) help() {
	j.mu.Lock()
	if !j.open {
		j.mu.Unlock()
		return
	}
	j.helpers++
	j.mu.Unlock()
	j.work()
	j.mu.Lock()
	j.helpers--
	j.mu.Unlock()
	j.left.Signal()
}

var (
	offers  = make(chan *job, 64)
	workers atomic.Int64 // goroutines that wait for offers, for good
	jobs    = sync.Pool{New: func() any { j := new(job); j.left.L = &j.mu; return j }}
)

func serve() {
	for j := range offers {
		j.help()
	}
}

// each runs all n chunks of a task, each of about cost nanoseconds, on up to GOMAXPROCS processors.
func each(n, cost int, t task) {
	procs := min(runtime.GOMAXPROCS(0), n)
	if procs <= 1 || n*cost < worthwhile {
		for i := range n {
			t.run(i)
		}
		return
	}
	for workers.Load() < int64(procs-1) {
		workers.Add(1)
		go serve()
	}
	j := jobs.Get().(*job)
	j.mu.Lock()
	j.t, j.n, j.open = t, int64(n), true
	j.next.Store(0)
	j.mu.Unlock()
offer:
	for range procs - 1 {
		select {
		case offers <- j:
		default: // every worker is busy and has more to do
			break offer
		}
	}
	j.work()
	j.mu.Lock()
	j.open = false
	for j.helpers > 0 {
		j.left.Wait()
	}
	j.t = nil
	j.mu.Unlock()
	jobs.Put(j)
}

// pools holds one pool a workspace type, by a nil pointer of that type.
var pools sync.Map

// take returns a workspace from the pool of its type, give puts it back.
func take[W any]() *W {
	key := any((*W)(nil))
	p, ok := pools.Load(key)
	if !ok {
		p, _ = pools.LoadOrStore(key, &sync.Pool{New: func() any { return new(W) }})
	}
	return p.(*sync.Pool).Get().(*W)
}

func give[W any](w *W) {
	p, _ := pools.Load(any((*W)(nil)))
	p.(*sync.Pool).Put(w)
}

// grown returns a slice of n elements, buf itself where it is large enough. Its contents are arbitrary.
func grown[V any](buf []V, n int) []V {
	if cap(buf) < n {
		return make([]V, n)
	}
	return buf[:n]
}

// ceilDiv is n/d, rounded up.
func ceilDiv(n, d int) int { return (n + d - 1) / d }
