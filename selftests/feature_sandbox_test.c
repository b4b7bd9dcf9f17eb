/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* Probes in a sandbox say what was refused, and never leave anything behind. */
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/xattr.h>

#include "seccomp.h"
#include "tracked.h"

#define SYS_io_uring_setup_ 425			  /* Linux 5.1 */
#define SYS_open_tree_ 428			  /* Linux 5.2 */
#define PIDFD_CHILDREN_PID_NAMESPACE _IO(0xFF, 6) /* Linux 6.11 */

static uint32_t n_features(void)
{
	uint32_t n = 0;

	while (pidtrack_feature_name(n))
		n++;
	return n;
}

/* ---- refused ---- */

struct refusal {
	int nr;
	uint32_t feature;
};

static const struct refusal refusals[] = {
	{ SYS_clone3, PIDTRACK_FEATURE_CLONE3 },
	{ SYS_clone3, PIDTRACK_FEATURE_CLONE_INTO_CGROUP },
	{ SYS_clone3, PIDTRACK_FEATURE_CLONE_AUTOKILL },
	{ SYS_close_range, PIDTRACK_FEATURE_CLOSE_RANGE },
	{ SYS_pidfd_open, PIDTRACK_FEATURE_PIDFD_OPEN },
	{ SYS_waitid, PIDTRACK_FEATURE_PIDFD_WAIT },
	{ SYS_io_uring_setup_, PIDTRACK_FEATURE_RING },
	{ SYS_io_uring_setup_, PIDTRACK_FEATURE_RING_WAITID },
	{ SYS_name_to_handle_at, PIDTRACK_FEATURE_HANDLE },
	{ SYS_open_by_handle_at, PIDTRACK_FEATURE_HANDLE_OPEN },
	{ SYS_open_tree_, PIDTRACK_FEATURE_PIN },
	{ SYS_ioctl, PIDTRACK_FEATURE_PIN },
	{ SYS_umount2, PIDTRACK_FEATURE_PIN },
	{ SYS_unlinkat, PIDTRACK_FEATURE_PIN },
	{ SYS_fsetxattr, PIDTRACK_FEATURE_XATTR },
};

static void check_refused(struct __test_metadata *_metadata, int error)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(refusals); i++) {
		uint32_t feature = refusals[i].feature;
		int status, r;
		pid_t pid;

		/* what is not there is refused for a reason of its own */
		if (pidtrack_feature_probe(feature))
			continue;
		pid = fork();
		if (!pid) {
			ASSERT_EQ(0, seccomp_refuse(refusals[i].nr, error));
			r = pidtrack_feature_probe(feature);
			EXPECT_EQ(-error, r)
			{
				TH_LOG("%s", pidtrack_feature_name(feature));
			}
			_exit(0);
		}
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		ASSERT_EQ(0, status);
	}
}

TEST(what_a_sandbox_calls_unknown_is_probed_so)
{
	check_refused(_metadata, ENOSYS);
}

TEST(what_a_sandbox_forbids_is_probed_so)
{
	check_refused(_metadata, EPERM);
}

TEST(what_a_sandbox_denies_is_probed_so)
{
	check_refused(_metadata, EACCES);
}

/* ioctl 0xff0b of any size of struct; older kernels say one of the three. */
TEST(exit_information_that_is_refused_is_probed_so)
{
	static const int errors[] = { ENOTTY, EINVAL, ENOSYS };
	size_t i;

	if (pidtrack_feature_probe(PIDTRACK_FEATURE_INFO))
		SKIP(return, "no PIDFD_GET_INFO before Linux 6.13");
	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		int status;
		pid_t pid = fork();

		if (!pid) {
			ASSERT_EQ(0, seccomp_on_argument(
					     SYS_ioctl, 1, 0xffff, 0xff0b,
					     SECCOMP_RET_ERRNO |
						     (uint32_t)errors[i],
					     0));
			EXPECT_EQ(-errors[i], pidtrack_feature_probe(
						      PIDTRACK_FEATURE_INFO));
			EXPECT_LT(pidtrack_feature_probe(
					  PIDTRACK_FEATURE_EXIT_INFO),
				  0);
			_exit(0);
		}
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		ASSERT_EQ(0, status);
	}
}

