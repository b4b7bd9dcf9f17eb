/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Tracking what others wrote: a directory of the test's own, the programs of
 * this machine, and what events have told of each process so far.  On
 * pidtrack.h alone.
 *
 *	real_begin(_metadata, &real);		in a directory of its own
 *	real_spawn(_metadata, &real, &options, &vm);
 *	real_attach(_metadata, &real, pid, &guest);
 *	ASSERT_LAST(&real, &vm, PIDTRACK_SOURCE_WAITED, CODE(42));
 *	real_end(&real);
 *
 * Events of several processes come in any order; those of one do not, and that
 * is looked at with each.
 */
#ifndef REAL_H
#define REAL_H

#include <ftw.h>
#include <limits.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "tracked.h"

/* Statuses as of wait(2). */
#define CODE(code) ((code) << 8)
#define SIGNALLED(signal) (signal)

/* ---- what there is ---- */

/* Where @name is, by PATH and where it mostly is. */
static inline bool program_find(const char *name, char *ret_path, size_t size)
{
	const char *path = getenv("PATH");
	char all[4096], *dir, *rest = all;

	snprintf(all, sizeof(all), "%s:/usr/sbin:/usr/bin:/sbin:/bin",
		 path ? path : "");
	while ((dir = strsep(&rest, ":"))) {
		int n = snprintf(ret_path, size, "%s/%s", dir, name);

		if (dir[0] == '/' && n > 0 && (size_t)n < size &&
		    !access(ret_path, X_OK))
			return true;
	}
	return false;
}

/* In a child that then ends: what unshare(2) and a mount of cgroup2 say. */
static inline int sandbox_try(int flags, bool cgroup2)
{
	if (unshare(flags))
		return errno;
	if (!cgroup2)
		return 0;
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL))
		return errno;
	return 0;
}

/* 0 if these namespaces are to be had here, or an errno. */
static inline int namespaces_work(int flags, bool cgroup2)
{
	int status = 0;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (!pid)
		_exit(sandbox_try(flags, cgroup2));
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EPERM;
}

/* ---- a test's own ---- */

struct real {
	struct pidtrack *tracker;
	char dir[PATH_MAX]; /* the working directory, while the test runs */
	int fds[32];	    /* closed in the end */
	unsigned int n_fds;
	pid_t pids[64]; /* of all that were ever tracked */
	unsigned int n_pids;
};

static inline void real_begin(struct __test_metadata *_metadata,
			      struct real *real)
{
	const char *tmp = getenv("TMPDIR");

	real->n_fds = 0;
	real->n_pids = 0;
	real->tracker = tracker_start(_metadata, 0);
	snprintf(real->dir, sizeof(real->dir), "%s/pidtrack-real-XXXXXX",
		 tmp && tmp[0] == '/' ? tmp : "/tmp");
	ASSERT_TRUE(mkdtemp(real->dir) != NULL);
	ASSERT_EQ(0, chdir(real->dir));
}

