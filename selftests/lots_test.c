/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Pidfds in tables of files: each comes back by its number, and by no other;
 * what the kernel does not take is not done later; and what could not be had
 * for want of room is had when there is room.
 */
#include <pthread.h>
#include <sys/resource.h>

#include "children.h"
#include "harness.h"
#include "lots.h"
#include "seccomp.h"
#include "sys.h"

#define MANY 300 /* more than a queue has room for */

/* ---- one at a time ---- */

static int put(struct pt_lots *lots, uint32_t number, int fd)
{
	const struct pt_parcel parcel = { number, fd };
	int result = 1;

	pt_lots_put(lots, &parcel, 1, &result);
	return result;
}

static int lend(struct pt_lots *lots, uint32_t number)
{
	struct pt_parcel parcel = { .number = number };

	pt_lots_lend(lots, &parcel, 1);
	return parcel.fd;
}

/* Whether the number has this file. */
static bool has(struct pt_lots *lots, uint32_t number, int file)
{
	struct stat want, got;
	int fd = lend(lots, number);
	bool same;

	if (fd < 0)
		return false;
	same = !fstat(file, &want) && !fstat(fd, &got) &&
	       want.st_dev == got.st_dev && want.st_ino == got.st_ino;
	close(fd);
	return same;
}

static int null_open(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static int zero_open(void)
{
	return open("/dev/zero", O_RDONLY | O_CLOEXEC);
}

FIXTURE(files)
{
	int null, zero;
};

FIXTURE_SETUP(files)
{
	int refused = pt_lots_probe();

	self->null = self->zero = -1;
	if (refused < 0)
		SKIP(return, "nothing is parked here: %s", strerror(-refused));
	self->null = null_open();
	self->zero = zero_open();
}

FIXTURE_TEARDOWN(files)
{
	close(self->null);
	close(self->zero);
}

/* Room of tables is what the limit was at first. */
static void lots_start(struct __test_metadata *_metadata, struct pt_lots *lots,
		       uint32_t room)
{
	struct rlimit before, limit;

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &before));
	limit = before;
	limit.rlim_cur = room;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	pt_lots_init(lots);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &before));
}

/* ---- what is put comes back ---- */

TEST_F(files, each_comes_back_by_its_number_however_many_tables_that_takes)
{
	static const uint32_t numbers[] = { 0, 15, 16, 40, 1000 };
	const int before = fds_count();
	struct pt_lots lots;

	lots_start(_metadata, &lots, 16);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		ASSERT_EQ(0, put(&lots, numbers[i],
				 i % 2 ? self->zero : self->null));
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		EXPECT_TRUE(has(&lots, numbers[i],
				i % 2 ? self->zero : self->null));
	EXPECT_EQ(-EBADF, lend(&lots, 1));
	EXPECT_GT(0, lend(&lots, 500));	 /* no table */
	EXPECT_GT(0, lend(&lots, 2000)); /* nor beyond */
	pt_lots_done(&lots);
	EXPECT_EQ(before, fds_count());
}

TEST_F(files, a_number_has_what_it_was_given_last)
{
	struct pt_lots lots;

	pt_lots_init(&lots);
	ASSERT_EQ(0, put(&lots, 7, self->null));
	ASSERT_EQ(0, put(&lots, 7, self->zero));
	EXPECT_TRUE(has(&lots, 7, self->zero));
	pt_lots_clear(&lots, 7);
	ASSERT_EQ(0, put(&lots, 7, self->null));
	EXPECT_TRUE(has(&lots, 7, self->null));
	pt_lots_clear(&lots, 7);
	pt_lots_flush(&lots, 7);
	EXPECT_EQ(-EBADF, lend(&lots, 7));
	pt_lots_flush(&lots, 7);
	/* of what never was nothing is to be let go of */
	pt_lots_clear(&lots, 100000);
	pt_lots_flush(&lots, 100000);
	pt_lots_done(&lots);
}