/* That wants a child, which is made in another way. */
TEST(without_clone3_it_is_probed_what_is_seen_of_ends)
{
	int exit_info = pidtrack_feature_probe(PIDTRACK_FEATURE_EXIT_INFO);
	int xattr = pidtrack_feature_probe(PIDTRACK_FEATURE_XATTR);

	ASSERT_EQ(0, seccomp_refuse(SYS_clone3, ENOSYS));
	EXPECT_EQ(exit_info,
		  pidtrack_feature_probe(PIDTRACK_FEATURE_EXIT_INFO));
	EXPECT_EQ(xattr, pidtrack_feature_probe(PIDTRACK_FEATURE_XATTR));
	EXPECT_FALSE(child_is_any());
}

/* ---- without a trace ---- */

static void file_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t n = 0;
	ssize_t r;

	while (fd >= 0 && n < size - 1 &&
	       (r = read(fd, text + n, size - 1 - n)) > 0)
		n += r;
	text[n] = '\0';
	if (fd >= 0)
		close(fd);
}

TEST(no_probe_leaves_anything_behind)
{
	static char mounts[65536], now[65536];
	int fds = fds_count(),
	    probe = (int)syscall(SYS_pidfd_open, getpid(), 0);
	sigset_t before, after;
	uint32_t i;

	file_text("/proc/self/mountinfo", mounts, sizeof(mounts));
	sigprocmask(SIG_SETMASK, NULL, &before);
	for (i = 0; i < n_features(); i++) {
		pidtrack_feature_probe(i);
		ASSERT_EQ(fds + (probe >= 0), fds_count())
		{
			TH_LOG("%s", pidtrack_feature_name(i));
		}
		ASSERT_FALSE(child_is_any())
		{
			TH_LOG("%s", pidtrack_feature_name(i));
		}
		/* not even one that plain waiting does not see */
		ASSERT_EQ(-1, waitpid(-1, NULL, WNOHANG | __WALL));
	}
	file_text("/proc/self/mountinfo", now, sizeof(now));
	EXPECT_STREQ(mounts, now);
	if (probe >= 0) {
		EXPECT_LE(flistxattr(probe, NULL, 0), 0);
		close(probe);
	}
	sigprocmask(SIG_SETMASK, NULL, &after);
	for (i = 1; i <= 64; i++)
		EXPECT_EQ(sigismember(&before, (int)i),
			  sigismember(&after, (int)i));
}

static bool is_refused_waiting(uint32_t feature)
{
	return feature == PIDTRACK_FEATURE_EXIT_INFO ||
	       feature == PIDTRACK_FEATURE_XATTR;
}

/* What no probe could wait for it does not start. */
TEST(nor_does_one_that_may_not_wait)
{
	uint32_t i;

	ASSERT_EQ(0, seccomp_refuse(SYS_waitid, EPERM));
	for (i = 0; i < n_features(); i++) {
		int r = pidtrack_feature_probe(i);

		if (is_refused_waiting(i))
			EXPECT_EQ(-EPERM, r);
		ASSERT_EQ(-1, waitpid(-1, NULL, WNOHANG | __WALL))
		{
			TH_LOG("%s", pidtrack_feature_name(i));
		}
	}
}

/* It is recovered from the pidfd that the clone gives. */
TEST(exit_information_wants_no_pidfd_of_a_number)
{
	if (pidtrack_feature_probe(PIDTRACK_FEATURE_EXIT_INFO))
		SKIP(return, "no exit info, Linux < 6.15");
	ASSERT_EQ(0, seccomp_refuse(SYS_pidfd_open, ENOSYS));
	EXPECT_EQ(0, pidtrack_feature_probe(PIDTRACK_FEATURE_EXIT_INFO));
}

