package lint

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// TestBenchmarkCommands runs the commands of the benchmark workflows as they stand there, on one loss and few samples.
func TestBenchmarkCommands(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exec.Command("git", "-C", root, "rev-parse", "HEAD").Output(); err != nil {
		t.Skip("not a checkout")
	}
	for file, want := range map[string][]string{
		"bench-cpu.yml": {"compare/build", "compare/compare", "record/build", "record/record", "record/trend"},
		"bench-gpu.yml": {"record/build", "record/record", "record/trend"},
	} {
		text, err := os.ReadFile(filepath.Join(root, ".github", "workflows", file))
		if err != nil {
			t.Fatal(err)
		}
		var flow struct {
			Env  map[string]string
			Jobs map[string]struct {
				Steps []struct{ ID, Run string }
			}
		}
		if err := yaml.Unmarshal(text, &flow); err != nil {
			t.Fatal(err)
		}
		tmp := t.TempDir()
		smi := "#!/bin/sh\ncase $1 in *name*) echo 'Test GPU';; *) echo 1.2.3;; esac\n"
		if err := os.WriteFile(filepath.Join(tmp, "nvidia-smi"), []byte(smi), 0o755); err != nil {
			t.Fatal(err)
		}
		env := map[string]string{}
		for k := range flow.Env {
			env[k] = ""
		}
		for k, v := range map[string]string{"BENCHSTAT": tmp + "/benchstat", "RUNNER": "test", "SET": "quick", "BENCH": "Loss/loss=smooth_l1$", "SAMPLES": "4", "BENCHTIME": "2ms",
			"RESULTS": tmp, "HISTORY": tmp + "/perf"} {
			if _, ok := env[k]; !ok {
				t.Errorf("%s: the workflow does not set %s", file, k)
			}
			env[k] = v
		}
		for k, v := range map[string]string{"BASE": "HEAD", "HEAD": "HEAD", "GITHUB_STEP_SUMMARY": tmp + "/summary", "GITHUB_OUTPUT": tmp + "/output", "PATH": tmp + ":" + os.Getenv("PATH")} {
			env[k] = v
		}
		ran := map[string]bool{}
		for _, job := range []string{"compare", "record"} {
			for _, step := range flow.Jobs[job].Steps {
				if step.ID == "" {
					continue
				}
				cmd := exec.Command("bash", "-eo", "pipefail", "-c", step.Run)
				cmd.Dir = root
				cmd.Env = os.Environ()
				for k, v := range env {
					cmd.Env = append(cmd.Env, k+"="+v)
				}
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%s, %s/%s: %v\n%s", file, job, step.ID, err, out)
				}
				ran[job+"/"+step.ID] = true
			}
		}
		for _, w := range want {
			if !ran[w] {
				t.Errorf("%s: no step %s", file, w)
			}
		}
		if file == "bench-cpu.yml" {
			comment, err := os.ReadFile(tmp + "/comment.md")
			if err != nil || !strings.Contains(string(comment), "no regression") {
				t.Errorf("comment: %v\n%s", err, comment)
			}
		}
		if _, err := os.Stat(tmp + "/site/smooth_l1.html"); err != nil {
			t.Error(err)
		}
	}
}
