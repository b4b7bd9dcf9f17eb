// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * What benchmarks launch.
 *
 *	bench-exit		stays, until it is killed
 *	bench-exit CODE		exits at once
 *	bench-exit SLOT FILE	stays, until its slot says so or its parent ends
 */
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "slots.h"

static void __attribute__((noreturn)) stay(uint32_t who, const char *file)
{
	int fd = open(file, O_RDWR | O_CLOEXEC);
	struct timespec now;
	struct slot *slot;

	slot = mmap(NULL, SLOTS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    0);
	if (fd < 0 || slot == MAP_FAILED || who >= SLOTS)
		_exit(255);
	slot += who;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(1800); /* nobody's parent may be gone before that was said */
	clock_gettime(CLOCK_MONOTONIC, &now); /* now it knows the way */
	__atomic_store_n(&slot->pid, (uint32_t)getpid(), __ATOMIC_RELEASE);
	while (!__atomic_load_n(&slot->go, __ATOMIC_ACQUIRE))
		syscall(SYS_futex, &slot->go, FUTEX_WAIT, 0, NULL, NULL, 0);
	clock_gettime(CLOCK_MONOTONIC, &now);
	slot->ended_ns =
		(uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	_exit(code_of(who));
}

int main(int argc, char **argv)
{
	if (argc == 1)
		for (;;)
			pause();
	if (argc == 3)
		stay((uint32_t)atoi(argv[1]), argv[2]);
	_exit(atoi(argv[1]));
}
