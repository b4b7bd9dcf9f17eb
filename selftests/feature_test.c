/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Each probe says what a try of the test's own says, here and in a sandbox, and
 * leaves nothing behind.  The numbers are the kernel's, by their first version.
 */
#include <linux/io_uring.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#include "tracked.h"

#define SYS_io_uring_setup_ 425	   /* Linux 5.1 */
#define SYS_io_uring_enter_ 426	   /* Linux 5.1 */
#define SYS_io_uring_register_ 427 /* Linux 5.1 */
#define SYS_open_tree_ 428	   /* Linux 5.2 */
#define SYS_move_mount_ 429	   /* Linux 5.2 */

static long answer(long r)
{
	return r < 0 ? -errno : r;
}

/* ---- tries of the test's own: 0, or a negative errno ---- */

struct clone_args_ {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack,
		stack_size, tls, set_tid, set_tid_size, cgroup;
};

/* A child that ends at once, by clone3. */
static int clone_by(struct clone_args_ *args)
{
	int pidfd = -1;
	siginfo_t info;
	long pid;

	args->pidfd = (uint64_t)(uintptr_t)&pidfd;
	args->flags |= 0x1000; /* CLONE_PIDFD */
	pid = answer(syscall(SYS_clone3, args, sizeof(*args)));
	if (!pid)
		syscall(SYS_exit_group, 0);
	if (pid < 0)
		return (int)pid;
	waitid(P_PID, (id_t)pid, &info, WEXITED | __WALL);
	close(pidfd);
	return 0;
}

static int try_clone3(void)
{
	struct clone_args_ args = { .exit_signal = SIGCHLD };

	return clone_by(&args);
}

/* A descriptor that is no cgroup's is looked at, or the flag is unknown. */
static int try_clone_into_cgroup(void)
{
	struct clone_args_ args = { .exit_signal = SIGCHLD,
				    .flags = UINT64_C(1) << 33,
				    .cgroup = 0x7fffffff };
	int r = clone_by(&args);

	return r == -EBADF ? 0 : r;
}

static int try_clone_autokill(void)
{
	/* CLONE_AUTOREAP, CLONE_NNP, CLONE_PIDFD_AUTOKILL */
	struct clone_args_ args = { .flags = UINT64_C(7) << 34 };

	return clone_by(&args);
}

static int try_close_range(void)
{
	int fd = dup(0);

	return (int)answer(syscall(SYS_close_range, fd, fd, 0));
}

static int self(void)
{
	return (int)answer(syscall(SYS_pidfd_open, getpid(), 0));
}

