/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Tests in TAP, by the names of the kernel's kselftest_harness.h.
 *
 *	TEST(a_sentence_of_what_holds)
 *	{
 *		ASSERT_EQ(expected, seen);	ends the test where it fails
 *		EXPECT_EQ(expected, seen);	goes on, and fails in the end
 *		SKIP(return, "no such thing before Linux %s", "6.9");
 *			or SKIP(_exit(0), ...), wherever the test has come to
 *	}
 *
 *	TEST_WANTS(that_holds_where_the_moon_shines, moon)	skipped if
 *			wants_moon() says what is wanting
 *
 *	TEST_HARNESS_MAIN
 *
 * "./program" runs all tests, "./program NAME..." those.  Each runs in a
 * process of its own, a group leader and subreaper, with no signal blocked or
 * ignored and no descriptor from outside but the first three.  It fails also
 * when it leaves a descriptor open, closes one it was started with, leaves a
 * child or a zombie, is killed by a signal, or takes longer than 30 seconds
 * times PIDTRACK_TEST_SLOW (PIDTRACK_TEST_TIMEOUT is another number for 30).
 * Whatever it leaves is killed.  It ends by exit(3), so that sanitizers have
 * their say: a report of theirs fails it.
 *
 * The program exits with 1 if a test failed or none was run, else with 0; where
 * all were skipped, with PIDTRACK_TEST_SKIPPED, which the kernel wants to be 4.
 *
 * In a sandbox that refuses one thing, to which the library has no other way
 * (PIDTRACK_TEST_REFUSED, "ERRNO WHAT"), a test that sees that very errno
 * where it expects something else is over: skipped, whatever else it says.  So
 * is one whose launch was told it, if what it compares then fails.  Where that
 * was in a process it forked, it is ended some seconds later.  A crash is a
 * failure all the same, and what such a launch leaves, and to take too long
 * where nothing compared had failed, or to tear down.
 *
 * _metadata is shared with the processes a test forks: what they EXPECT counts.
 * Functions that ASSERT take struct __test_metadata *_metadata.
 */
#ifndef HARNESS_H
#define HARNESS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "programs.h"
#include "refusal.h"

#ifndef SYS_close_range
#define SYS_close_range 436 /* Linux 5.9 */
#endif

#define HARNESS_SECONDS 30
#define HARNESS_OVER_SECONDS 3
#define HARNESS_FDS 65536    /* descriptors above are not looked at */
#define HARNESS_PIDS 4194304 /* the most that kernel.pid_max can be */

/* What hundreds of places call when something fails is not to be inlined. */
#define HARNESS_RARE __attribute__((noinline, cold, unused))

struct __test_metadata;
struct __test_fixture;

/* Of one test; in shared memory while it runs. */
struct __test_metadata {
	const char *name;
	const char *fixture; /* NULL, or its prefix */
	int place;	     /* among those of its file */
	void (*run)(struct __test_metadata *_metadata);
	void (*teardown)(struct __test_metadata *_metadata);
	const char *(*wants)(void); /* NULL, or says what is wanting, if any */
	struct __test_metadata *next;
	void *self;	/* the fixture's, between setup and teardown */
	int termsig;	/* it must die of this signal; 0: of none */
	int timeout;	/* seconds; 0: the usual */
	pid_t pid;	/* of the test's process */
	bool failed;	/* somebody expected something else */
	bool skipped;	/* with the reason below */
	bool refused;	/* the same, by the sandbox: no failure counts */
	bool stopped;	/* by an ASSERT of its own: it only tears down */
	bool completed; /* it returned, and was looked after */
	char reason[256];
	char unsaid[1024]; /* the last it could not write: no stdout */
};

static struct __test_metadata *harness_first;
static struct __test_metadata *harness_running;
static int harness_skipped; /* tests */

/* As they stand in the file: with LTO, constructors run backwards. */
static inline void harness_register(struct __test_metadata *test)
{
	struct __test_metadata **at = &harness_first;

	while (*at && (*at)->place < test->place)
		at = &(*at)->next;
	test->next = *at;
	*at = test;
}

/* ---- saying ---- */

/* One write a line: the processes of a test may all talk at once. */
static HARNESS_RARE __attribute__((format(printf, 1, 2))) void
harness_say(const char *format, ...)
{
	char line[1024];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof(line) - 1, format, args);
	va_end(args);
	if (n < 0)
		return;
	if ((size_t)n > sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n++] = '\n';
	if (write(STDOUT_FILENO, line, n) == n || !harness_running)
		return;
	line[n - 1] = '\0';
	memcpy(harness_running->unsaid, line, n);
}