static inline int real_remove(const char *path, const struct stat *stat,
			      int type, struct FTW *ftw)
{
	(void)stat;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void real_end(struct real *real)
{
	unsigned int i;

	real->tracker = pidtrack_free(real->tracker);
	for (i = 0; i < real->n_fds; i++)
		if (real->fds[i] >= 0)
			close(real->fds[i]);
	if (!chdir("/"))
		nftw(real->dir, real_remove, 16,
		     FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* ---- descriptors ---- */

static inline int real_keep(struct __test_metadata *_metadata,
			    struct real *real, int fd)
{
	ASSERT_GE(fd, 0);
	ASSERT_LT(real->n_fds, ARRAY_SIZE(real->fds));
	real->fds[real->n_fds++] = fd;
	return fd;
}

static inline void real_close(struct real *real, int fd)
{
	unsigned int i;

	for (i = 0; i < real->n_fds; i++)
		if (real->fds[i] == fd)
			real->fds[i] = -1;
	close(fd);
}

/* A pipe between the test and a shim: what one writes the other reads. */
struct real_pipe {
	int read;
	int write;
};

static inline struct real_pipe real_pipe(struct __test_metadata *_metadata,
					 struct real *real)
{
	int fds[2];

	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	return (struct real_pipe){
		.read = real_keep(_metadata, real, fds[0]),
		.write = real_keep(_metadata, real, fds[1]),
	};
}

/* A line, without its end, or what there is when the other side closes. */
static inline const char *real_line(struct __test_metadata *_metadata, int fd,
				    char *ret_line, size_t size)
{
	size_t n = 0;

	while (n < size - 1) {
		ssize_t r;

		ASSERT_NE(0, await_fd(fd, POLLIN, awhile_ms()));
		r = read(fd, &ret_line[n], 1);
		ASSERT_GE(r, 0);
		if (!r || ret_line[n] == '\n')
			break;
		n++;
	}
	ret_line[n] = '\0';
	return ret_line;
}

#define ASSERT_LINE(expected, fd)                                             \
	do {                                                                  \
		char line_[256];                                              \
                                                                              \
		ASSERT_STREQ(expected,                                        \
			     real_line(_metadata, fd, line_, sizeof(line_))); \
	} while (0)

static inline void real_write(struct __test_metadata *_metadata, int fd,
			      const char *text)
{
	ASSERT_EQ((ssize_t)strlen(text), write(fd, text, strlen(text)));
}

/* ---- files ---- */

/* The whole of a small file, without a last newline; "" if there is none. */
static inline const char *file_text(const char *path, char *ret_text,
				    size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, ret_text, size - 1);

	if (fd >= 0)
		close(fd);
	if (n > 0 && ret_text[n - 1] == '\n')
		n--;
	ret_text[n > 0 ? n : 0] = '\0';
	return ret_text;
}

static inline pid_t file_pid(struct __test_metadata *_metadata,
			     const char *path)
{
	char text[64];
	int pid = atoi(file_text(path, text, sizeof(text)));

	ASSERT_GT(pid, 1);
	return pid;
}

/* The one child that process has. */
static inline pid_t child_of(struct __test_metadata *_metadata, pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	return file_pid(_metadata, path);
}

/* Spins until that process sleeps, or has ended. */
static inline void pid_await_asleep(pid_t pid)
{
	char path[64], stat[512], *end;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	for (;;) {
		end = strrchr(file_text(path, stat, sizeof(stat)), ')');
		if (!end || strchr("SZX", end[2]))
			return;
		sched_yield();
	}
}

/* ---- processes ---- */

/* What events have told of one so far. */
struct watched {
	struct pidtrack_process *process;
	unsigned int exited, reaped, stopped, continued;
	bool last;
	uint32_t source;
	int status;
};

static inline void real_watch(struct __test_metadata *_metadata,
			      struct real *real,
			      struct pidtrack_process *process,
			      struct watched *ret_watched)
{
	memset(ret_watched, 0, sizeof(*ret_watched));
	ret_watched->process = process;
	ret_watched->status = -1;
	pidtrack_process_set_userdata(process, ret_watched);
	ASSERT_LT(real->n_pids, ARRAY_SIZE(real->pids));
	real->pids[real->n_pids++] = pidtrack_process_pid(process);
}

static inline void real_spawn(struct __test_metadata *_metadata,
			      struct real *real,
			      const struct pidtrack_spawn_options *options,
			      struct watched *ret_watched)
{
	struct pidtrack_process *process = NULL;
	uint32_t stage = PIDTRACK_STAGE_NONE;
	int r = pidtrack_spawn(real->tracker, options, &process, &stage);

	if (r < 0)
		TH_LOG("%s: %s: %s", options->argv[0],
		       pidtrack_stage_name(stage), strerror(-r));
	ASSERT_EQ(0, r);
	real_watch(_metadata, real, process, ret_watched);
}

static inline void real_attach(struct __test_metadata *_metadata,
			       struct real *real, pid_t pid,
			       struct watched *ret_watched)
{
	struct pidtrack_process *process = NULL;

	ASSERT_EQ(0, pidtrack_attach(real->tracker, pid, 0, 0, &process));
	real_watch(_metadata, real, process, ret_watched);
}

static inline void orphan_reap(pid_t pid, void *arg)
{
	const struct real *real = arg;
	unsigned int i;

	for (i = 0; i < real->n_pids; i++)
		if (pid == real->pids[i])
			return;
	waitpid(pid, NULL, 0);
}

/*
 * Reaps what a shim left to us, its subreaper, and was never tracked: it ends
 * soon, if it has not.  Nobody else would, and the tracker must not.
 */
static inline void real_reap_orphans(struct __test_metadata *_metadata,
				     struct real *real)
{
	ASSERT_GE(harness_children(orphan_reap, real), 0);
}

/* Still running, by the tracker's word and the kernel's. */
static inline bool watched_runs(const struct watched *watched)
{
	return pidtrack_process_state(watched->process) ==
		       PIDTRACK_STATE_RUNNING &&
	       !pidfd_has_ended(pidtrack_process_pidfd(watched->process));
}

static inline void watched_note(struct __test_metadata *_metadata,
				struct watched *watched,
				const struct pidtrack_event *event)
{
	EXPECT_FALSE(watched->last);
	watched->exited += event->kind == PIDTRACK_EXITED;
	watched->reaped += event->kind == PIDTRACK_REAPED;
	watched->stopped += event->kind == PIDTRACK_STOPPED;
	watched->continued += event->kind == PIDTRACK_CONTINUED;

	if (event->kind == PIDTRACK_REAPED || watched->exited)
		EXPECT_EQ(1, watched->exited);
	if (event->kind == PIDTRACK_REAPED)
		EXPECT_TRUE(event->flags & PIDTRACK_EVENT_LAST);
	watched->last = event->flags & PIDTRACK_EVENT_LAST;
	watched->source = event->source;
	watched->status = event->status;
}

/* Takes one event, of any process. */
static inline void real_next(struct __test_metadata *_metadata,
			     struct real *real)
{
	const struct pidtrack_event *event = NULL;
	struct watched *watched;

	ASSERT_EQ(1, pidtrack_wait(real->tracker, awhile_ms(), &event));
	watched = pidtrack_process_userdata(event->process);
	ASSERT_TRUE(watched != NULL);
	ASSERT_EQ(watched->process, event->process);
	watched_note(_metadata, watched, event);
}

/* Until all has been told of it. */
static inline void real_await_last(struct __test_metadata *_metadata,
				   struct real *real,
				   const struct watched *watched)
{
	while (!watched->last)
		real_next(_metadata, real);
	EXPECT_EQ(1, watched->exited);
}

/*
 * That it ended so, and that whoever asks again is told the same.  Where nobody
 * can tell, that is said.
 */
#define ASSERT_LAST(real, watched_, source_, status_)                     \
	do {                                                              \
		uint32_t said_by_ = (source_);                            \
		int again_ = -2;                                          \
                                                                          \
		real_await_last(_metadata, real, watched_);               \
		if (said_by_ == PIDTRACK_SOURCE_WAITED)                   \
			EXPECT_EQ(0, (watched_)->reaped);                 \
		EXPECT_STREQ(pidtrack_source_name(said_by_),              \
			     pidtrack_source_name((watched_)->source));   \
		EXPECT_EQ(said_by_ ? (status_) : -1, (watched_)->status); \
		EXPECT_EQ(said_by_ ? (int)said_by_ : -ENODATA,            \
			  pidtrack_process_status((watched_)->process,    \
						  &again_));              \
		EXPECT_EQ(said_by_ ? (status_) : -2, again_);             \
	} while (0)

/* The same of a child of ours, by birth or by adoption. */
#define ASSERT_ENDED(real, watched, status) \
	ASSERT_LAST(real, watched, PIDTRACK_SOURCE_WAITED, status)

/* The same of one that its own parent reaped. */
#define ASSERT_ENDED_ELSEWHERE(real, watched, status) \
	ASSERT_LAST(real, watched, source_without_wait(), status)

#endif
