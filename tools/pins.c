/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "pins.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "complain.h"
#include "owned.h"
#include "record.h"

#define MARKER ".pidtrack-pins"

#define BUSY_TRIES 100
#define BUSY_MS 10

bool pins_are_in(const char *path)
{
	CLEANUP(freep) char *marker = record_path(path, MARKER);

	return marker && access(marker, F_OK) == 0;
}

static int not_opened(const char *path, int error)
{
	switch (error) {
	case -EBUSY:
		complain("'%s' is in use by a host that lives; only one at a "
			 "time has a directory of pins",
			 path);
		break;
	case -ENOTEMPTY:
		complain("'%s' has something else in it; pins want a directory "
			 "of their own",
			 path);
		break;
	case -EPERM:
		complain("'%s' cannot have pins: that wants CAP_SYS_ADMIN, and "
			 "a directory that nobody else may write to; a record "
			 "does without",
			 path);
		break;
	case -EREMOTE:
		complain("the pins in '%s' are in another mount namespace; see "
			 "'nsenter -m -t PID' with the PID of their host",
			 path);
		break;
	case -EOPNOTSUPP:
		complain("'%s' cannot have pins: Linux 6.14 has them, and no "
			 "sandbox may refuse mounts; a record does without",
			 path);
		break;
	case -ENOTDIR:
	case -ELOOP:
		complain("'%s' is no directory; name it itself, not a link to "
			 "it",
			 path);
		break;
	case -ENOENT:
		complain("'%s' cannot be made; make the directory that it is "
			 "in first",
			 path);
		break;
	default:
		complain("cannot have pins in '%s': %s", path,
			 strerror(-error));
	}
	return EXIT_FAILED;
}

int pins_open(const char *path, struct pidtrack **ret_tracker)
{
	struct pidtrack_options options = PIDTRACK_OPTIONS(.pins = path);
	int r = -EBUSY;

	for (int i = 0; r == -EBUSY && i < BUSY_TRIES; i++) {
		if (i > 0)
			poll(NULL, 0, BUSY_MS);
		r = pidtrack_new(&options, ret_tracker);
	}
	return r < 0 ? not_opened(path, r) : 0;
}
