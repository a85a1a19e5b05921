package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const module = "github.com/goldenloss/goldenloss/"

// codeHashes tells for each implementation of each loss, as package/id, which machine code runs: a digest of the instructions of its
// file and of every file of this module that these functions call, without addresses. Equal digests mean equal code; a difference of
// time between them is noise. Whole files are taken because calls through interfaces do not show in the instructions.
func codeHashes(ctx context.Context, binary string, ids []string) (map[string]string, error) {
	cmd := exec.CommandContext(ctx, "go", "tool", "objdump", "-s", "^"+regexp.QuoteMeta(module)+"(optimized|reference)[./]", binary)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	files := map[string]*codeFile{}
	in := map[string]string{} // symbol -> file
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	var f *codeFile
	var body []string
	for lines.Scan() {
		text := lines.Text()
		if rest, ok := strings.CutPrefix(text, "TEXT "); ok {
			symbol, file, _ := strings.Cut(rest, "(SB) ")
			file = path.Join(pkgOf(symbol), path.Base(file))
			if files[file] == nil {
				files[file] = &codeFile{refs: map[string]bool{}}
			}
			if f != nil {
				f.flush(&body)
			}
			f, in[symbol] = files[file], file
			body = append(body, symbol)
			continue
		}
		part := strings.Fields(text)
		if f == nil || len(part) < 4 {
			continue
		}
		body = append(body, part[1]+" "+strings.Join(part[3:], " "))
		for _, p := range part[3:] {
			if symbol, ok := strings.CutSuffix(strings.TrimSuffix(p, ","), "(SB)"); ok && strings.HasPrefix(symbol, module) {
				f.refs[symbol] = true
			}
		}
	}
	if f != nil {
		f.flush(&body)
	}
	if err := cmd.Wait(); err != nil {
		return nil, fmt.Errorf("go tool objdump: %w", err)
	}
	hashes := map[string]string{}
	for _, pkg := range []string{"reference", "optimized"} {
		for _, id := range ids {
			root := pkg + "/" + id + ".go"
			if files[root] == nil {
				continue
			}
			seen := map[string]bool{root: true}
			for todo := []string{root}; len(todo) > 0; todo = todo[1:] {
				for symbol := range files[todo[0]].refs {
					if file := in[symbol]; file != "" && !seen[file] {
						seen[file] = true
						todo = append(todo, file)
					}
				}
			}
			h := sha256.New()
			for _, file := range sortedKeys(seen) {
				slices.Sort(files[file].functions)
				for _, text := range files[file].functions {
					h.Write([]byte(text))
				}
			}
			hashes[pkg+"/"+id] = hex.EncodeToString(h.Sum(nil)[:8])
		}
	}
	return hashes, lines.Err()
}

// codeFile holds the functions that one source file became.
type codeFile struct {
	functions []string
	refs      map[string]bool // symbols of this module
}

// flush ends the function that is being read: jumps become distances and addresses of data go, so that the text does not depend on
// where the linker put things.
func (f *codeFile) flush(body *[]string) {
	lines := *body
	*body = nil
	if len(lines) < 2 {
		return
	}
	start, _ := strconv.ParseUint(strings.Fields(lines[1])[0], 0, 64)
	end, _ := strconv.ParseUint(strings.Fields(lines[len(lines)-1])[0], 0, 64)
	var text strings.Builder
	text.WriteString(lines[0] + "\n")
	for _, l := range lines[1:] {
		_, instr, _ := strings.Cut(l, " ")
		text.WriteString(address.ReplaceAllStringFunc(instr, func(s string) string {
			if strings.HasSuffix(s, "(IP)") {
				return "data(IP)"
			}
			if x, err := strconv.ParseUint(s, 0, 64); err == nil && start <= x && x <= end {
				return fmt.Sprintf("+%d", x-start)
			}
			return s
		}) + "\n")
	}
	f.functions = append(f.functions, text.String())
}

var address = regexp.MustCompile(`-?0x[0-9a-f]+(\(IP\))?`)

// pkgOf is the package of a symbol, relative to the module.
func pkgOf(symbol string) string {
	rest := strings.TrimPrefix(symbol, module)
	if i := strings.IndexAny(rest, "."); i >= 0 {
		return rest[:i]
	}
	return rest
}
