package auth_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// depsList is the frozen list: one module a line, its licence as an SPDX identifier, and why it is here. Whoever adds a
// dependency adds its line, so that the reason is in the diff and not only in a lock file.
const depsList = ".ci/dependencies"

// depsLicences are the licences that a program under any licence can be built with, and words that stand in each one's
// text. They catch a wrong line in the list and a changed licence; they don't prove that a text is complete.
var depsLicences = map[string]string{
	"Apache-2.0":   "Apache License Version 2.0",
	"BSD-2-Clause": "Redistributions in binary form must reproduce the above copyright notice",
	"BSD-3-Clause": "may be used to endorse or promote products derived from",
	"ISC":          "Permission to use, copy, modify, and",
	"MIT":          "Permission is hereby granted, free of charge, to any person obtaining a copy",
	"MPL-2.0":      "Mozilla Public License Version 2.0",
}

// Every module that go.mod, or a nested module's, asks for: the whole build list, since go.mod names the indirect ones.
func TestDependenciesAreListedWithTheirLicence(t *testing.T) {
	t.Parallel()
	listed := depsListed(t)
	required := map[string]string{} // module -> folder of a go.mod that asks for it
	for _, dir := range depsModules(t) {
		for _, module := range depsRequired(t, dir) {
			if module == arrowModule {
				continue // a nested module asks for this one
			}
			required[module] = dir
			if listed[module] == "" {
				t.Errorf("%s is in %s but not in %s: add a line with its licence and the reason", module, filepath.Join(dir, "go.mod"), depsList)
			}
		}
	}
	if len(required) == 0 {
		t.Fatal("no requirements found: this test would pass whatever go.mod holds")
	}
	for module, licence := range listed {
		dir, ok := required[module]
		if !ok {
			t.Errorf("%s is in %s but no go.mod asks for it: remove the line", module, depsList)
			continue
		}
		t.Run(module, func(t *testing.T) {
			t.Parallel()
			depsCheckLicence(t, dir, module, licence)
		})
	}
}

// depsListed reads the frozen list: module -> licence.
func depsListed(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(depsList)
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]string{}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if len(fields) < 3 {
			t.Fatalf("%s: got line %q, want a module, its licence and a reason", depsList, line)
		}
		if depsLicences[fields[1]] == "" {
			t.Errorf("%s: %s: licence %q is not one that we take", depsList, fields[0], fields[1])
		}
		if listed[fields[0]] != "" {
			t.Errorf("%s: %s is there twice", depsList, fields[0])
		}
		listed[fields[0]] = fields[1]
	}
	return listed
}

// depsModules returns the folders of this module and of the modules below it.
func depsModules(t *testing.T) []string {
	t.Helper()
	var dirs []string
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata"):
			return filepath.SkipDir
		case entry.Name() == "go.mod":
			dirs = append(dirs, filepath.Dir(name))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}

// depsRequired returns the modules that dir's go.mod asks for. A replaced one would not be the code that its name and
// licence promise, nor what a program that uses this library gets: only a nested module may point at this one.
func depsRequired(t *testing.T, dir string) []string {
	t.Helper()
	var mod struct {
		Require []struct{ Path string }
		Replace []struct{ Old, New struct{ Path string } }
	}
	if err := json.Unmarshal(depsGo(t, dir, "mod", "edit", "-json"), &mod); err != nil {
		t.Fatal(err)
	}
	for _, r := range mod.Replace {
		if r.Old.Path != arrowModule {
			t.Errorf("%s: replaces %s by %s", filepath.Join(dir, "go.mod"), r.Old.Path, r.New.Path)
		}
	}
	var modules []string
	for _, r := range mod.Require {
		modules = append(modules, r.Path)
	}
	return modules
}

// depsCheckLicence looks for the licence's own words in the module's licence file.
func depsCheckLicence(t *testing.T, dir, module, licence string) {
	folder := string(bytes.TrimSpace(depsGo(t, dir, "list", "-m", "-f", "{{.Dir}}", module)))
	if folder == "" { // asked for, but in no build so far: without a network there is nothing to read
		if os.Getenv("AUTH_TEST_REQUIRE") != "" {
			t.Fatal("not in the module cache: go mod download")
		}
		t.Skip("not in the module cache")
	}
	for _, pattern := range []string{"LICEN[CS]E*", "COPYING*"} {
		files, err := filepath.Glob(filepath.Join(folder, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			oneLine := strings.Join(strings.Fields(string(text)), " ")
			if strings.Contains(strings.ToLower(oneLine), strings.ToLower(depsLicences[licence])) {
				return
			}
		}
	}
	t.Errorf("%s: no licence file in %s has the words of %s", module, folder, licence)
}

// depsGo runs the go command in dir.
func depsGo(t *testing.T, dir string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return out
}
