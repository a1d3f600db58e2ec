package authtest

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
)

// placeholder stands for a path parameter. No application has a route of that name.
const placeholder = "authtest-audit"

// splitPattern splits a pattern of a ServeMux into its method, which may be missing, and the rest.
func splitPattern(s string) (method, pattern string) {
	if i := strings.IndexAny(s, " \t"); i >= 0 {
		return s[:i], strings.TrimLeft(s[i:], " \t")
	}
	return "", s
}

// fillMux makes a host and a path that a pattern of a ServeMux takes.
func fillMux(pattern string) (host, path string) {
	i := strings.IndexByte(pattern, '/')
	host, pattern = pattern[:i], pattern[i:]
	elements := strings.Split(pattern, "/")
	for i, element := range elements {
		switch {
		case element == "{$}", i == 0:
			elements[i] = ""
		case strings.HasPrefix(element, "{"):
			elements[i] = placeholder
		case element == "" && i == len(elements)-1: // it ends in a slash, and takes all that begins with it
			elements[i] = placeholder
		}
	}
	return host, strings.Join(elements, "/")
}

// fillChi makes a path that a pattern of chi takes: "/a/{name}/{id:[0-9]+}/*".
func fillChi(pattern string) (string, error) {
	var path strings.Builder
	for pattern != "" {
		i := strings.IndexAny(pattern, "{*")
		if i < 0 {
			path.WriteString(pattern)
			break
		}
		path.WriteString(pattern[:i])
		if pattern[i] == '*' {
			path.WriteString(placeholder)
			pattern = pattern[i+1:]
			continue
		}
		end := closingBrace(pattern[i:])
		if end < 0 {
			return "", fmt.Errorf("no closing brace in %q", pattern)
		}
		value, err := fillParam(pattern[i+1 : i+end])
		if err != nil {
			return "", err
		}
		path.WriteString(value)
		pattern = pattern[i+end+1:]
	}
	return path.String(), nil
}

// closingBrace is the index of the brace that closes the one that s begins with: a regular expression may hold others.
func closingBrace(s string) int {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// fillParam makes a value for "name" or "name:regexp".
func fillParam(param string) (string, error) {
	_, expr, constrained := strings.Cut(param, ":")
	if !constrained {
		return placeholder, nil
	}
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return "", fmt.Errorf("parameter %q: %w", param, err)
	}
	value := example(re)
	if ok, err := regexp.MatchString("^(?:"+expr+")$", value); err != nil || !ok || value == "" {
		return "", fmt.Errorf("parameter %q: no value found that fits", param)
	}
	return value, nil
}

// example makes a short text that re matches, for all that is usual in routes.
func example(re *syntax.Regexp) string {
	switch re.Op {
	case syntax.OpLiteral:
		return string(re.Rune)
	case syntax.OpCharClass:
		if len(re.Rune) > 0 {
			return string(re.Rune[0])
		}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return "a"
	case syntax.OpStar, syntax.OpPlus, syntax.OpCapture:
		return example(re.Sub[0])
	case syntax.OpRepeat:
		return strings.Repeat(example(re.Sub[0]), max(1, re.Min))
	case syntax.OpConcat:
		var text strings.Builder
		for _, sub := range re.Sub {
			text.WriteString(example(sub))
		}
		return text.String()
	case syntax.OpAlternate:
		return example(re.Sub[0])
	}
	return ""
}
