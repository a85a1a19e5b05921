// Package optimized computes every loss and its gradient in one fused call, in float32 or float64, in parallel, and without
// allocating once it is warm. This is the portable level: plain Go, the meaning that faster levels share.
//
//	X(out, grad, in, dOut)
//
// writes the value to out and, where grad is not nil, the vector-Jacobian product with dOut to those Var tensors of grad that have
// Data. The problem must be valid. Arithmetic runs in float64 whatever the element type, so float32 results are rounded once.
//
// The work is cut into chunks whose bounds depend on the problem alone, and partial sums are added in the order of the chunks, so
// the answer does not depend on the number of processors.
package optimized

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// chunk is the number of elements that a chunk of an elementwise loss covers.
const chunk = 4096

// task is a piece of work cut into chunks that may run at the same time.
type task interface{ run(i int) }

// job is a task in progress.
type job struct {
	t    task
	n    int
	next atomic.Int64
	wg   sync.WaitGroup
}

func (j *job) work() {
	for {
		i := int(j.next.Add(1)) - 1
		if i >= j.n {
			return
		}
		j.t.run(i)
	}
}

var (
	jobs    = make(chan *job, 256)
	workers atomic.Int64 // persistent goroutines that wait for jobs
	jobPool = sync.Pool{New: func() any { return new(job) }}
)

func serve() {
	for j := range jobs {
		j.work()
		j.wg.Done()
	}
}

// each runs all n chunks of a task on up to GOMAXPROCS processors.
func each(n int, t task) {
	procs := min(runtime.GOMAXPROCS(0), n)
	if procs <= 1 {
		for i := range n {
			t.run(i)
		}
		return
	}
	for workers.Load() < int64(procs-1) {
		workers.Add(1)
		go serve()
	}
	j := jobPool.Get().(*job)
	j.t, j.n = t, n
	j.next.Store(0)
	for range procs - 1 {
		j.wg.Add(1)
		select {
		case jobs <- j:
		default: // all workers are busy with other calls
			j.wg.Done()
		}
	}
	j.work()
	j.wg.Wait()
	j.t = nil
	jobPool.Put(j)
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