static int try_pidfd_open(void)
{
	int fd = self();

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/* Oneself is no child, says whoever knows P_PIDFD. */
static int try_pidfd_wait(void)
{
	siginfo_t info;
	int fd = self(), r;

	if (fd < 0)
		return fd;
	r = (int)answer(syscall(SYS_waitid, 3 /* P_PIDFD */, fd, &info,
				WEXITED | WNOHANG, NULL));
	close(fd);
	return r == -ECHILD ? 0 : r;
}

/* Of the kind that leaves the host's own system calls alone, Linux 6.1. */
static int ring(struct io_uring_params *params)
{
	memset(params, 0, sizeof(*params));
	/* IORING_SETUP_SINGLE_ISSUER, IORING_SETUP_DEFER_TASKRUN */
	params->flags = 1 << 12 | 1 << 13;
	return (int)answer(syscall(SYS_io_uring_setup_, 2, params));
}

static int try_ring(void)
{
	struct io_uring_params params;
	int fd = ring(&params);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/* Of two events, one after the other: how many @ring's eventfd tells at once.
 */
static int events_told(int ring_fd, const struct io_uring_params *params)
{
	size_t sq_size = params->sq_off.array + 2 * sizeof(uint32_t);
	size_t sqes_size = 2 * sizeof(struct io_uring_sqe);
	uint8_t *sq = mmap(NULL, sq_size, PROT_READ | PROT_WRITE, MAP_SHARED,
			   ring_fd, IORING_OFF_SQ_RING);
	struct io_uring_sqe *sqes = mmap(NULL, sqes_size,
					 PROT_READ | PROT_WRITE, MAP_SHARED,
					 ring_fd, IORING_OFF_SQES);
	struct pollfd told = { .fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
			       .events = POLLIN };
	int pair[2] = { -1, -1 }, n = 0;
	bool ready = sq != MAP_FAILED && sqes != MAP_FAILED &&
		     !pipe2(pair, O_CLOEXEC) &&
		     !syscall(SYS_io_uring_register_, ring_fd,
			      4 /* an eventfd */, &told.fd, 1);
	uint64_t count;
	uint32_t i;

	for (i = 0; ready && i < 2; i++) {
		memset(&sqes[i], 0, sizeof(sqes[i]));
		sqes[i].opcode = 6; /* IORING_OP_POLL_ADD */
		sqes[i].fd = pair[0];
		sqes[i].poll_events = POLLIN;
		((uint32_t *)(void *)(sq + params->sq_off.array))[i] = i;
		__atomic_store_n((uint32_t *)(void *)(sq + params->sq_off.tail),
				 i + 1, __ATOMIC_RELEASE);
		syscall(SYS_io_uring_enter_, ring_fd, 1, 0, 0, NULL, 0);
		if (write(pair[1], "", 1) == 1 && poll(&told, 1, 0) == 1)
			n++;
		/* as if nothing had been */
		ready = read(pair[0], &count, 1) == 1 &&
			!syscall(SYS_io_uring_enter_, ring_fd, 0, 0,
				 1 /* IORING_ENTER_GETEVENTS */, NULL, 0) &&
			read(told.fd, &count, sizeof(count)) > 0;
	}
	close(pair[0]);
	close(pair[1]);
	close(told.fd);
	munmap(sqes, sqes_size);
	munmap(sq, sq_size);
	return n;
}

/* IORING_REGISTER_PROBE, Linux 5.6. */
static int try_operation(int ring_fd, unsigned int number)
{
	struct {
		uint8_t last_op, ops_len;
		uint16_t resv;
		uint32_t resv2[3];
		struct {
			uint8_t op, resv;
			uint16_t flags;
			uint32_t resv2;
		} ops[64];
	} probe = { 0 };
	int r = (int)answer(
		syscall(SYS_io_uring_register_, ring_fd, 8, &probe, 64));

	return r < 0 || probe.ops[number].flags & 1 ? r : -EINVAL;
}

/*
 * Opcode 50.  An eventfd that tells but once, as with Debian's 6.12.117, is of
 * no use to one who waits.
 */
static int try_ring_waitid(void)
{
	struct io_uring_params params;
	int fd = ring(&params), r;

	if (fd < 0)
		return fd;
	r = try_operation(fd, 50);
	if (r >= 0 && events_told(fd, &params) != 2)
		r = -EINVAL;
	close(fd);
	return r;
}

/* IORING_OP_FIXED_FD_INSTALL. */
static int try_park(void)
{
	struct io_uring_params params;
	int fd = ring(&params), r;

	if (fd < 0)
		return fd;
	r = try_operation(fd, 54);
	close(fd);
	return r;
}

static int try_pidfs(void)
{
	struct statfs fs = { 0 };
	int fd = self();

	if (fd < 0)
		return fd;
	fstatfs(fd, &fs);
	close(fd);
	return fs.f_type == 0x50494446 ? 0 : -EOPNOTSUPP;
}

struct handle {
	unsigned int bytes;
	int type;
	unsigned char id[128];
};

static int handle_of(int fd, struct handle *handle)
{
	int mount;

	handle->bytes = sizeof(handle->id);
	return (int)answer(syscall(SYS_name_to_handle_at, fd, "", handle,
				   &mount, AT_EMPTY_PATH));
}

static int try_handle(void)
{
	struct handle handle;
	int fd = self(), r;

	if (fd < 0)
		return fd;
	r = handle_of(fd, &handle);
	close(fd);
	return r;
}

/* FD_PIDFS_ROOT, Linux 6.17; any pidfd does since 6.14 */
static int try_handle_open(void)
{
	struct handle handle;
	int fd = self(), r, opened;

	if (fd < 0)
		return fd;
	r = handle_of(fd, &handle);
	if (!r) {
		opened = (int)answer(
			syscall(SYS_open_by_handle_at, fd, &handle, O_CLOEXEC));
		r = opened < 0 ? opened : 0;
		if (opened >= 0)
			close(opened);
	}
	close(fd);
	return r;
}

struct info {
	uint64_t mask;
	uint8_t rest[56];
};

static int get_info(int fd, uint64_t mask, struct info *info)
{
	memset(info, 0, sizeof(*info));
	info->mask = mask;
	return (int)answer(ioctl(fd, _IOWR(0xff, 11, struct info), info));
}

static int try_info(void)
{
	struct info info;
	int fd = self(), r;

	if (fd < 0)
		return fd;
	r = get_info(fd, 1, &info);
	close(fd);
	return r;
}

/* Of a child that was reaped. */
static int try_exit_info(void)
{
	struct info info;
	struct child child;
	int r;

	if (child_start(&child))
		return -EAGAIN;
	child_exit(&child, 7);
	child_reap(&child);
	r = get_info(child.pidfd, 8 /* PIDFD_INFO_EXIT */, &info);
	child_close(&child);
	if (r)
		return r;
	return info.mask & 8 ? 0 : -EOPNOTSUPP;
}

/*
 * The copy is put nowhere, and goes with its descriptor.  Root of a user
 * namespace may make one, but not open it.
 */
static int try_pin(void)
{
	int fd = self(), tree, pin, r;
	char path[64];

	if (fd < 0)
		return fd;
	tree = (int)answer(
		syscall(SYS_open_tree_, fd, "",
			1 /* OPEN_TREE_CLONE */ | AT_EMPTY_PATH | O_CLOEXEC));
	close(fd);
	if (tree < 0)
		return tree;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", tree);
	pin = open(path, O_RDWR | O_CLOEXEC);
	r = pin < 0 && errno == EACCES ? -EPERM : 0;
	if (pin >= 0)
		close(pin);
	close(tree);
	return r;
}

static int try_xattr(void)
{
	int fd = self(), r;

	if (fd < 0)
		return fd;
	r = (int)answer(fsetxattr(fd, "trusted.pidtrack.selftest", "1", 1, 0));
	if (!r)
		fremovexattr(fd, "trusted.pidtrack.selftest");
	close(fd);
	return r;
}

static int try_proc(void)
{
	int fd = (int)answer(open("/proc/self/stat", O_RDONLY | O_CLOEXEC));

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static int (*const tries[])(void) = {
	[PIDTRACK_FEATURE_CLONE3] = try_clone3,
	[PIDTRACK_FEATURE_CLONE_INTO_CGROUP] = try_clone_into_cgroup,
	[PIDTRACK_FEATURE_CLONE_AUTOKILL] = try_clone_autokill,
	[PIDTRACK_FEATURE_CLOSE_RANGE] = try_close_range,
	[PIDTRACK_FEATURE_PIDFD_OPEN] = try_pidfd_open,
	[PIDTRACK_FEATURE_PIDFD_WAIT] = try_pidfd_wait,
	[PIDTRACK_FEATURE_RING] = try_ring,
	[PIDTRACK_FEATURE_RING_WAITID] = try_ring_waitid,
	[PIDTRACK_FEATURE_PIDFS] = try_pidfs,
	[PIDTRACK_FEATURE_HANDLE] = try_handle,
	[PIDTRACK_FEATURE_HANDLE_OPEN] = try_handle_open,
	[PIDTRACK_FEATURE_INFO] = try_info,
	[PIDTRACK_FEATURE_EXIT_INFO] = try_exit_info,
	[PIDTRACK_FEATURE_PIN] = try_pin,
	[PIDTRACK_FEATURE_XATTR] = try_xattr,
	[PIDTRACK_FEATURE_PROC] = try_proc,
	[PIDTRACK_FEATURE_PARK] = try_park,
};

/* ---- the list ---- */

TEST(a_loop_over_the_features_finds_their_end)
{
	uint32_t i;

	for (i = 0; i < 1000; i++) {
		int r = pidtrack_feature_probe(i);

		if (r == -ERANGE)
			break;
		EXPECT_LE(r, 0);
		ASSERT_TRUE(pidtrack_feature_name(i) != NULL);
		ASSERT_TRUE(pidtrack_feature_linux(i) != NULL);
		ASSERT_TRUE(pidtrack_feature_loss(i) != NULL);
		EXPECT_GT(strlen(pidtrack_feature_name(i)), 0);
		EXPECT_GT(strlen(pidtrack_feature_loss(i)), 0);
		EXPECT_TRUE(!strcmp("any", pidtrack_feature_linux(i)) ||
			    atof(pidtrack_feature_linux(i)) >= 5.0);
	}
	EXPECT_EQ(ARRAY_SIZE(tries), i);
	for (; i < 1000; i++) {
		ASSERT_EQ(-ERANGE, pidtrack_feature_probe(i));
		ASSERT_NULL(pidtrack_feature_name(i));
		ASSERT_NULL(pidtrack_feature_linux(i));
		ASSERT_NULL(pidtrack_feature_loss(i));
	}
	EXPECT_EQ(-ERANGE, pidtrack_feature_probe(UINT32_MAX));
	EXPECT_NULL(pidtrack_feature_name(UINT32_MAX));
}

TEST(no_two_features_have_one_name)
{
	uint32_t i, j;

	for (i = 0; i < ARRAY_SIZE(tries); i++)
		for (j = 0; j < i; j++)
			EXPECT_STRNE(pidtrack_feature_name(i),
				     pidtrack_feature_name(j));
}

/* ---- here ---- */

/* Whether, not why: of two ways to try, two reasons may come. */
static void check_as_tried(struct __test_metadata *_metadata)
{
	uint32_t i;

	if (getenv("PIDTRACK_TEST_REFUSE") || sandbox_refuses("io_uring_enter"))
		SKIP(return, "the sandbox refuses what is tried here "
			     "otherwise than the library does");
	for (i = 0; i < ARRAY_SIZE(tries); i++) {
		int tried = tries[i](), probed = pidtrack_feature_probe(i);

		EXPECT_EQ(!tried, !probed)
		{
			TH_LOG("%s: tried %d, probed %d",
			       pidtrack_feature_name(i), tried, probed);
		}
	}
}

TEST(each_probe_says_what_a_try_says)
{
	check_as_tried(_metadata);
	check_as_tried(_metadata); /* nor has the first changed anything */
}

TEST(each_probe_says_what_a_try_of_nobody_says)
{
	if (geteuid())
		SKIP(return, "only root can become nobody");
	ASSERT_EQ(0, setgid(65534));
	ASSERT_EQ(0, setuid(65534));
	check_as_tried(_metadata);
}

TEST_HARNESS_MAIN
