/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Runs a host of this directory, one life after the other, and is what init is
 * to it: what it leaves behind is a child of the test's then, and is reaped as
 * soon as it ends while a host runs, unless the test says otherwise.
 *
 *	EXPECT_SAID(0, "web Stopped\n", "stop", "web");
 *
 * A fixture's setup begins with hosted_or_skip(), and returns if it skipped.
 * Uses nothing of the library's but what launch.h does.
 */
#ifndef HOSTED_H
#define HOSTED_H

#include "../launch.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

static inline __attribute__((format(printf, 1, 2))) struct path
text_of(const char *format, ...)
{
	struct path text;
	va_list args;

	va_start(args, format);
	vsnprintf(text.text, sizeof(text.text), format, args);
	va_end(args);
	return text;
}

/* ---- init ---- */

static struct {
	pid_t pid;
	int status;
} hosted_ended[256];
static size_t hosted_n_ended;
static bool hosted_leaves_zombies;

static void hosted_remember(struct __test_metadata *_metadata, pid_t pid,
			    int status)
{
	ASSERT_LT(hosted_n_ended, ARRAY_SIZE(hosted_ended));
	hosted_ended[hosted_n_ended].pid = pid;
	hosted_ended[hosted_n_ended++].status = status;
}

/* Its status as of wait(2); waits for it if it has not ended. */
static inline int hosted_status(struct __test_metadata *_metadata, pid_t pid)
{
	int status = -1;
	size_t i;

	for (i = 0; i < hosted_n_ended; i++)
		if (hosted_ended[i].pid == pid)
			return hosted_ended[i].status;
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	return status;
}

/* Waits until it is a zombie, which it stays. */
static inline void hosted_await_zombie(struct __test_metadata *_metadata,
				       pid_t pid)
{
	siginfo_t info;

	ASSERT_EQ(0, waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
}

/* By the kernel's word, of a child of the test's. */
static inline bool hosted_runs(pid_t pid)
{
	siginfo_t info = { 0 };

	return !waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) &&
	       !info.si_pid;
}

/* ---- a life ---- */

/* Ends the test before it begins where its host cannot be. */
static inline void hosted_or_skip(struct __test_metadata *_metadata)
{
	const char *lacks = getenv("PIDTRACK_TEST_LACKS");

	ring_or_skip(_metadata);
	if (lacks && *lacks)
		SKIP(, "its host was not built: no %s", lacks);
}

struct hosted {
	pid_t pid;
	int in;	 /* its standard input; some live until this is closed */
	int out; /* its standard output and error */
};

static int hosted_without; /* a capability that hosts are started without */

static inline struct hosted hosted_start(struct __test_metadata *_metadata,
					 const char *const *arguments)
{
	const char *path = getenv("PIDTRACK_TEST_HOST");
	const char *argv[32] = { path };
	int in[2], out[2];
	struct hosted host;
	size_t i;

	ASSERT_TRUE(path != NULL);
	for (i = 0; arguments[i]; i++) {
		ASSERT_LT(i + 2, ARRAY_SIZE(argv));
		argv[i + 1] = arguments[i];
	}
	ASSERT_EQ(0, pipe2(in, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(out, O_CLOEXEC));
	host = (struct hosted){ fork(), in[1], out[0] };
	ASSERT_GE(host.pid, 0);
	if (!host.pid) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		dup2(out[1], 2);
		if (hosted_without)
			prctl(PR_CAPBSET_DROP, hosted_without);
		execv(path, (char *const *)argv);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	return host;
}

/* Those that ended while it ran, and init had not come to yet. */
static inline void hosted_reap(struct __test_metadata *_metadata)
{
	int status;
	pid_t pid;

	while (!hosted_leaves_zombies &&
	       (pid = waitpid(-1, &status, WNOHANG)) > 0)
		hosted_remember(_metadata, pid, status);
}

/* Ends its input and waits for its end: its status as of wait(2). */
static inline int hosted_wait(struct __test_metadata *_metadata,
			      struct hosted *host)
{
	int status = -1;
	pid_t pid;

	close(host->in);
	for (;;) {
		pid = waitpid(hosted_leaves_zombies ? host->pid : -1, &status,
			      0);
		if (pid < 0 && errno == EINTR)
			continue;
		ASSERT_GT(pid, 0);
		if (pid == host->pid)
			break;
		hosted_remember(_metadata, pid, status);
	}
	close(host->out);
	hosted_reap(_metadata);
	return status;
}

/* What it said in all, to be compared; it has ended with @code. */
static inline const char *hosted_said(struct __test_metadata *_metadata,
				      int code, const char *const *arguments)
{
	struct hosted host = hosted_start(_metadata, arguments);
	static char said[65536];
	int copy = dup(host.out), status;

	ASSERT_GE(copy, 0);
	status = hosted_wait(_metadata, &host);
	snprintf(said, sizeof(said), "%s", fd_text(_metadata, copy, false));
	close(copy);
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(code, WEXITSTATUS(status))
	{
		TH_LOG("%s %s: %s", arguments[0], arguments[1], said);
	}
	return said;
}

/* Whether one of its lines begins so. */
static inline bool says(const char *said, const char *beginning)
{
	for (; said; said = strchr(said, '\n')) {
		said += *said == '\n';
		if (!strncmp(said, beginning, strlen(beginning)))
			return true;
		if (!*said)
			return false;
	}
	return false;
}

#define EXPECT_SAYS(beginning, said)                                    \
	do {                                                            \
		const char *said_ = (said);                             \
		EXPECT_TRUE(says(said_, beginning))                     \
		{                                                       \
			TH_LOG("not '%s' but: %s", (beginning), said_); \
		}                                                       \
	} while (0)

#define SAID(code, ...)                \
	hosted_said(_metadata, (code), \
		    (const char *const[]){ __VA_ARGS__, NULL })

/* ---- shims that no host of ours has launched ---- */

/* Of another runtime, or of an older one.  Its output is at *ret_out. */
static inline pid_t stranger_start(struct __test_metadata *_metadata,
				   const char *const *argv, int *ret_out)
{
	int out[2];
	pid_t pid;

	ASSERT_EQ(0, pipe2(out, O_CLOEXEC));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		setsid();
		dup2(out[1], 1);
		execv(argv[0], (char *const *)argv);
		_exit(127);
	}
	close(out[1]);
	ASSERT_STREQ("ready\n", fd_text(_metadata, out[0], true));
	if (ret_out)
		*ret_out = out[0];
	else
		close(out[0]);
	return pid;
}

/* One that lives until a signal ends it. */
static inline pid_t stranger(struct __test_metadata *_metadata)
{
	return stranger_start(_metadata, SHIM("write", "ready", "pause"), NULL);
}

static inline int stranger_end(struct __test_metadata *_metadata, pid_t pid)
{
	/* its number is ours: it is our child, and nobody has reaped it */
	EXPECT_TRUE(hosted_runs(pid));
	kill(pid, SIGKILL);
	return hosted_status(_metadata, pid);
}

/* A number that was somebody's just now. */
static inline pid_t dead_number(struct __test_metadata *_metadata)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	return pid;
}

#endif
