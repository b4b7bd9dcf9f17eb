/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Launching the stand-in shim (shim.c) from a test, by the public interface,
 * and what it then says; and looking at processes, descriptors and files.
 *
 *	EXPECT_STREQ("0027\n", shim_said(_metadata, &options));
 *
 * or, with a shim that lives until told:
 *
 *	struct launch launch = LAUNCH_NULL;
 *
 *	launch_open(_metadata, &launch);
 *	ASSERT_EQ(0, launch_spawn(_metadata, &launch, &options));
 *	EXPECT_EQ(0, launch_wait(_metadata, &launch));	ends its input
 *	launch_close(&launch);
 */
#ifndef LAUNCH_H
#define LAUNCH_H

#include <inttypes.h>

#include "children.h"
#include "files.h"
#include "harness.h"
#include "pidtrack.h"

#define NOBODY 65534

/* Arguments of the stand-in shim. */
#define SHIM(...)                                        \
	(const char *const[])                            \
	{                                                \
		shim_path(), ##__VA_ARGS__, (char *)NULL \
	}

/* ---- a launch ---- */

struct launch {
	struct pidtrack *tracker;
	struct pidtrack_process *process;
	int in;	 /* its standard input; "wait" waits for this to be closed */
	int out; /* its standard output */
	uint32_t stage;
};

#define LAUNCH_NULL                 \
	{                           \
		.in = -1, .out = -1 \
	}

/* A number that no stage has, to see that nobody wrote it. */
#define STAGE_UNTOUCHED 9999

/* Ends the test where the environment demands a ring and none is any good. */
static inline void ring_or_skip(struct __test_metadata *_metadata)
{
	const char *backend = getenv("PIDTRACK_BACKEND");

	if (backend && !strcmp(backend, "uring") &&
	    pidtrack_feature_probe(PIDTRACK_FEATURE_RING_WAITID)) {
		SKIP(, "no ring that waits: Linux < 6.7, refused, or its "
		       "eventfd does not tell each time");
		_metadata->completed = true;
		_exit(0);
	}
}

/* A tracker, or the test ends here. */
static inline void launch_open(struct __test_metadata *_metadata,
			       struct launch *launch)
{
	int r = pidtrack_new(NULL, &launch->tracker);

	if (r < 0)
		ring_or_skip(_metadata);
	ASSERT_EQ(0, r);
}

static inline bool fds_have(const struct pidtrack_spawn_options *options,
			    int child_fd)
{
	uint32_t i;

	for (i = 0; i < options->n_fds; i++)
		if (options->fds[i].child_fd == child_fd)
			return true;
	return false;
}

/*
 * Launches with standard input and output from and to the test, unless
 * options->fds has them.  On failure launch->stage says where, and launch->out
 * is at its end unless something runs that should not.
 */
