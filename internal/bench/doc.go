// Package bench measures what the library costs beside what people would use instead: a bare router, code written by
// hand, and other libraries. It is a module of its own, so that nothing here becomes a dependency of the library.
//
//	go test -run TestTable -v                   the table
//	go test -run TestTable -v -rounds 31 -slice 50ms
//	go test -run TestTable/session -v           a part of it
//	go test -run TestAllocs                     only the counts, which are the same on every machine
//	go test -run '^$' -bench Rows/guard -cpuprofile cpu.out
//
// What doesn't fit into a row has a test of its own, which runs small by default:
//
//	go test -run TestManySessions -v -sessions 1000000     memory, look-ups, a start and what expires; takes minutes
//	go test -run TestRevocation -v -revocations 50         how long another instance goes on, by engine; takes minutes
//	go test -run Logins -v                                 many logins at once, and what others notice of them
//
// What is measured over PostgreSQL and MySQL is skipped where there is no server, or fails if AUTH_TEST_REQUIRE names it.
//
// Counts fail a test: of allocations, statements, bytes, and of passwords hashed at once. Times don't: they depend on the
// machine and on what else runs there, so each is put in relation to another of the same run.
package bench
