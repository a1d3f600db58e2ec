package auth_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// arrowTable says what a package may import, and is the only place that does. A folder without a row has the row of the
// nearest folder above it, but for the root, whose row is its own: a new folder there is refused until it has one.
// Test files may import anything, and so may modules below this one, which are tests.
var arrowTable = map[string]string{
	"internal":                 "std x/crypto x/text", // the leaves: never the root, never each other
	".":                        "std coder/websocket leaves",
	"internal/store":           "std leaves sqlx sqlite",   // never the root, nor a server's driver
	"internal/session":         "std leaves store",         // never the root: generic over what it keeps
	"internal/dburl":           "std store sqlx pgx mysql", // for programs and tests
	"internal/oidctest":        "std leaves go-jose",
	"internal/store/storetest": "std store sqlx sqlite dburl",
	"noauth":                   "std root leaves",
	"tokenauth":                "std root leaves",
	"userauth":                 "std root leaves store session sqlx x/crypto webauthn otp",
	"oidcauth":                 "std root leaves store session sqlx go-oidc",
	"authtest":                 "std root chi coder/websocket oidctest",
	"examples":                 "anything",
	"userauth/useradmin":       "anything",
}

// arrowTargets are the words of the table that stand for one path and what is below it.
var arrowTargets = map[string]string{
	"store":           arrowModule + "/internal/store",
	"session":         arrowModule + "/internal/session",
	"oidctest":        arrowModule + "/internal/oidctest",
	"chi":             "github.com/go-chi/chi/v5",
	"coder/websocket": "github.com/coder/websocket",
	"dburl":           arrowModule + "/internal/dburl",
	"go-jose":         "github.com/go-jose/go-jose/v4",
	"go-oidc":         "github.com/coreos/go-oidc/v3",
	"mysql":           "github.com/go-sql-driver/mysql",
	"otp":             "github.com/pquerna/otp",
	"pgx":             "github.com/jackc/pgx/v5",
	"sqlite":          "modernc.org/sqlite",
	"sqlx":            "github.com/jmoiron/sqlx",
	"webauthn":        "github.com/go-webauthn/webauthn",
	"x/crypto":        "golang.org/x/crypto",
	"x/text":          "golang.org/x/text",
}

const arrowModule = "github.com/ostiary/auth"

// arrow is one import: the folder it stands in, what it names, and where.
type arrow struct{ from, to, pos string }

// arrowRow returns the folder whose row of the table holds for the package in dir, "" if none does.
func arrowRow(dir string) string {
	for d := dir; ; d = path.Dir(d) {
		if _, ok := arrowTable[d]; ok && (d != "." || dir == ".") {
			return d
		}
		if d == "." {
			return ""
		}
	}
}

// arrowRefused says why a is not allowed; "" if it is.
func arrowRefused(a arrow) string {
	row := arrowRow(a.from)
	if row == "" {
		return fmt.Sprintf("%s has no row in the table", a.from)
	}
	allowed := strings.Fields(arrowTable[row])
	for _, word := range allowed {
		if word == "anything" || arrowFits(word, a.to) {
			return ""
		}
	}
	// A package and its own folders are one row; the leaves share theirs, but are not one package.
	if dir, ok := arrowDir(a.to); ok && row != "internal" && arrowRow(dir) == row {
		return ""
	}
	return fmt.Sprintf("%s may import: %s", row, strings.Join(allowed, ", "))
}

// arrowFits tells whether word, one of the table's, covers the import path to.
func arrowFits(word, to string) bool {
	dir, ours := arrowDir(to)
	switch word {
	case "std": // no module's path begins without a dot; cgo needs more than Go
		first, _, _ := strings.Cut(to, "/")
		return !strings.Contains(first, ".") && to != "C"
	case "root":
		return to == arrowModule
	case "leaves":
		return ours && arrowRow(dir) == "internal"
	}
	target, known := arrowTargets[word]
	return known && (to == target || strings.HasPrefix(to, target+"/"))
}

// arrowDir returns the folder of an import path of this module.
func arrowDir(importPath string) (dir string, ours bool) {
	if importPath == arrowModule {
		return ".", true
	}
	return strings.CutPrefix(importPath, arrowModule+"/")
}

// arrowsIn reads the imports of every Go file below root that is compiled on any system: it looks at no build tag. It
// leaves out what the go command leaves out, test files, and other modules.
func arrowsIn(root string) ([]arrow, error) {
	var found []arrow
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := entry.Name()
		hidden := strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_")
		if entry.IsDir() {
			if name == root {
				return nil
			}
			if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil || hidden || base == "testdata" || base == "vendor" {
				return filepath.SkipDir
			}
			return nil
		}
		if hidden || filepath.Ext(base) != ".go" || strings.HasSuffix(base, "_test.go") {
			return nil
		}
		dir, err := filepath.Rel(root, filepath.Dir(name))
		if err != nil {
			return err
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			to, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			found = append(found, arrow{filepath.ToSlash(dir), to, fset.Position(spec.Pos()).String()})
		}
		return nil
	})
	return found, err
}

