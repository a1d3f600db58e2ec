package certified

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// What npm is to install, each package by its version and the hash of its content.
var (
	//go:embed provider/package.json
	manifest []byte
	//go:embed provider/package-lock.json
	lock []byte
)

// parts are what the provider runs on.
type parts struct {
	node     string // Node.js
	packages string // the folder with the packages
}

// need gives the parts. Where they can't be had the test is skipped; it fails if AUTH_TEST_REQUIRE names oidc.
func need(t testing.TB) parts {
	t.Helper()
	found, err := find()
	if err == nil {
		return found
	}
	if slices.Contains(strings.Split(os.Getenv("AUTH_TEST_REQUIRE"), ","), "oidc") {
		t.Fatalf("AUTH_TEST_REQUIRE asks for oidc: %v", err)
	}
	t.Skipf("skipped: no certified provider: %v", err)
	return parts{}
}

// find looks for the parts once in a test program, and installs the packages unless they are there: once for each user of
// the machine, and again when other versions are asked for.
var find = sync.OnceValues(func() (parts, error) {
	node, err := exec.LookPath("node")
	if err != nil {
		return parts{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience) // npm waits for long where there is no network
	defer cancel()
	const check = "process.exit(require('node:crypto').hash ? 0 : 1)"
	if exec.CommandContext(ctx, node, "--eval", check).Run() != nil { //nolint:gosec // the machine's own
		return parts{}, fmt.Errorf("%s is older than 20.12, which the provider needs", node)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return parts{}, err
	}
	dir := filepath.Join(cache, "ostiary", fmt.Sprintf("certified-%.12x", sha256.Sum256(lock)))
	if _, err := os.Stat(dir); err != nil {
		if err := install(ctx, dir); err != nil {
			return parts{}, err
		}
	}
	return parts{node, dir}, nil
})

// install makes the folder appear at once and whole: of test programs that install at the same time one wins, and an
// interrupted one leaves nothing that another would take for the packages.
func install(ctx context.Context, dir string) error {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return err
	}
	aside, err := os.MkdirTemp(filepath.Dir(dir), "install-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(aside) }()
	for name, content := range map[string][]byte{"package.json": manifest, "package-lock.json": lock} {
		if err := os.WriteFile(filepath.Join(aside, name), content, 0o600); err != nil {
			return err
		}
	}
	// What a package would run while it is installed has no part in this.
	cmd := exec.CommandContext(ctx, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund") //nolint:gosec // the machine's own
	cmd.Dir = aside
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w: %s", err, out)
	}
	if err := os.Rename(aside, dir); err != nil {
		if _, missing := os.Stat(dir); missing != nil {
			return err
		}
	}
	return nil
}
