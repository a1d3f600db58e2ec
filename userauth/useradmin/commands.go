package main

import (
	"context"
	"strings"
)

// A command is one of the program's words.
type command struct {
	name     string // two words for some
	operands string // as the help shows them
	summary  string
	help     string
	least    int // number of operands
	most     int // -1: any
	flags    []string
	act      func(context.Context, *call) error
}

// commands is a function, since help, which is reached from here, lists them.
func commands() []command {
	return []command{
		{"add", "NAME", "make a user", helpAdd, 1, 1, []string{"role", "permissions", "password-stdin", "no-password"}, add},
		{"delete", "NAME", "remove a user and everything of theirs", helpDelete, 1, 1, nil, remove},
		{"list", "", "list all users", helpList, 0, 0, []string{"search", "json"}, list},
		{"import", "", "make users from JSON lines, with their hashes", helpImport, 0, 0, []string{"file", "dry-run", "skip-existing"}, importUsers},
		{"set-password", "NAME", "give a user another password", helpSetPassword, 1, 1, []string{"password-stdin"}, setPassword},
		{"verify-password", "NAME", "tell whether a password is the user's", helpVerifyPassword, 1, 1, []string{"password-stdin"}, verifyPassword},
		{"hash", "", "print the hash of a password", helpHash, 0, 0, []string{"password-stdin"}, hash},
		{"disable", "NAME", "keep a user out", helpDisable, 1, 1, nil, disable},
		{"enable", "NAME", "let a disabled user in again", helpEnable, 1, 1, nil, enable},
		{"grant", "NAME [PERMISSIONS]...", "give permissions or roles", helpGrant, 1, -1, []string{"role"}, grant},
		{"revoke", "NAME [PERMISSIONS]...", "take permissions or roles", helpRevoke, 1, -1, []string{"role"}, revoke},
		{"role set", "NAME PERMISSIONS...", "make a role, or change one", helpRoleSet, 2, -1, []string{"description"}, roleSet},
		{"role list", "", "list all roles", helpRoleList, 0, 0, []string{"json"}, roleList},
		{"role delete", "NAME", "remove a role, from its holders too", helpRoleDelete, 1, 1, nil, roleDelete},
		{"sessions", "NAME", "list a user's logins", helpSessions, 1, 1, []string{"json"}, sessions},
		{"logout", "NAME", "end all of a user's sessions", helpLogout, 1, 1, nil, logout},
		{"invite", "", "print a link to register with, once", helpInvite, 0, 0, []string{"role", "note", "expires", "url"}, invite},
		{"invite list", "", "list the invitations not used yet", helpInviteList, 0, 0, []string{"json"}, inviteList},
		{"invite delete", "ID", "withdraw an invitation", helpInviteDelete, 1, 1, nil, inviteDelete},
		{"token add", "NAME", "make an API token, and print it once", helpTokenAdd, 1, 1, []string{"name", "permissions", "expires", "json"}, tokenAdd},
		{"token list", "NAME", "list a user's API tokens", helpTokenList, 1, 1, []string{"json"}, tokenList},
		{"token delete", "NAME ID", "revoke an API token", helpTokenDelete, 2, 2, nil, tokenDelete},
		{"copy", "", "copy everything to an empty database", helpCopy, 0, 0, []string{"from", "to"}, copyAll},
		{"migrate", "", "make or update the database's tables", helpMigrate, 0, 0, []string{"dry-run", "json"}, migrate},
	}
}

// line is how the command is written, less its flags.
func (cmd *command) line() string { return strings.TrimSpace(cmd.name + " " + cmd.operands) }

// find gives the command that args begin with, and what follows it.
func find(args []string) (cmd *command, rest []string) {
	for n := min(2, len(args)); n > 0; n-- { // "invite list" is no invite of "list"
		for _, cmd := range commands() {
			if strings.Join(args[:n], " ") == cmd.name {
				return &cmd, args[n:]
			}
		}
	}
	return nil, nil
}
