package main

// The program, and how it asks at a terminal.
type Ask = ask

var (
	Main = main
	Run  = run
)
