/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "output.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "complain.h"

static int failed; /* the first error; what follows it is not written either */

void output_begin(void)
{
	(void)signal(SIGPIPE, SIG_IGN);
}

int output_flush(void)
{
	if (failed)
		return failed;

	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	/* a write that failed before this flush left no errno here */
	failed = errno ? -errno : -EIO;
	return failed;
}

int output_failed(int error)
{
	complain("cannot write the output: %s", strerror(-error));
	return EXIT_FAILED;
}

int output_finish(int code)
{
	int r = output_flush();

	return r < 0 && r != -EPIPE ? output_failed(r) : code;
}