#define TH_LOG(format, ...)                                    \
	harness_say("# %s:%d:%s: " format, __FILE__, __LINE__, \
		    _metadata->name, ##__VA_ARGS__)

static inline const char *harness_signal_name(int signal)
{
	static const char *const names[] = {
		[SIGABRT] = "SIGABRT", [SIGALRM] = "SIGALRM",
		[SIGBUS] = "SIGBUS",   [SIGFPE] = "SIGFPE",
		[SIGHUP] = "SIGHUP",   [SIGILL] = "SIGILL",
		[SIGINT] = "SIGINT",   [SIGKILL] = "SIGKILL",
		[SIGPIPE] = "SIGPIPE", [SIGQUIT] = "SIGQUIT",
		[SIGSEGV] = "SIGSEGV", [SIGSYS] = "SIGSYS",
		[SIGTERM] = "SIGTERM", [SIGTRAP] = "SIGTRAP",
		[SIGUSR1] = "SIGUSR1", [SIGUSR2] = "SIGUSR2",
		[SIGXCPU] = "SIGXCPU", [SIGXFSZ] = "SIGXFSZ",
	};
	static char number[32];

	if (signal > 0 && (size_t)signal < sizeof(names) / sizeof(names[0]) &&
	    names[signal])
		return names[signal];
	snprintf(number, sizeof(number), "signal %d", signal);
	return number;
}

/* ---- expecting ---- */

enum harness_type { HARNESS_SIGNED, HARNESS_UNSIGNED, HARNESS_POINTER };

#define harness_type(x)                                 \
	_Generic((x), char                              \
		 : HARNESS_SIGNED, signed char          \
		 : HARNESS_SIGNED, short                \
		 : HARNESS_SIGNED, int                  \
		 : HARNESS_SIGNED, long                 \
		 : HARNESS_SIGNED, long long            \
		 : HARNESS_SIGNED, unsigned char        \
		 : HARNESS_UNSIGNED, unsigned short     \
		 : HARNESS_UNSIGNED, unsigned int       \
		 : HARNESS_UNSIGNED, unsigned long      \
		 : HARNESS_UNSIGNED, unsigned long long \
		 : HARNESS_UNSIGNED, bool               \
		 : HARNESS_UNSIGNED, default            \
		 : HARNESS_POINTER)

struct harness_text {
	char text[64];
};

/* The number of @size bytes at @at, and the errno it may mean. */
static HARNESS_RARE struct harness_text
harness_number(const volatile void *at, size_t size, enum harness_type type)
{
	struct harness_text text;
	uint64_t bits = 0;
	int unused = 64 - 8 * (int)size;

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	memcpy((char *)&bits + sizeof(bits) - size, (const void *)at, size);
#else
	memcpy(&bits, (const void *)at, size);
#endif
	if (type == HARNESS_POINTER)
		snprintf(text.text, sizeof(text.text), "%#llx",
			 (unsigned long long)bits);
	else if (type == HARNESS_UNSIGNED)
		snprintf(text.text, sizeof(text.text), "%llu",
			 (unsigned long long)bits);
	else if ((int64_t)(bits << unused) >= 0)
		snprintf(text.text, sizeof(text.text), "%lld", (long long)bits);
	else {
		long long number = (int64_t)(bits << unused) >> unused;
		bool may_be_errno = size == sizeof(int) && number > -134;

		snprintf(text.text, sizeof(text.text), "%lld%s%.40s", number,
			 may_be_errno ? ", " : "",
			 may_be_errno ? strerror((int)-number) : "");
	}
	return text;
}

/* What an unmet ASSERT does. */
static HARNESS_RARE __attribute__((noreturn)) void
harness_stop(struct __test_metadata *_metadata)
{
	if (getpid() == _metadata->pid) {
		_metadata->stopped = true;
		if (_metadata->teardown)
			_metadata->teardown(_metadata);
	}
	fflush(NULL);
	_exit(1);
}

/* A statement of its own, with a block for more words if one follows. */
#define HARNESS_UNMET(met_and_said, assert)                              \
	for (int harness_unmet =                                         \
		     (met_and_said) ? 0 : (_metadata->failed = true, 1); \
	     harness_unmet;                                              \
	     harness_unmet =                                             \
		     ((assert) ? harness_stop(_metadata) : (void)0, 0))

/* Signs may differ, as 0 and a size_t do, and one may stand in another. */
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wshadow"

struct harness_side {
	const char *text; /* as it stands in the test */
	const volatile void *at;
	size_t size;
	enum harness_type type;
};

#define HARNESS_SIDE(name, x)                          \
	{                                              \
		name, &(x), sizeof(x), harness_type(x) \
	}

/*
 * Notes if that is what the sandbox answers: if the test fails, it is why.
 *
 * @error: errno then; @what: that which told it
 */
static HARNESS_RARE void harness_told(long long value, int error,
				      const char *what)
{
	const char *call = NULL;

	if (!harness_running || harness_running->refused)
		return;
	if (value < 0 && value >= INT_MIN)
		call = refusal_told((int)value);
	if (!call && value == -1 && -error == refusal_errno())
		call = refusal_here();
	if (!call)
		return;
	harness_running->refused = true;
	snprintf(harness_running->reason, sizeof(harness_running->reason),
		 "the sandbox refuses %s, as %s is told", call, what);
}

/* What no refusal excuses, unless something that was compared has failed. */
static HARNESS_RARE void harness_blame(struct __test_metadata *_metadata)
{
	if (!_metadata->failed)
		_metadata->refused = false;
	_metadata->failed = true;
}

static HARNESS_RARE void harness_refusal(const struct harness_side *seen,
					 int error)
{
	if (seen->type != HARNESS_SIGNED)
		return;
	if (seen->size == sizeof(int))
		harness_told(*(const volatile int *)seen->at, error,
			     seen->text);
	if (seen->size == sizeof(long long))
		harness_told(*(const volatile long long *)seen->at, error,
			     seen->text);
}

static HARNESS_RARE void harness_differ(const char *file, int line,
					const char *name, const char *op,
					const struct harness_side sides[2])
{
	struct harness_text a, b;
	int error = errno;

	harness_refusal(&sides[1], error);
	harness_refusal(&sides[0], error);
	a = harness_number(sides[0].at, sides[0].size, sides[0].type);
	b = harness_number(sides[1].at, sides[1].size, sides[1].type);
	harness_say("# %s:%d:%s: Expected %s (%s) %s %s (%s)", file, line, name,
		    sides[0].text, a.text, op, sides[1].text, b.text);
}

#define HARNESS_COMPARE(expected, a_text, seen, b_text, op, assert)          \
	HARNESS_UNMET(                                                       \
		({                                                           \
			__typeof__(expected) harness_a = (expected);         \
			__typeof__(seen) harness_b = (seen);                 \
			bool harness_met = harness_a op harness_b;           \
			if (!harness_met)                                    \
				harness_differ(                              \
					__FILE__, __LINE__, _metadata->name, \
					#op,                                 \
					(struct harness_side[2]){            \
						HARNESS_SIDE(a_text,         \
							     harness_a),     \
						HARNESS_SIDE(b_text,         \
							     harness_b) });  \
			harness_met;                                         \
		}),                                                          \
		assert)

/* A string that is not there is unlike and not unlike any other. */
static HARNESS_RARE void harness_differ_text(const char *file, int line,
					     const char *name, const char *a,
					     const char *op, const char *b,
					     const char *b_text)
{
	harness_say("# %s:%d:%s: Expected '%s' %s '%s' (%s)", file, line, name,
		    a ? a : "(null)", op, b ? b : "(null)", b_text);
}

#define HARNESS_COMPARE_TEXT(expected, seen, b_text, op, assert)              \
	HARNESS_UNMET(({                                                      \
			      const char *harness_a = (expected);             \
			      const char *harness_b = (seen);                 \
			      bool harness_met = harness_a && harness_b &&    \
						 strcmp(harness_a, harness_b) \
							 op 0;                \
			      if (!harness_met)                               \
				      harness_differ_text(__FILE__, __LINE__, \
							  _metadata->name,    \
							  harness_a, #op,     \
							  harness_b, b_text); \
			      harness_met;                                    \
		      }),                                                     \
		      assert)

#define ASSERT_EQ(expected, seen) \
	HARNESS_COMPARE(expected, #expected, seen, #seen, ==, true)
#define ASSERT_NE(expected, seen) \
	HARNESS_COMPARE(expected, #expected, seen, #seen, !=, true)
#define ASSERT_LT(expected, seen) \
	HARNESS_COMPARE(expected, #expected, seen, #seen, <, true)
#define ASSERT_LE(expected, seen) \
	HARNESS_COMPARE(expected, #expected, seen, #seen, <=, true)
#define ASSERT_GT(expected, seen) \
	HARNESS_COMPARE(expected, #expected, seen, #seen, >, true)
#define ASSERT_GE(expected, seen) \
	HARNESS_COMPARE(expected, #expected, seen, #seen, >=, true)
#define ASSERT_NULL(seen) \
	HARNESS_COMPARE(NULL, "NULL", (const void *)(seen), #seen, ==, true)
#define ASSERT_TRUE(seen) HARNESS_COMPARE(0, "0", seen, #seen, !=, true)
#define ASSERT_FALSE(seen) HARNESS_COMPARE(0, "0", seen, #seen, ==, true)
#define ASSERT_STREQ(expected, seen) \
	HARNESS_COMPARE_TEXT(expected, seen, #seen, ==, true)
#define ASSERT_STRNE(expected, seen) \
	HARNESS_COMPARE_TEXT(expected, seen, #seen, !=, true)

#define EXPECT_EQ(expected, seen) \
	HARNESS_COMPARE(expected, #expected, seen, #seen, ==, false)
#define EXPECT_NE(expected, seen) \
	HARNESS_COMPARE(expected, #expected, seen, #seen, !=, false)
#define EXPECT_LT(expected, seen) \
	HARNESS_COMPARE(expected, #expected, seen, #seen, <, false)
#define EXPECT_LE(expected, seen) \
	HARNESS_COMPARE(expected, #expected, seen, #seen, <=, false)
#define EXPECT_GT(expected, seen) \
	HARNESS_COMPARE(expected, #expected, seen, #seen, >, false)
#define EXPECT_GE(expected, seen) \
	HARNESS_COMPARE(expected, #expected, seen, #seen, >=, false)
#define EXPECT_NULL(seen) \
	HARNESS_COMPARE(NULL, "NULL", (const void *)(seen), #seen, ==, false)
#define EXPECT_TRUE(seen) HARNESS_COMPARE(0, "0", seen, #seen, !=, false)
#define EXPECT_FALSE(seen) HARNESS_COMPARE(0, "0", seen, #seen, ==, false)
#define EXPECT_STREQ(expected, seen) \
	HARNESS_COMPARE_TEXT(expected, seen, #seen, ==, false)
#define EXPECT_STRNE(expected, seen) \
	HARNESS_COMPARE_TEXT(expected, seen, #seen, !=, false)

static HARNESS_RARE __attribute__((format(printf, 2, 3))) void
harness_skip(struct __test_metadata *_metadata, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(_metadata->reason, sizeof(_metadata->reason), format, args);
	va_end(args);
	_metadata->skipped = true;
}

#define SKIP(statement, ...)                          \
	do {                                          \
		harness_skip(_metadata, __VA_ARGS__); \
		statement;                            \
	} while (0)

/* ---- declaring ---- */

#define HARNESS_TEST(function, title, ...)                                 \
	static struct __test_metadata function##_metadata = {              \
		.name = title, .place = __COUNTER__, __VA_ARGS__           \
	};                                                                 \
	static void __attribute__((constructor)) function##_register(void) \
	{                                                                  \
		harness_register(&function##_metadata);                    \
	}

#define HARNESS_TEST_PLAIN(test, ...)                                     \
	static void test(struct __test_metadata *_metadata);              \
	HARNESS_TEST(test, #test, .run = test, __VA_ARGS__)               \
	static void test(struct __test_metadata __attribute__((unused)) * \
			 _metadata)

/* A test that passes when it dies of @signal. */
#define TEST_SIGNAL(test, signal) HARNESS_TEST_PLAIN(test, .termsig = (signal))

#define TEST(test) TEST_SIGNAL(test, 0)

#define TEST_TIMEOUT(test, seconds) \
	HARNESS_TEST_PLAIN(test, .timeout = (seconds))

/* Skipped with what wants_@what() says is wanting, unless that is NULL. */
#define TEST_WANTS(test, what) HARNESS_TEST_PLAIN(test, .wants = wants_##what)

#define FIXTURE_DATA(fixture) struct harness_fixture_##fixture
#define FIXTURE(fixture) FIXTURE_DATA(fixture)

#define FIXTURE_SETUP(fixture)                                              \
	static void fixture##_setup(                                        \
		struct __test_metadata __attribute__((unused)) * _metadata, \
		FIXTURE_DATA(fixture) __attribute__((unused)) * self)

/* Runs also after an ASSERT of the test's that was not met. */
#define FIXTURE_TEARDOWN(fixture)                                           \
	static void fixture##_teardown(                                     \
		struct __test_metadata __attribute__((unused)) * _metadata, \
		FIXTURE_DATA(fixture) __attribute__((unused)) * self)

#define HARNESS_TEST_F(fixture, test, ...)                                    \
	static void fixture##_##test(struct __test_metadata *_metadata,       \
				     FIXTURE_DATA(fixture) * self);           \
	static void fixture##_##test##_end(struct __test_metadata *_metadata) \
	{                                                                     \
		_metadata->teardown = NULL;                                   \
		fixture##_teardown(_metadata, _metadata->self);               \
	}                                                                     \
	static void fixture##_##test##_run(struct __test_metadata *_metadata) \
	{                                                                     \
		static FIXTURE_DATA(fixture) self;                            \
                                                                              \
		_metadata->self = &self;                                      \
		fixture##_setup(_metadata, &self);                            \
		if (_metadata->failed || _metadata->skipped)                  \
			return;                                               \
		_metadata->teardown = fixture##_##test##_end;                 \
		fixture##_##test(_metadata, &self);                           \
		fixture##_##test##_end(_metadata);                            \
	}                                                                     \
	HARNESS_TEST(fixture##_##test, #fixture "." #test,                    \
		     .run = fixture##_##test##_run, __VA_ARGS__)              \
	static void fixture##_##test(                                         \
		struct __test_metadata __attribute__((unused)) * _metadata,   \
		FIXTURE_DATA(fixture) __attribute__((unused)) * self)

#define TEST_F(fixture, test) HARNESS_TEST_F(fixture, test, .timeout = 0)

#define TEST_F_TIMEOUT(fixture, test, seconds) \
	HARNESS_TEST_F(fixture, test, .timeout = (seconds))

#define TEST_F_WANTS(fixture, test, what) \
	HARNESS_TEST_F(fixture, test, .wants = wants_##what)

/* ---- in the test's process: what did it leave? ---- */

struct harness_fds {
	unsigned char open[HARNESS_FDS / 8];
};

static inline bool harness_fd_in(const struct harness_fds *fds, int fd)
{
	return fds->open[fd / 8] & (1 << fd % 8);
}

static inline void harness_fds_try(struct harness_fds *fds)
{
	struct rlimit limit = { .rlim_cur = 1024 };
	int fd;

	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur > HARNESS_FDS)
		limit.rlim_cur = HARNESS_FDS;
	for (fd = 0; fd < (int)limit.rlim_cur; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			fds->open[fd / 8] |= 1 << fd % 8;
}

/* Which are open; without /proc, or not allowed to see it, by trying each. */
static inline void harness_fds_take(struct harness_fds *fds)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *name;

	memset(fds, 0, sizeof(*fds));
	if (!dir) {
		harness_fds_try(fds);
		return;
	}
	while ((name = readdir(dir))) {
		int fd = atoi(name->d_name);

		if (name->d_name[0] != '.' && fd != dirfd(dir) &&
		    fd < HARNESS_FDS)
			fds->open[fd / 8] |= 1 << fd % 8;
	}
	closedir(dir);
}

static inline void harness_fds_check(struct __test_metadata *_metadata,
				     const struct harness_fds *before)
{
	static struct harness_fds after;
	char path[64], target[256];
	ssize_t n;
	int fd;

	harness_fds_take(&after);
	for (fd = 0; fd < HARNESS_FDS; fd++) {
		if (harness_fd_in(before, fd) == harness_fd_in(&after, fd))
			continue;
		harness_blame(_metadata);
		if (harness_fd_in(before, fd)) {
			harness_say("# %s: closed descriptor %d, not its own",
				    _metadata->name, fd);
			continue;
		}
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		n = readlink(path, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = '\0';
		harness_say("# %s: left descriptor %d open: %s",
			    _metadata->name, fd, n > 0 ? target : "unknown");
	}
}

static inline bool harness_is_child(int of, pid_t pid)
{
	siginfo_t info = { 0 };

	return !waitid(of, pid, &info, WEXITED | WNOHANG | WNOWAIT | __WALL);
}

/* Every number is tried, as only a child can be waited for: a second. */
static inline int harness_children_try(void (*each)(pid_t pid, void *arg),
				       void *arg)
{
	int pid, n = 0;

	if (!harness_is_child(P_ALL, 0))
		return 0;
	for (pid = 1; pid < HARNESS_PIDS; pid++) {
		if (!harness_is_child(P_PID, pid))
			continue;
		each(pid, arg);
		n++;
	}
	return n;
}

/* Calls @each with every child of this process; how many. */
static inline int harness_children(void (*each)(pid_t pid, void *arg),
				   void *arg)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *thread;
	int n = 0;

	if (!dir)
		return harness_children_try(each, arg);
	while ((thread = readdir(dir))) {
		char path[300];
		FILE *file;
		int pid;

		if (thread->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%s/children",
			 thread->d_name);
		file = fopen(path, "re");
		if (!file)
			continue;
		for (; fscanf(file, "%d", &pid) == 1; n++)
			each(pid, arg);
		fclose(file);
	}
	closedir(dir);
	return n;
}

static inline void harness_child_name(pid_t pid, void *arg)
{
	struct __test_metadata *_metadata = arg;
	char path[64], stat[256] = "", *end;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		if (read(fd, stat, sizeof(stat) - 1) < 0)
			stat[0] = '\0';
		close(fd);
	}
	end = strrchr(stat, ')');
	if (end && end[1] && end[2])
		end[3] = '\0';
	else
		snprintf(stat, sizeof(stat), "%d", pid);
	harness_say("# %s: left %s behind: %s", _metadata->name,
		    end && end[1] && end[2] == 'Z' ? "a zombie" : "a child",
		    stat);
}

static inline void harness_children_check(struct __test_metadata *_metadata)
{
	if (!harness_is_child(P_ALL, 0))
		return;
	harness_blame(_metadata);
	if (harness_children(harness_child_name, _metadata) <= 0)
		harness_say("# %s: left a child behind", _metadata->name);
}

/* So that a pointer which only dead frames hold is a leak. */
static __attribute__((noinline)) void harness_forget_stack(void)
{
	char dead[16384];

	memset(dead, 0, sizeof(dead));
	__asm__ volatile("" : : "r"(dead) : "memory");
}

static inline void harness_test(struct __test_metadata *_metadata)
{
	static struct harness_fds before;
	const char *wanting;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	_metadata->pid = getpid();

	harness_fds_take(&before);
	wanting = _metadata->wants ? _metadata->wants() : NULL;
	if (wanting)
		harness_skip(_metadata, "%s", wanting);
	else
		_metadata->run(_metadata);
	if (getpid() != _metadata->pid) {
		harness_say("# %s: a child came back from the test",
			    _metadata->name);
		harness_blame(_metadata);
		_exit(1);
	}
	harness_fds_check(_metadata, &before);
	harness_children_check(_metadata);
	_metadata->completed = true;
	harness_forget_stack();
}

/* ---- in the program's process: one test after the other ---- */

static inline void harness_child_kill(pid_t pid, void *arg)
{
	int pidfd = (int)syscall(434 /* pidfd_open, Linux 5.3 */, pid, 0);

	(void)arg;
	if (pidfd >= 0) {
		syscall(424 /* pidfd_send_signal, Linux 5.1 */, pidfd, SIGKILL,
			NULL, 0);
		close(pidfd);
	} else if (errno == ENOSYS) {
		kill(pid, SIGKILL); /* ours, not reaped: its number is safe */
	}
}

static inline int64_t harness_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

/*
 * Waits for a signal to this process: SIGCHLD, or one that wants it to end, and
 * then does.  0 if @until_ms came before it.
 */
static inline int harness_signal(int signals, int64_t until_ms)
{
	struct pollfd poll_fd = { .fd = signals, .events = POLLIN };
	struct signalfd_siginfo info;
	int64_t left = until_ms - harness_now_ms();

	if (poll(&poll_fd, 1, left > 0 ? (int)left : 0) <= 0 ||
	    read(signals, &info, sizeof(info)) != sizeof(info))
		return 0;
	return (int)info.ssi_signo;
}

/* Kills and reaps every child; those killed may leave us theirs.  How many. */
static inline int harness_clean(int signals)
{
	int64_t until = harness_now_ms() + 10000;
	int n = 0;

	for (;;) {
		siginfo_t info = { 0 };

		while (!waitid(P_ALL, 0, &info, WEXITED | WNOHANG | __WALL) &&
		       info.si_pid) {
			info.si_pid = 0;
			n++;
		}
		if (!harness_is_child(P_ALL, 0))
			return n;
		harness_children(harness_child_kill, NULL);
		if (harness_now_ms() >= until) {
			harness_say("# a process cannot be killed or found");
			return n + 1;
		}
		harness_signal(signals, harness_now_ms() + 100);
	}
}

/* Ends this program as a signal to it wanted, and with it all it started. */
static inline void harness_end(int signals, int signal)
{
	sigset_t all;

	harness_clean(signals);
	sigfillset(&all);
	raise(signal);
	sigprocmask(SIG_UNBLOCK, &all, NULL);
	_exit(128 + signal);
}

static inline int harness_number_of(const char *variable, int otherwise)
{
	const char *text = getenv(variable);
	int number = text ? atoi(text) : 0;

	return number > 0 ? number : otherwise;
}

static inline int64_t harness_min(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* It was refused, and that showed in a process of it that has told nobody. */
static inline bool harness_is_over(const struct __test_metadata *test)
{
	const volatile struct __test_metadata *now = test;

	return now->refused && now->failed && !now->stopped;
}

/* True and its end, not yet reaped, in *ret_info; false: time is up. */
static inline bool harness_await(const struct __test_metadata *test,
				 int signals, pid_t pid, int seconds,
				 siginfo_t *ret_info)
{
	const int64_t over_ms = INT64_C(1000) * HARNESS_OVER_SECONDS *
				harness_number_of("PIDTRACK_TEST_SLOW", 1);
	int64_t until_ms = harness_now_ms() + seconds * INT64_C(1000);
	bool over = false;

	for (;;) {
		int64_t now_ms = harness_now_ms();
		int signal;

		memset(ret_info, 0, sizeof(*ret_info));
		waitid(P_PID, pid, ret_info, WEXITED | WNOHANG | WNOWAIT);
		if (ret_info->si_pid == pid)
			return true;
		if (now_ms >= until_ms)
			return false;
		if (!over && harness_is_over(test))
			until_ms = harness_min(until_ms, now_ms + over_ms);
		over = harness_is_over(test);
		signal = harness_signal(signals,
					harness_min(until_ms, now_ms + 1000));
		if (signal && signal != SIGCHLD)
			harness_end(signals, signal);
	}
}

/* What the kernel says of @pid, in a line. */
static inline void harness_say_of(pid_t pid, const char *what)
{
	char path[64], text[256];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, what);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	harness_say("#   %s: %s", what, text);
}

/* Says of one whose time is up where it is. */
static inline void harness_stuck(struct __test_metadata *test, pid_t pid,
				 int seconds)
{
	if (harness_is_over(test)) {
		harness_say("# %s: ended, as it was refused", test->name);
	} else {
		harness_say("# %s: timed out after %d s", test->name, seconds);
		test->failed = true;
		test->refused = false; /* whatever was */
	}
	harness_say_of(pid, "stat");
	harness_say_of(pid, "wchan");
	harness_say_of(pid, "syscall");
}

/* Says what is wrong with how a test's process ended. */
static inline void harness_judge(struct __test_metadata *test,
				 const siginfo_t *info)
{
	bool died = info->si_code != CLD_EXITED;

	if (died && info->si_status == test->termsig) {
		test->completed = true;
	} else if (died) {
		harness_say("# %s: killed by %s", test->name,
			    harness_signal_name(info->si_status));
		test->failed = true;
		test->refused = false; /* whatever was */
	} else if (test->termsig) {
		harness_say("# %s: not killed by %s", test->name,
			    harness_signal_name(test->termsig));
		harness_blame(test);
	} else if (!test->failed && !test->completed &&
		   (!test->skipped || info->si_status)) {
		harness_say("# %s: ended its process with %d", test->name,
			    info->si_status);
		harness_blame(test);
	} else if (!test->failed && info->si_status) {
		harness_say("# %s: exit status %d, of a sanitizer?", test->name,
			    info->si_status);
		harness_blame(test);
	}
}

static inline void harness_run(struct __test_metadata *test, int signals)
{
	int seconds = harness_number_of("PIDTRACK_TEST_TIMEOUT",
					test->timeout ? test->timeout :
							HARNESS_SECONDS) *
		      harness_number_of("PIDTRACK_TEST_SLOW", 1);
	siginfo_t info;
	sigset_t none;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (!pid) {
		close(signals);
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		harness_test(test);
		exit(test->failed);
	}
	if (pid < 0) {
		harness_say("# %s: fork: %s", test->name, strerror(errno));
		test->failed = true;
		return;
	}
	if (harness_await(test, signals, pid, seconds, &info)) {
		harness_judge(test, &info);
	} else {
		harness_stuck(test, pid, seconds);
		harness_child_kill(pid, NULL);
	}
	if (harness_clean(signals) > 1 && !test->failed) {
		harness_say("# %s: left a process behind", test->name);
		harness_blame(test);
	}
}

/* The test's outcome is written by whichever process knows it. */
static inline bool harness_share_and_run(const struct __test_metadata *test,
					 int number, int signals)
{
	struct __test_metadata *shared;
	bool failed;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		abort();
	*shared = *test;
	harness_running = shared;
	harness_run(shared, signals);
	harness_running = NULL;
	if (shared->unsaid[0])
		harness_say("%s", shared->unsaid);
	if (shared->refused && shared->failed) {
		shared->failed = false;
		shared->skipped = true;
	}
	failed = shared->failed;
	harness_skipped += !failed && shared->skipped;
	harness_say("%sok %d %s%s%s", failed ? "not " : "", number, test->name,
		    !failed && shared->skipped ? " # SKIP " : "",
		    !failed && shared->skipped ? shared->reason : "");
	munmap(shared, sizeof(*shared));
	return failed;
}

static inline bool harness_wanted(const struct __test_metadata *test, int argc,
				  char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (!strcmp(argv[i], test->name))
			return true;
	return argc < 2;
}

/*
 * Shells have a program in the background ignore some signals, and
 * posix_spawn() those that libc keeps to itself: the kernel is asked.
 */
static inline void harness_heed(int number)
{
	unsigned long action[16] = { 0 }; /* more than its struct has */
	static const unsigned long none[16];

	if (!syscall(SYS_rt_sigaction, number, NULL, action, _NSIG / 8) &&
	    action[0] == (unsigned long)SIG_IGN)
		syscall(SYS_rt_sigaction, number, none, NULL, _NSIG / 8);
}

static inline int harness_signals(void)
{
	sigset_t set;
	int number;

	for (number = 1; number <= SIGRTMAX; number++)
		harness_heed(number);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_SETMASK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static inline void harness_close_others(void)
{
	int fd;

	if (!syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, 0))
		return;
	for (fd = STDERR_FILENO + 1; fd < HARNESS_FDS; fd++)
		close(fd);
}

/* What is asked of a program but to run tests: whether that is all. */
static inline bool harness_answer(const char *word)
{
	struct __test_metadata *test;

	if (strcmp(word, "--help") && strcmp(word, "--list"))
		return false;
	if (!strcmp(word, "--help"))
		harness_say("%s",
			    "Usage: PROGRAM [--list | TEST...]\n"
			    "Runs these tests, or all of them: prints TAP.");
	for (test = harness_first; test && !strcmp(word, "--list");
	     test = test->next)
		harness_say("%s", test->name);
	return true;
}

static inline int test_harness_run(int argc, char **argv)
{
	struct rlimit core = { 0, RLIM_INFINITY };
	struct __test_metadata *test;
	int n = 0, failed = 0, signals;

	if (argc == 2 && harness_answer(argv[1]))
		return 0;
	programs_find();

	/* Its own first descriptor is 3, whatever a runner left open. */
	harness_close_others();
	while ((signals = open("/dev/null", O_RDWR)) <= STDERR_FILENO)
		if (signals < 0)
			return 1;
	close(signals);
	signals = harness_signals();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	getrlimit(RLIMIT_CORE, &core);
	core.rlim_cur = 0;
	setrlimit(RLIMIT_CORE, &core);

	for (test = harness_first; test; test = test->next)
		n += harness_wanted(test, argc, argv);
	harness_say("TAP version 13");
	harness_say("1..%d", n);
	if (!n)
		harness_say("# no test of such a name; --list has them");

	n = 0;
	for (test = harness_first; test; test = test->next)
		if (harness_wanted(test, argc, argv))
			failed += harness_share_and_run(test, ++n, signals);
	close(signals);
	if (!failed && n && harness_skipped == n)
		return harness_number_of("PIDTRACK_TEST_SKIPPED", 0);
	return failed || !n;
}

#define TEST_HARNESS_MAIN                            \
	int main(int argc, char **argv)              \
	{                                            \
		return test_harness_run(argc, argv); \
	}

#endif
