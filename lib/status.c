/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "status.h"

#include "procfs.h"
#include "sys.h"

#define CORE_DUMPED 0x80
#define STOPPED 0x7f
#define CONTINUED 0xffff

int pt_status_of(const siginfo_t *siginfo)
{
	switch (siginfo->si_code) {
	case CLD_EXITED:
		return (siginfo->si_status & 0xff) << 8;
	case CLD_KILLED:
		return siginfo->si_status;
	case CLD_DUMPED:
		return siginfo->si_status | CORE_DUMPED;
	case CLD_CONTINUED:
		return CONTINUED;
	default: /* CLD_STOPPED, CLD_TRAPPED */
		return (siginfo->si_status & 0xff) << 8 | STOPPED;
	}
}

static int ask(int pidfd, int options, int *ret_status)
{
	siginfo_t siginfo;
	int r;

	r = sys_waitid(PT_P_PIDFD, pidfd, &siginfo, options | WNOHANG | __WALL);
	if (r < 0)
		return r;
	if (siginfo.si_pid == 0)
		return 0;
	*ret_status = pt_status_of(&siginfo);
	return 1;
}

int pt_status_peek(int pidfd, int *ret_status)
{
	return ask(pidfd, WEXITED | WNOWAIT, ret_status);
}

static bool is_waitable(int pidfd, int which)
{
	return sys_waitid(PT_P_PIDFD, pidfd, NULL,
			  WEXITED | WNOHANG | WNOWAIT | which) >= 0;
}

/*
 * With __WCLONE it finds children alone that end with another signal than
 * SIGCHLD, without it all but those, and whom we trace either way.
 */
static bool is_plainly_child(int pidfd)
{
	return !is_waitable(pidfd, __WCLONE) && is_waitable(pidfd, 0);
}

/* Its parent's number and ours are those of /proc, wherever that is from. */
static bool is_child_by_proc(int pidfd)
{
	struct pt_procfs_stat self, stat;
	pid_t pid;

	if (pt_procfs_fdinfo_pid(pidfd, &pid) < 0 || pid <= 0 ||
	    pt_procfs_stat(pid, &stat) < 0 || pt_procfs_stat(0, &self) < 0)
		return false;
	/* not reaped now, so the number was its own all the while */
	return stat.ppid == self.pid && !pt_status_reaped(pidfd);
}

bool pt_status_is_child(int pidfd)
{
	struct pt_pidfd_info told;
	int r;

	r = sys_pidfd_info(pidfd, PT_PIDFD_INFO_PID, &told);
	if (r == -ESRCH || r == -EREMOTE)
		return false; /* reaped; or it or its parent is outside */
	if (r >= 0)
		return told.ppid == (uint32_t)sys_getpid();
	return is_plainly_child(pidfd) || is_child_by_proc(pidfd);
}

int pt_status_stopped(int pidfd, int options, int *ret_status)
{
	return ask(pidfd, options, ret_status);
}

/*
 * While somebody is just reaping it, the kernel may have looked for the exit
 * info too early and for the pid too late, or we may have: asked again, it
 * tells.
 */
int pt_status_recover(int pidfd, int *ret_status)
{
	struct pt_pidfd_info told;

	for (int tries = 0; tries < 2; tries++) {
		int r = sys_pidfd_info(pidfd, PT_PIDFD_INFO_EXIT, &told);

		if (r < 0 && r != -ESRCH)
			return -ENODATA;
		if (r >= 0 && told.mask & PT_PIDFD_INFO_EXIT) {
			*ret_status = told.exit_code;
			return 1;
		}
		if (!pt_status_reaped(pidfd))
			return r < 0 ? -ENODATA : 0;
	}
	return -ENODATA;
}

bool pt_status_reaping_is_told(int pidfd)
{
	struct pt_pidfd_info told;

	return sys_pidfd_info(pidfd, PT_PIDFD_INFO_EXIT, &told) >= 0;
}

bool pt_status_reaped(int pidfd)
{
	struct pollfd hangup = { .fd = pidfd };

	/* POLLHUP since Linux 6.9, and from any pid namespace */
	if (sys_ppoll_now(&hangup) > 0 && hangup.revents & POLLHUP)
		return true;
	return sys_pidfd_send_signal(pidfd, 0) == -ESRCH;
}