TEST_F(files, a_forked_copy_is_abandoned_and_the_hosts_are_as_they_were)
{
	struct pt_lots lots;
	int status = -1;
	pid_t pid;

	lots_start(_metadata, &lots, 0); /* of one each */
	ASSERT_EQ(0, put(&lots, 0, self->null));
	ASSERT_EQ(0, put(&lots, 3, self->null));
	pid = fork();
	if (!pid) {
		pt_lots_abandon(&lots);
		_exit(lend(&lots, 0) < 0 ? 0 : 1);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_TRUE(has(&lots, 0, self->null));
	EXPECT_TRUE(has(&lots, 3, self->null));
	pt_lots_done(&lots);
}

/* ---- more than a queue has room for ---- */

static void put_many(struct __test_metadata *_metadata, struct pt_lots *lots,
		     uint32_t first, uint32_t n, int fd)
{
	struct pt_parcel parcels[PT_PARCELS_MAX];
	int results[PT_PARCELS_MAX];

	for (uint32_t done = 0; done < n;) {
		uint32_t now = MIN(n - done, PT_PARCELS_MAX);

		for (uint32_t i = 0; i < now; i++)
			parcels[i] = (struct pt_parcel){ first + done + i, fd };
		pt_lots_put(lots, parcels, now, results);
		for (uint32_t i = 0; i < now; i++)
			ASSERT_EQ(0, results[i]);
		done += now;
	}
}

TEST_F(files, of_many_that_are_let_go_of_nothing_is_left)
{
	struct pt_lots lots;

	pt_lots_init(&lots);
	put_many(_metadata, &lots, 0, MANY, self->null);
	for (uint32_t i = 0; i < 200; i++)
		pt_lots_clear(&lots, i);
	put_many(_metadata, &lots, MANY, PT_PARCELS_MAX, self->zero);
	for (uint32_t i = 0; i < 200; i++)
		EXPECT_EQ(-EBADF, lend(&lots, i));
	for (uint32_t i = 200; i < MANY; i++)
		EXPECT_TRUE(has(&lots, i, self->null));
	put_many(_metadata, &lots, 0, MANY, self->null);
	for (uint32_t i = 0; i < MANY; i++)
		pt_lots_clear(&lots, i);
	for (uint32_t i = 0; i < MANY; i++)
		EXPECT_EQ(-EBADF, lend(&lots, i));
	for (uint32_t i = MANY; i < MANY + PT_PARCELS_MAX; i++)
		EXPECT_TRUE(has(&lots, i, self->zero));
	pt_lots_done(&lots);
}

/* ---- what cannot be had ---- */

/* A ring, a pidfd of our own to try it with, and one more that comes back. */
TEST_F(files, for_want_of_descriptors_none_is_parked_and_later_it_is)
{
	const int first = null_open(), before = fds_count();
	struct rlimit all, limit;

	close(first);
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &all));
	limit = all;
	for (int n = 0; n <= 3; n++) {
		struct pt_lots lots;
		int r;

		lots_start(_metadata, &lots, 1);
		limit.rlim_cur = (rlim_t)(first + n);
		ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
		r = put(&lots, 0, self->null);
		ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &all));
		EXPECT_EQ(n < 3 ? -EMFILE : 0, r);
		EXPECT_EQ(before - (n < 3), fds_count());
		EXPECT_EQ(0, lots.refused);
		EXPECT_EQ(0, put(&lots, 0, self->null));
		EXPECT_TRUE(has(&lots, 0, self->null));
		pt_lots_done(&lots);
	}
}

/* A table is as large as the limit was at first, which is less by now. */
TEST_F(files, under_a_lower_limit_none_is_parked_and_later_it_is)
{
	const int before = fds_count();
	struct rlimit all, limit;
	struct pt_lots lots;

	lots_start(_metadata, &lots, 256);
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &all));
	limit = all;
	limit.rlim_cur = 128;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_EQ(-EMFILE, put(&lots, 0, self->null));
	EXPECT_EQ(before, fds_count());
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &all));
	EXPECT_EQ(0, put(&lots, 0, self->null));
	EXPECT_TRUE(has(&lots, 0, self->null));
	pt_lots_done(&lots);
}

