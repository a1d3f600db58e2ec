package main

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

var errAge = errors.New("want a time as 7d or 12h")

// parseAge takes days beside what [time.ParseDuration] does.
func parseAge(s string) (age time.Duration, err error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil || n == 0 {
			return 0, errAge
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	if age, err = time.ParseDuration(s); err != nil || age <= 0 {
		return 0, errAge
	}
	return age, nil
}