TEST(probes_take_no_child_of_others)
{
	enum { N = 20 };
	struct child children[N];
	uint32_t i;

	for (i = 0; i < N; i++) {
		ASSERT_EQ(0, child_start(&children[i]));
		ASSERT_EQ(0, child_exit(&children[i], (int)i));
		ASSERT_EQ(0, child_await_exit(&children[i]));
	}
	for (i = 0; i < n_features(); i++)
		pidtrack_feature_probe(i);
	for (i = 0; i < N; i++) {
		EXPECT_EQ((int)i << 8, child_reap(&children[i]));
		child_close(&children[i]);
	}
}

/* A handler of the host's does not hear of the children of probes. */
TEST(probes_send_no_sigchld)
{
	sigset_t set;
	uint32_t i;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (i = 0; i < n_features(); i++) {
		pidtrack_feature_probe(i);
		sigemptyset(&set);
		sigpending(&set);
		EXPECT_FALSE(sigismember(&set, SIGCHLD))
		{
			TH_LOG("%s", pidtrack_feature_name(i));
		}
		signal(SIGCHLD, SIG_IGN); /* forgets it */
		signal(SIGCHLD, SIG_DFL);
	}
}

TEST(probes_say_the_same_with_sigchld_ignored)
{
	uint32_t i;

	signal(SIGCHLD, SIG_IGN);
	for (i = 0; i < n_features(); i++) {
		int ignored = pidtrack_feature_probe(i), usual;

		signal(SIGCHLD, SIG_DFL);
		usual = pidtrack_feature_probe(i);
		signal(SIGCHLD, SIG_IGN);
		EXPECT_EQ(usual, ignored)
		{
			TH_LOG("%s", pidtrack_feature_name(i));
		}
	}
}

/* ---- a thread whose children will be in a pid namespace of their own ---- */

static void *probe_unshared(void *arg)
{
	struct __test_metadata *_metadata = arg;
	uint32_t feature;
	int status;
	pid_t pid;

	ASSERT_EQ(0, unshare(CLONE_NEWPID));
	for (feature = 0; pidtrack_feature_name(feature); feature++)
		pidtrack_feature_probe(feature);
	EXPECT_EQ(-EAGAIN, pidtrack_feature_probe(PIDTRACK_FEATURE_EXIT_INFO));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid)
		_exit(getpid() == 1 ? 0 : 1);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	return NULL;
}

/* Without /proc a pidfd tells, since Linux 6.11. */
static int pidfd_namespace_try(void)
{
	int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	int namespace = ioctl(pidfd, PIDFD_CHILDREN_PID_NAMESPACE, 0);
	int r = namespace < 0 ? -errno : 0;

	if (namespace >= 0)
		close(namespace);
	if (pidfd >= 0)
		close(pidfd);
	return r;
}

#define SKIP_WITHOUT_PIDFD_NAMESPACES()                                   \
	do {                                                              \
		int refused = pidfd_namespace_try();                      \
                                                                          \
		if (refused)                                              \
			SKIP(return,                                      \
				   "a pidfd does not tell the namespace " \
				   "of children: %s",                     \
				   strerror(-refused));                   \
	} while (0)

TEST(probing_does_not_use_up_a_pid_namespace)
{
	pthread_t thread;

	SKIP_WITHOUT_PID_NAMESPACES();
	if (wants_proc())
		SKIP_WITHOUT_PIDFD_NAMESPACES();
	ASSERT_EQ(0, pthread_create(&thread, NULL, probe_unshared, _metadata));
	pthread_join(thread, NULL);
}

TEST(nor_is_it_where_there_is_no_proc)
{
	pthread_t thread;
	int status;
	pid_t pid;

	SKIP_WITHOUT_PID_NAMESPACES();
	SKIP_WITHOUT_PIDFD_NAMESPACES();
	if (sandbox_refuses("gettid") || sandbox_refuses("ioctl") ||
	    sandbox_refuses("pidfd_open"))
		SKIP(return, "the sandbox refuses the other way");
	pid = fork(); /* LeakSanitizer wants /proc where it ends */
	if (!pid) {
		if (!proc_hide())
			SKIP(_exit(0), "no mount of our own: %s",
			     strerror(errno));
		EXPECT_EQ(0, pthread_create(&thread, NULL, probe_unshared,
					    _metadata));
		pthread_join(thread, NULL);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_HARNESS_MAIN