static inline int launch_spawn(struct __test_metadata *_metadata,
			       struct launch *launch,
			       const struct pidtrack_spawn_options *options)
{
	struct pidtrack_spawn_options copy = *options;
	struct pidtrack_fd_map fds[128];
	int in[2], out[2], r;

	ASSERT_LE(options->n_fds, 126);
	ASSERT_EQ(0, pipe2(in, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(out, O_CLOEXEC));
	if (options->n_fds)
		memcpy(fds, options->fds, options->n_fds * sizeof(fds[0]));
	copy.fds = fds;
	if (!fds_have(options, 0))
		fds[copy.n_fds++] = (struct pidtrack_fd_map){ 0, in[0] };
	if (!fds_have(options, 1))
		fds[copy.n_fds++] = (struct pidtrack_fd_map){ 1, out[1] };

	launch->stage = STAGE_UNTOUCHED;
	launch->process = NULL;
	r = pidtrack_spawn(launch->tracker, &copy, &launch->process,
			   &launch->stage);
	harness_told(r, 0, "the launch");
	close(in[0]);
	close(out[1]);
	launch->in = in[1];
	launch->out = out[0];
	if (r) {
		EXPECT_LT(r, 0);
		EXPECT_NULL(launch->process);
		EXPECT_NE(STAGE_UNTOUCHED, launch->stage);
	} else {
		EXPECT_TRUE(launch->process != NULL);
		EXPECT_EQ(STAGE_UNTOUCHED, launch->stage);
	}
	return r;
}

/* All it says until it has ended; lent until the next call. */
static inline const char *launch_said(struct __test_metadata *_metadata,
				      struct launch *launch)
{
	return fd_text(_metadata, launch->out, false);
}

static inline const char *launch_line(struct __test_metadata *_metadata,
				      struct launch *launch)
{
	return fd_text(_metadata, launch->out, true);
}

/* Ends its input and waits for its end: its status as of wait(2). */
static inline int launch_wait(struct __test_metadata *_metadata,
			      struct launch *launch)
{
	const struct pidtrack_event *event = NULL;

	if (launch->in >= 0)
		close(launch->in);
	launch->in = -1;
	do
		ASSERT_EQ(1, pidtrack_wait(launch->tracker, -1, &event));
	while (!(event->flags & PIDTRACK_EVENT_LAST));
	EXPECT_TRUE(event->process == launch->process);
	EXPECT_EQ(PIDTRACK_EXITED, event->kind);
	EXPECT_EQ(PIDTRACK_SOURCE_WAITED, event->source);
	return event->status;
}

/* Its descriptors, for another launch by the same tracker. */
static inline void launch_reset(struct launch *launch)
{
	if (launch->in >= 0)
		close(launch->in);
	if (launch->out >= 0)
		close(launch->out);
	launch->in = launch->out = -1;
	launch->process = pidtrack_process_free(launch->process);
}

static inline void launch_close(struct launch *launch)
{
	launch_reset(launch);
	launch->tracker = pidtrack_free(launch->tracker);
}

/* Launches, and what it said when it has exited with 0. */
static inline const char *
shim_said(struct __test_metadata *_metadata,
	  const struct pidtrack_spawn_options *options)
{
	struct launch launch = LAUNCH_NULL;
	const char *said;
	int r;

	launch_open(_metadata, &launch);
	r = launch_spawn(_metadata, &launch, options);
	ASSERT_EQ(0, r)
	{
		TH_LOG("at stage %s", pidtrack_stage_name(launch.stage));
	}
	said = launch_said(_metadata, &launch);
	EXPECT_EQ(0, launch_wait(_metadata, &launch));
	launch_close(&launch);
	return said;
}

/*
 * Launches what must fail so, and looks whether anything of it is left: a
 * process, a descriptor, a byte it said.
 */
static inline void launch_fails(struct __test_metadata *_metadata,
				struct launch *launch,
				const struct pidtrack_spawn_options *options,
				int r, uint32_t stage)
{
	struct pidtrack_statistics statistics;
	int fds = fds_count(), seen;

	seen = launch_spawn(_metadata, launch, options);
	EXPECT_EQ(r, seen)
	{
		TH_LOG("at stage %s", pidtrack_stage_name(launch->stage));
	}
	EXPECT_STREQ(pidtrack_stage_name(stage),
		     pidtrack_stage_name(launch->stage));
	if (!seen)
		launch_wait(_metadata, launch);
	else
		EXPECT_STREQ("", launch_said(_metadata, launch));
	launch_reset(launch);
	EXPECT_EQ(fds, fds_count());
	EXPECT_EQ(0, child_is_any());
	ASSERT_EQ(0, pidtrack_statistics(launch->tracker, &statistics,
					 sizeof(statistics)));
	EXPECT_EQ(0, statistics.tracked);
}

/* The same with a tracker of its own. */
static inline void spawn_fails(struct __test_metadata *_metadata,
			       const struct pidtrack_spawn_options *options,
			       int r, uint32_t stage)
{
	struct launch launch = LAUNCH_NULL;

	launch_open(_metadata, &launch);
	launch_fails(_metadata, &launch, options, r, stage);
	launch_close(&launch);
}

/* A copy of the stand-in shim that everybody may run. */
static inline struct path shim_copy(struct __test_metadata *_metadata,
				    const struct directory *directory)
{
	struct path path = path_in(directory, "shim");
	int from = open(shim_path(), O_RDONLY | O_CLOEXEC);
	int to = open(path.text, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	char bytes[65536];
	ssize_t n;

	ASSERT_GE(from, 0);
	ASSERT_GE(to, 0);
	while ((n = read(from, bytes, sizeof(bytes))) > 0)
		ASSERT_EQ(n, write(to, bytes, n));
	ASSERT_EQ(0, n);
	ASSERT_EQ(0, fchmod(to, 0755));
	close(from);
	close(to);
	return path;
}

/* ---- processes and descriptors ---- */

/* Field 22 of its stat. */
static inline uint64_t proc_start(struct __test_metadata *_metadata, pid_t pid)
{
	uint64_t start = 0;
	char path[64];
	const char *text;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	text = file_read(_metadata, path);
	ASSERT_TRUE(text != NULL);
	text = strrchr(text, ')');
	ASSERT_TRUE(text != NULL);
	ASSERT_EQ(1, sscanf(text + 1,
			    " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u"
			    " %*u %*d %*d %*d %*d %*d %*d %" SCNu64,
			    &start));
	return start;
}

/* What follows @field of its status, up to the end of the line; lent. */
static inline const char *proc_status(struct __test_metadata *_metadata,
				      pid_t pid, const char *field)
{
	static char value[256];
	char path[64], line[64];
	const char *text;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	text = file_read(_metadata, path);
	ASSERT_TRUE(text != NULL);
	snprintf(line, sizeof(line), "\n%s:", field);
	text = strstr(text, line);
	ASSERT_TRUE(text != NULL);
	text += strlen(line);
	text += strspn(text, " \t");
	snprintf(value, sizeof(value), "%.*s", (int)strcspn(text, "\n"), text);
	return value;
}

/* Every descriptor of this process, its flags, and what it is; to be freed. */
static inline char *fds_text(struct __test_metadata *_metadata)
{
	size_t size = 0;
	char *text = NULL;
	FILE *out = open_memstream(&text, &size);
	int fd;

	ASSERT_TRUE(out != NULL);
	for (fd = 0; fd < 20000; fd++) {
		int flags = fcntl(fd, F_GETFD), status = fcntl(fd, F_GETFL);
		char path[64], target[256];
		ssize_t n;

		if (flags < 0)
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		n = readlink(path, target, sizeof(target) - 1);
		fprintf(out, "%d %d %d %.*s\n", fd, flags, status,
			n > 0 ? (int)n : 0, target);
	}
	fclose(out);
	return text;
}

/* An anonymous file whose name shows in /proc. */
static inline int named_fd(struct __test_metadata *_metadata, const char *name,
			   unsigned int flags)
{
	int fd = memfd_create(name, flags);

	ASSERT_GE(fd, 0);
	return fd;
}

/* @fd at @number, without close-on-exec. */
static inline void fd_move(struct __test_metadata *_metadata, int fd,
			   int number)
{
	ASSERT_EQ(number, dup2(fd, number));
	if (fd != number)
		close(fd);
}

/* ---- a host of its own ---- */

/*
 * Forks a process that is another host: it runs @run and exits with 1 if that
 * expected anything else, else with 0.
 */
static inline pid_t
host_start(struct __test_metadata *_metadata,
	   void (*run)(struct __test_metadata *_metadata, void *arg), void *arg)
{
	pid_t pid;

	ring_or_skip(_metadata); /* it could not say so to the test */
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		run(_metadata, arg);
		_exit(0);
	}
	return pid;
}

static inline void
host_run(struct __test_metadata *_metadata,
	 void (*run)(struct __test_metadata *_metadata, void *arg), void *arg)
{
	pid_t pid = host_start(_metadata, run, arg);
	int status = -1;

	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

static inline int pidfd_of(struct __test_metadata *_metadata, pid_t pid)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	ASSERT_GE(pidfd, 0);
	return pidfd;
}

/* Without any right of root's, in this very process. */
static inline void become_nobody(struct __test_metadata *_metadata)
{
	ASSERT_EQ(0, syscall(SYS_setgroups, 0, NULL));
	ASSERT_EQ(0, syscall(SYS_setresgid, NOBODY, NOBODY, NOBODY));
	ASSERT_EQ(0, syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY));
}

#endif
