package password_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ostiary/auth/internal/password"
)

// The table that people choose from has the formats that there are, and no other.
func TestTheDocumentationListsEveryFormat(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/useradmin.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "| begins with |")
	table, _, _ = strings.Cut(table, "\n\n")
	var got []string
	for row := range strings.Lines(table) {
		if cells := strings.Split(row, "|"); len(cells) > 1 {
			for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[1], -1) {
				got = append(got, name[1])
			}
		}
	}
	want := password.Prefixes()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
