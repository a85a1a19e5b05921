// Command benchstat measures the losses and compares commits: see go run ./benchstat -h. Its benchmarks run every loss at the shapes
// that models are trained with and print standard Go benchmark lines, which any benchmark tool reads:
//
//	go test -run '^$' -bench . -count 10 ./benchstat
//
// The keys of a name are loss, impl (reference, portable), op (fwd: the value; fwdbwd: value and gradient), dtype, work (what is
// trained, see workloads_test.go) and threads. ns/elem is the time per element of the main input; B/s counts the bytes that an
// algorithm must move, inputs once and outputs once; %roof is their share of a copy measured in the same run. bounds is the worst error
// on the golden cases in units of the bound that is owed. GOLDENLOSS_BENCH=quick, pr or full chooses how much is run.
package main
