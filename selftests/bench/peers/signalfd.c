// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * A signalfd for SIGCHLD, and waitpid(-1) until there is none.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "peer.h"

static uint32_t whos[PID_MAX];
static int fd;

static int begin(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : 0;
}

static int launch(char *const *argv, uint32_t who)
{
	pid_t pid = peer_vfork(argv);

	if (pid < 0)
		return pid;
	whos[pid] = who;
	return 0;
}

static int turn(bool wait)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	struct signalfd_siginfo signals[8];
	int status;
	pid_t pid;

	if (poll(&pollfd, 1, wait ? -1 : 0) < 0)
		return -errno;
	if (read(fd, signals, sizeof(signals)) < 0 && errno != EAGAIN)
		return -errno;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		peer_ended(whos[pid], status);
	return pid < 0 && errno != ECHILD ? -errno : 0;
}

int main(int argc, char **argv)
{
	static const struct peer peer = {
		.begin = begin,
		.launch = launch,
		.turn = turn,
		.any_sigchld = true,
	};

	return peer_main(&peer, argc, argv);
}
