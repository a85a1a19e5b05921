// Package benchstat measures the losses: its benchmarks run every loss at the shapes that models are trained with and print standard
// Go benchmark lines, which any benchmark tool reads:
//
//	go test -run '^$' -bench . -count 10 ./benchstat
//
// The keys of a name are loss, impl (reference, portable), op (fwd: the value; fwdbwd: value and gradient), dtype, work (what is
// trained, see the table in bench_test.go) and threads. ns/elem is the time per element of the main input; B/s counts the bytes that
// an algorithm must move, inputs once and outputs once.
package benchstat
