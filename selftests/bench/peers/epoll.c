// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * A pidfd each, epoll, and waitid(P_PIDFD).
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "peer.h"

static int fds[SLOTS];
static int epoll;

static int begin(void)
{
	epoll = epoll_create1(EPOLL_CLOEXEC);
	return epoll < 0 ? -errno : 0;
}

static int launch(char *const *argv, uint32_t who)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = who };
	pid_t pid = peer_vfork(argv);

	if (pid < 0)
		return pid;
	fds[who] = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fds[who] < 0 ||
	    epoll_ctl(epoll, EPOLL_CTL_ADD, fds[who], &event) < 0)
		return -errno;
	return 0;
}

static int tell(uint32_t who)
{
	siginfo_t ended = { 0 };

	if (waitid(P_PIDFD, (id_t)fds[who], &ended, WEXITED | WNOHANG) < 0)
		return -errno;
	if (!ended.si_pid)
		return 0;
	peer_ended(who, peer_status(ended.si_code, ended.si_status));
	epoll_ctl(epoll, EPOLL_CTL_DEL, fds[who], NULL);
	close(fds[who]);
	return 0;
}

static int turn(bool wait)
{
	struct epoll_event events[64];
	int n = epoll_wait(epoll, events, 64, wait ? -1 : 0), r = 0;

	if (n < 0)
		return -errno;
	for (int i = 0; i < n && r >= 0; i++)
		r = tell(events[i].data.u32);
	return r;
}

int main(int argc, char **argv)
{
	static const struct peer peer = {
		.begin = begin,
		.launch = launch,
		.turn = turn,
	};

	return peer_main(&peer, argc, argv);
}
