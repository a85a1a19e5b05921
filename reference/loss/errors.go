package loss

import "fmt"

// Class is the class of an input error. The order is the order in which errors are reported.
type Class int

const (
	InvalidDType        Class = iota + 1 // a float input is not float32 or float64, mixed float dtypes, an index that is no integer
	InvalidShape                         // wrong rank, shapes that do not match, a vector of wrong length
	InvalidParam                         // a parameter outside its range, incompatible options, a missing or unused input
	EmptyInput                           // a loss that needs a sample, pair, window or pixel has none
	InvalidTarget                        // a tensor value outside its legal set
	InvalidBox                           // x2 < x1, y2 < y1 or a negative width or height
	NotPositiveDefinite                  // a matrix fails its Cholesky factorization
)

var classNames = [...]string{"", "invalid_dtype", "invalid_shape", "invalid_param", "empty_input", "invalid_target", "invalid_box",
	"not_positive_definite"}

func (c Class) String() string { return classNames[c] }

// Classes returns the names of all error classes.
func Classes() []string { return classNames[1:] }

// Error is what is wrong with the parameters or inputs of a call.
type Error struct {
	Class     Class
	Loss      string
	Name      string // parameter or input
	Want, Got string
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s: %s: %s: want %s, got %s", e.Loss, e.Class, e.Name, e.Want, e.Got)
}

// Checker collects the errors of one call and keeps the first of each class, so that checks may be written in any order and still
// be reported in the order of the classes.
type Checker struct {
	loss  string
	first [len(classNames)]*Error
}

func (c *Checker) fail(class Class, name, want string, got any) {
	if c.first[class] == nil {
		c.first[class] = &Error{class, c.loss, name, want, fmt.Sprint(got)}
	}
}

func (c *Checker) err() error {
	for _, e := range c.first {
		if e != nil {
			return e
		}
	}
	return nil
}

// Shape records an invalid_shape error unless ok.
func (c *Checker) Shape(ok bool, name, want string, got any) {
	c.want(ok, InvalidShape, name, want, got)
}

// Param records an invalid_param error unless ok.
func (c *Checker) Param(ok bool, name, want string, got any) {
	c.want(ok, InvalidParam, name, want, got)
}

// NotEmpty records an empty_input error unless ok.
func (c *Checker) NotEmpty(ok bool, name, want string, got any) {
	c.want(ok, EmptyInput, name, want, got)
}

// Values runs a check of tensor contents, unless an error that makes their layout or meaning unknown was found before.
func (c *Checker) Values(check func()) {
	if c.first[InvalidDType] == nil && c.first[InvalidShape] == nil && c.first[InvalidParam] == nil && c.first[EmptyInput] == nil {
		check()
	}
}

// Target records an invalid_target error unless ok.
func (c *Checker) Target(ok bool, name, want string, got any) {
	c.want(ok, InvalidTarget, name, want, got)
}

// Box records an invalid_box error unless ok.
func (c *Checker) Box(ok bool, name, want string, got any) { c.want(ok, InvalidBox, name, want, got) }

// PositiveDefinite records a not_positive_definite error unless ok.
func (c *Checker) PositiveDefinite(ok bool, name, want string, got any) {
	c.want(ok, NotPositiveDefinite, name, want, got)
}

func (c *Checker) want(ok bool, class Class, name, want string, got any) {
	if !ok {
		c.fail(class, name, want, got)
	}
}
