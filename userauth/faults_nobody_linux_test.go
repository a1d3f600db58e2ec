package userauth_test

import (
	"os/exec"
	"syscall"
)

func faultBecomeNobody(cmd *exec.Cmd) bool {
	const nobody = 65534
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	return true
}
