package main

import (
	"bufio"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"
)

// waiver accepts a regression for a while. A line of the file reads
//
//	<pattern of benchmark names> <unit or *> <owner> <last day> <reason>
type waiver struct {
	text    string
	pattern *regexp.Regexp
	unit    string
	until   time.Time
}

func (w waiver) covers(r *Row) bool {
	return w.pattern.MatchString(r.Name) && (w.unit == "*" || w.unit == r.Unit)
}

// readWaivers reads a file of waivers. One that is past its day is an error: somebody must look again.
func readWaivers(path string, now time.Time) ([]waiver, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var list []waiver
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || text[0] == '#' {
			continue
		}
		part := strings.Fields(text)
		if len(part) < 5 {
			return nil, fmt.Errorf("%s:%d: want pattern, unit, owner, last day and reason, got %q", path, n, text)
		}
		w := waiver{text: text, unit: part[1]}
		if w.pattern, err = regexp.Compile(part[0]); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, n, err)
		}
		if w.until, err = time.Parse(time.DateOnly, part[3]); err != nil {
			return nil, fmt.Errorf("%s:%d: want a day such as 2027-01-31, got %q", path, n, part[3])
		}
		if now.After(w.until.AddDate(0, 0, 1)) {
			return nil, fmt.Errorf("%s:%d: the waiver of %s ended on %s: renew or remove it", path, n, part[2], part[3])
		}
		list = append(list, w)
	}
	return list, lines.Err()
}
