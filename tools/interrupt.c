/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "interrupt.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "owned.h"

static int wakes = -1; /* an eventfd */
static volatile sig_atomic_t taken;

static void take(int number)
{
	const uint64_t one = 1;
	int before = errno;

	if (!taken)
		taken = number;
	if (write(wakes, &one, sizeof(one)) < 0)
		taken = number; /* it is readable already */
	errno = before;
}

int interrupt_open(void)
{
	static const int ends[] = { SIGHUP, SIGINT, SIGTERM };
	/* no SA_RESTART: a write that nobody reads is interrupted, too */
	const struct sigaction action = {
		.sa_handler = take,
		.sa_flags = SA_RESETHAND,
	};

	wakes = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (wakes < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		struct sigaction before;

		if (sigaction(ends[i], NULL, &before) == 0 &&
		    before.sa_handler != SIG_IGN)
			(void)sigaction(ends[i], &action, NULL);
	}
	return wakes;
}

int interrupt_taken(void)
{
	return taken;
}

int interrupt_end(void)
{
	int number = taken;

	(void)signal(number, SIG_DFL);
	(void)raise(number);
	return 128 + number; /* it is blocked */
}
