/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * In a build with -Db_coverage=true: what a process has counted is written also
 * when it ends by _exit(2), as most that tests fork do.
 */
void __gcov_dump(void);
void __attribute__((noreturn)) __real__exit(int status);
void __attribute__((noreturn)) __wrap__exit(int status);

void __wrap__exit(int status)
{
	__gcov_dump();
	__real__exit(status);
}
