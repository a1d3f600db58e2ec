package oidcauth_test

import (
	"os"
	"testing"

	"github.com/ostiary/auth/internal/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }
