package gate

import (
	"context"

	"github.com/goldenloss/goldenloss/fixtures"
)

// TB is what Test needs of *testing.T.
type TB interface {
	Helper()
	Context() context.Context
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Logf(format string, args ...any)
}

// Test checks columns against the embedded golden files inside a Go test, each failing case an error of the test:
//
//	func TestLosses(t *testing.T) {
//		gate.Test(t, gate.Options{AllowAbsent: true}, gate.Float32("mine", []loss.Impl[float32]{loss.Fused[float32](Focal)}))
//	}
//
// With AllowAbsent the column need not implement every loss.
func Test(t TB, o Options, columns ...*Column) {
	t.Helper()
	files, err := fixtures.LoadDir(fixtures.Golden())
	if err != nil {
		t.Fatalf("%v", err)
	}
	rep, err := Run(t.Context(), files, columns, o)
	if err != nil {
		t.Fatalf("%v", err)
	}
	v := rep.Verdict()
	for _, r := range rep.Results {
		for _, f := range r.Failures {
			t.Errorf("%s in %s: %s: %s", r.Case, r.Column, f.Kind, f.Text)
		}
	}
	for _, p := range v.Problems {
		t.Errorf("%s", p)
	}
	if v.Passed+v.Failed == 0 {
		t.Errorf("no case was checked")
	}
	t.Logf("%d values compared; %s", v.Values, v.last())
}