TEST_F(files, what_is_refused_is_not_asked_for_again)
{
	const unsigned int tables = 13; /* IORING_REGISTER_FILES2 */
	const int before = fds_count();
	struct pt_lots lots;
	uint64_t calls;

	pt_lots_init(&lots);
	ASSERT_EQ(0, seccomp_on_argument(SYS_io_uring_register, 1, UINT32_MAX,
					 tables, SECCOMP_RET_ERRNO | EPERM, 0));
	EXPECT_EQ(-EPERM, put(&lots, 0, self->null));
	EXPECT_EQ(before, fds_count());
	calls = pt_sys_calls;
	EXPECT_EQ(-EPERM, put(&lots, 0, self->null));
	EXPECT_EQ(-EPERM, put(&lots, 100000, self->null));
	EXPECT_EQ(calls, pt_sys_calls);
	EXPECT_EQ(-EPERM, pt_lots_probe());
	pt_lots_done(&lots);
}

/* ---- what the kernel does not take ---- */

struct refusal {
	struct __test_metadata *_metadata;
	struct pt_lots *lots;
	int fd;
};

/* By a thread of its own: a filter is for good. */
static void put_in_vain(struct __test_metadata *_metadata,
			const struct refusal *it)
{
	const struct pt_parcel parcels[] = { { 5, it->fd }, { 6, it->fd } };
	int results[2] = { 0 };

	ASSERT_EQ(0, seccomp_refuse(SYS_io_uring_enter, EBUSY));
	pt_lots_put(it->lots, parcels, 2, results);
	EXPECT_EQ(-EAGAIN, results[0]);
	EXPECT_EQ(-EAGAIN, results[1]);
	EXPECT_EQ(-ENOMEM, lend(it->lots, 0));
}

static void *refused(void *argument)
{
	const struct refusal *it = argument;

	put_in_vain(it->_metadata, it);
	return NULL;
}

TEST_F(files, what_was_not_taken_is_not_done_later)
{
	const int before = fds_count();
	struct pt_lots lots;
	struct refusal refusal = { _metadata, &lots, self->null };
	pthread_t thread;

	pt_lots_init(&lots);
	ASSERT_EQ(0, put(&lots, 0, self->null));
	ASSERT_EQ(0, pthread_create(&thread, NULL, refused, &refusal));
	pthread_join(thread, NULL);
	EXPECT_TRUE(has(&lots, 0, self->null));
	EXPECT_EQ(0, put(&lots, 7, self->null));
	EXPECT_EQ(-EBADF, lend(&lots, 5));
	EXPECT_EQ(-EBADF, lend(&lots, 6));
	EXPECT_TRUE(has(&lots, 7, self->null));
	pt_lots_done(&lots);
	EXPECT_EQ(before, fds_count());
}

static void clear_in_vain(struct __test_metadata *_metadata,
			  const struct refusal *it)
{
	ASSERT_EQ(0, seccomp_refuse(SYS_io_uring_enter, EBUSY));
	for (uint32_t i = 0; i < MANY; i++)
		pt_lots_clear(it->lots, i);
	EXPECT_EQ(-EAGAIN, put(it->lots, MANY, it->fd));
	EXPECT_EQ(-ENOMEM, lend(it->lots, MANY - 1));
}

static void *refused_to_clear(void *argument)
{
	const struct refusal *it = argument;

	clear_in_vain(it->_metadata, it);
	return NULL;
}

/* What the queue has no room for stays until another has its number. */
TEST_F(files, what_is_let_go_of_is_so_once_the_kernel_takes_it)
{
	struct pt_lots lots;
	struct refusal refusal = { _metadata, &lots, self->zero };
	pthread_t thread;

	pt_lots_init(&lots);
	put_many(_metadata, &lots, 0, MANY, self->null);
	ASSERT_EQ(0, pthread_create(&thread, NULL, refused_to_clear, &refusal));
	pthread_join(thread, NULL);
	ASSERT_EQ(0, put(&lots, MANY - 1, self->zero));
	EXPECT_EQ(-EBADF, lend(&lots, 0));
	EXPECT_EQ(-EBADF, lend(&lots, 199));
	EXPECT_TRUE(has(&lots, MANY - 1, self->zero));
	EXPECT_EQ(-EBADF, lend(&lots, MANY));
	pt_lots_done(&lots);
}

TEST_HARNESS_MAIN
