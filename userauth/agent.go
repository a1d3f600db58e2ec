package userauth

import "strings"

// browserName shortens what a browser calls itself to what its owner would: "Firefox on Linux". It is for display alone;
// anybody can claim to be any browser. What it doesn't know it shows as it is.
func browserName(agent string) string {
	// Most browsers name those that came before them as well: the first that fits is the one.
	browser := firstOf(agent, [][2]string{
		{"Edg/", "Edge"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"}, {"Chromium/", "Chromium"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"},
	})
	system := firstOf(agent, [][2]string{
		{"Android", "Android"}, {"iPhone", "iPhone"}, {"iPad", "iPad"}, {"CrOS", "ChromeOS"}, {"Windows", "Windows"}, {"Mac OS X", "macOS"}, {"Linux", "Linux"},
	})
	switch {
	case agent == "":
		return "unknown"
	case browser == "":
		return agent
	case system == "":
		return browser
	}
	return browser + " on " + system
}

func firstOf(text string, marks [][2]string) string {
	for _, m := range marks {
		if strings.Contains(text, m[0]) {
			return m[1]
		}
	}
	return ""
}