func TestImportArrowsStayInTheTable(t *testing.T) {
	t.Parallel()
	arrows, err := arrowsIn(".")
	if err != nil {
		t.Fatal(err)
	}
	if len(arrows) == 0 {
		t.Fatal("no imports found: this test would pass whatever the tree holds")
	}
	for _, a := range arrows {
		if why := arrowRefused(a); why != "" {
			t.Errorf("%s: import %q: %s", a.pos, a.to, why)
		}
	}
}

// A table that allows everything would pass the test above, so each rule is shown to refuse something.
func TestImportArrowsOutsideTheTableAreReported(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, file, imports string
		refused             bool
	}{
		{"a leaf may use the standard library", "internal/secret/secret.go", "crypto/subtle", false},
		{"a leaf may use x/crypto", "internal/secret/secret.go", "golang.org/x/crypto/argon2", false},
		{"a leaf never imports the root", "internal/secret/secret.go", arrowModule, true},
		{"a leaf never imports another leaf", "internal/page/page.go", arrowModule + "/internal/secret", true},
		{"a leaf takes no other module", "internal/page/page.go", "golang.org/x/net/html", true},
		{"a leaf's own folder is a leaf too", "internal/page/css/css.go", arrowModule, true},
		{"the root may use a leaf", "guard.go", arrowModule + "/internal/page", false},
		{"the root may use the WebSocket library", "websocket.go", "github.com/coder/websocket", false},
		{"the root never imports a backend", "guard.go", arrowModule + "/noauth", true},
		{"the root never imports the store", "guard.go", arrowModule + "/internal/store", true},
		{"the root doesn't depend on a router", "guard.go", "github.com/go-chi/chi/v5", true},
		{"a path that only begins like an allowed one is another module", "guard.go", "github.com/coder/websocketx", true},
		{"the store never imports the root", "internal/store/store.go", arrowModule, true},
		{"the store may use its own folders", "internal/store/store.go", arrowModule + "/internal/store/schema", false},
		{"the store may use sqlx", "internal/store/schema/schema.go", "github.com/jmoiron/sqlx", false},
		{"the session engine never imports the root", "internal/session/session.go", arrowModule, true},
		{"the session engine writes no SQL", "internal/session/session.go", "github.com/jmoiron/sqlx", true},
		{"the session engine stands on the store", "internal/session/session.go", arrowModule + "/internal/store", false},
		{"the store links no server's driver", "internal/store/postgres.go", "github.com/jackc/pgx/v5/stdlib", true},
		{"the library never opens a database by its URL", "userauth/userauth.go", arrowModule + "/internal/dburl", true},
		{"the store never imports the session engine", "internal/store/store.go", arrowModule + "/internal/session", true},
		{"noauth has no database", "noauth/noauth.go", arrowModule + "/internal/store", true},
		{"noauth may use the root", "noauth/noauth.go", arrowModule, false},
		{"tokenauth never imports another backend", "tokenauth/tokenauth.go", arrowModule + "/noauth", true},
		{"userauth never imports another backend", "userauth/userauth.go", arrowModule + "/oidcauth", true},
		{"userauth links no driver", "userauth/userauth.go", "github.com/jackc/pgx/v5/stdlib", true},
		{"userauth may use the session engine", "userauth/userauth.go", arrowModule + "/internal/session", false},
		{"oidcauth never imports userauth", "oidcauth/oidcauth.go", arrowModule + "/userauth", true},
		{"authtest may use the test provider", "authtest/authtest.go", arrowModule + "/internal/oidctest", false},
		{"authtest knows no backend", "authtest/authtest.go", arrowModule + "/tokenauth", true},
		{"an example may use anything", "examples/quickstart/main.go", "github.com/jackc/pgx/v5/stdlib", false},
		{"the admin command may use anything", "userauth/useradmin/main.go", "github.com/go-sql-driver/mysql", false},
		{"cgo is not the standard library", "internal/secret/secret.go", "C", true},
		{"a file for another system counts", "guard_windows.go", arrowModule + "/noauth", true},
		{"a folder that the table doesn't know is refused", "ldapauth/ldapauth.go", "fmt", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			name := filepath.Join(root, filepath.FromSlash(tc.file))
			if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
				t.Fatal(err)
			}
			source := fmt.Sprintf("package p\n\nimport %q\n", tc.imports)
			if err := os.WriteFile(name, []byte(source), 0o600); err != nil {
				t.Fatal(err)
			}
			arrows, err := arrowsIn(root)
			if err != nil {
				t.Fatal(err)
			}
			if len(arrows) != 1 {
				t.Fatalf("got %d imports %v, want 1", len(arrows), arrows)
			}
			if why := arrowRefused(arrows[0]); (why != "") != tc.refused {
				t.Errorf("%s imports %q: got refusal %q, want refused %v", tc.file, tc.imports, why, tc.refused)
			}
		})
	}
}

// A row with a misspelt word would refuse too much, and one that nothing can match would go unseen.
func TestImportArrowTableUsesKnownWords(t *testing.T) {
	t.Parallel()
	special := map[string]bool{"anything": true, "std": true, "root": true, "leaves": true}
	for row, words := range arrowTable {
		for _, word := range strings.Fields(words) {
			if _, ok := arrowTargets[word]; !ok && !special[word] {
				t.Errorf("row %q: unknown word %q", row, word)
			}
		}
	}
}
