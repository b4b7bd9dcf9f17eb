/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * A record is removed if it is the one that was judged, and no other ever:
 * whoever replaces it, and whenever.
 */
#include <pthread.h>

#include "registered.h"
#include "seccomp.h"

FIXTURE(place)
{
	char dir[40];
	char path[64];
	struct pidtrack_record *record; /* of "4711\n", which is there */
};

FIXTURE_SETUP(place)
{
	strcpy(self->dir, "/tmp/pt-removal-XXXXXX");
	ASSERT_TRUE(mkdtemp(self->dir) != NULL);
	snprintf(self->path, sizeof(self->path), "%s/web", self->dir);
	put(_metadata, self->dir, "web", "4711\n");
	ASSERT_EQ(0, pidtrack_record_read(self->path, &self->record));
}

FIXTURE_TEARDOWN(place)
{
	pidtrack_record_free(self->record);
	unlink(self->path);
	rmdir(self->path);
	EXPECT_EQ(0, rmdir(self->dir)); /* nothing hidden is left in it */
}

static pid_t pid_at(const char *path)
{
	struct pidtrack_record *record;
	int r = pidtrack_record_read(path, &record);

	if (r < 0)
		return r;
	r = pidtrack_record_pid(record);
	pidtrack_record_free(record);
	return r;
}

TEST_F(place, the_one_that_was_read_is_removed)
{
	EXPECT_EQ(0, pidtrack_record_remove(self->path, self->record));
	EXPECT_EQ(-ENOENT, pid_at(self->path));
	EXPECT_EQ(-ENOENT, pidtrack_record_remove(self->path, self->record));
}

TEST_F(place, by_whatever_path_it_is_the_same)
{
	char path[80];

	ASSERT_EQ(0, chdir(self->dir));
	ASSERT_EQ(0, rename("web", "web.moved"));
	EXPECT_EQ(-ENOENT, pidtrack_record_remove("web", self->record));
	snprintf(path, sizeof(path), "%s/../%s/.//web.moved", self->dir,
		 strrchr(self->dir, '/') + 1);
	ASSERT_EQ(0, link("web.moved", "web"));
	EXPECT_EQ(0, pidtrack_record_remove(path, self->record));
	EXPECT_EQ(0, pidtrack_record_remove("web", self->record));
	ASSERT_EQ(0, chdir("/"));
}

TEST_F(place, another_one_stays)
{
	/* one that says the same is another process's, which got its number */
	put(_metadata, self->dir, "web", "4711\n");
	EXPECT_EQ(-ESTALE, pidtrack_record_remove(self->path, self->record));
	EXPECT_EQ(4711, pid_at(self->path));
	put(_metadata, self->dir, "web", "4712\n");
	EXPECT_EQ(-ESTALE, pidtrack_record_remove(self->path, self->record));
	EXPECT_EQ(4712, pid_at(self->path));
}

TEST_F(place, one_that_was_written_over_in_place_stays)
{
	struct timespec times[2];
	struct stat before;
	int fd = open(self->path, O_RDWR | O_CLOEXEC);

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, fstat(fd, &before));
	ASSERT_EQ(5, pwrite(fd, "4712\n", 5, 0));
	/* with the old date: its bytes alone are others */
	times[0] = before.st_atim;
	times[1] = before.st_mtim;
	ASSERT_EQ(0, futimens(fd, times));
	EXPECT_EQ(-ESTALE, pidtrack_record_remove(self->path, self->record));
	EXPECT_EQ(4712, pid_at(self->path));
	close(fd);
}

TEST_F(place, what_is_no_file_stays)
{
	static const char large[PIDTRACK_RECORD_MAX + 1];

	ASSERT_EQ(0, unlink(self->path));
	ASSERT_EQ(0, mkdir(self->path, 0700));
	EXPECT_EQ(-ESTALE, pidtrack_record_remove(self->path, self->record));
	ASSERT_EQ(0, rmdir(self->path));
	ASSERT_EQ(0, symlink("/etc/passwd", self->path));
	EXPECT_EQ(-ESTALE, pidtrack_record_remove(self->path, self->record));
	ASSERT_EQ(0, unlink(self->path));
	ASSERT_EQ(0, mkfifo(self->path, 0600));
	EXPECT_EQ(-ESTALE, pidtrack_record_remove(self->path, self->record));
	put_bytes(_metadata, self->dir, "web", large, sizeof(large));
	EXPECT_EQ(-ESTALE, pidtrack_record_remove(self->path, self->record));
	EXPECT_EQ(0, access(self->path, F_OK));
}

TEST_F(place, what_is_not_from_a_file_removes_none)
{
	struct pidtrack_record *parsed = record_of_text(_metadata, "4711\n");

	EXPECT_EQ(-EINVAL, pidtrack_record_remove(self->path, parsed));
	EXPECT_EQ(4711, pid_at(self->path));
	pidtrack_record_free(parsed);
}

TEST_F(place, what_cannot_be_looked_at_stays)
{
	struct rlimit limit, none;
	int least = dup(0), n, r = -1;

	close(least);
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	none = limit;
	for (n = 0; n < 3; n++) {
		none.rlim_cur = least + n;
		ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
		r = pidtrack_record_remove(self->path, self->record);
		EXPECT_EQ(-EMFILE, r);
	}
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_EQ(4711, pid_at(self->path));
}

/* ---- in the middle of it, for certain: it is stopped at each rename ---- */

struct removing {
	const char *path;
	const struct pidtrack_record *record;
	int result;
};

static void *remove_it(void *arg)
{
	struct removing *removing = arg;

	removing->result =
		pidtrack_record_remove(removing->path, removing->record);
	return NULL;
}

/* Waits until it is, or until it has ended, and then joins it. */
static bool is_stopped(int listener, pthread_t thread)
{
	struct pollfd stopped = { .fd = listener, .events = POLLIN };

	while (poll(&stopped, 1, 10) == 0) {
		if (pthread_tryjoin_np(thread, NULL) == 0)
			return false;
	}
	return true;
}

/* By renameat, which is not stopped. */
static void replace(struct __test_metadata *_metadata, const char *dir,
		    const char *text)
{
	char from[64];
	int fd;

	snprintf(from, sizeof(from), "%s/.new", dir);
	fd = open(from, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_EQ((ssize_t)strlen(text), write(fd, text, strlen(text)));
	close(fd);
	ASSERT_EQ(0, syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD,
			     path_in(dir, "web")));
}

struct step {
	const char *dir;
	struct removing removing;
	const char *texts[2]; /* put there at the first stop, and the second */
	int stops;	      /* there are */
	int result;
};

static void step_through(struct __test_metadata *_metadata, void *arg)
{
	struct step *step = arg;
	pthread_t thread;
	int i, listener;
	uint64_t id;

	listener = seccomp_stop(SYS_renameat2);
	if (listener < 0)
		SKIP(return,
			   "no listener of seccomp: Linux < 5.5, or valgrind");
	ASSERT_EQ(0, pthread_create(&thread, NULL, remove_it, &step->removing));
	for (i = 0; is_stopped(listener, thread); i++) {
		ASSERT_LT(i, 2);
		ASSERT_GT(seccomp_stopped(listener, &id), 0);
		if (step->texts[i])
			replace(_metadata, step->dir, step->texts[i]);
		ASSERT_EQ(0, seccomp_go(listener, id));
	}
	EXPECT_EQ(step->stops, i);
	close(listener);
	EXPECT_EQ(step->result, step->removing.result);
}

#define STEP(stops_, ...)                                      \
	apart(_metadata, step_through,                         \
	      &(struct step){ self->dir,                       \
			      { self->path, self->record, 0 }, \
			      { __VA_ARGS__ },                 \
			      stops_,                          \
			      stops_ == 2 ? -ESTALE : 0 })

TEST_F(place, one_that_comes_after_the_look_is_put_back)
{
	STEP(2, "4712\n");
	EXPECT_EQ(4712, pid_at(self->path));
}

TEST_F(place, one_that_comes_before_it_is_put_back_is_the_one)
{
	STEP(2, "4712\n", "4713\n");
	EXPECT_EQ(4713, pid_at(self->path));
}

TEST_F(place, if_nobody_comes_it_is_gone)
{
	STEP(1, NULL);
	EXPECT_EQ(-ENOENT, pid_at(self->path));
}

/* ---- without flags of rename ---- */

static void refuse_flags(struct __test_metadata *_metadata, void *arg)
{
	struct removing *removing = arg;

	ASSERT_GE(seccomp_refuse_bits(SYS_renameat2, 4, 1, EINVAL), 0);
	remove_it(removing);
	EXPECT_EQ(0, removing->result);
}

TEST_F(place, where_rename_has_no_flags_it_is_removed_too)
{
	struct removing removing = { self->path, self->record, 0 };

	apart(_metadata, refuse_flags, &removing);
	EXPECT_EQ(-ENOENT, pid_at(self->path));
}

/* As on a file system that knows none; where it has no links either, too. */
static void step_without_flags(struct __test_metadata *_metadata, void *arg)
{
	ASSERT_GE(seccomp_refuse_bits(SYS_renameat2, 4, 1, EINVAL), 0);
	step_through(_metadata, arg);
}

static void step_without_links(struct __test_metadata *_metadata, void *arg)
{
	ASSERT_EQ(0, seccomp_refuse(SYS_linkat, EPERM));
	step_without_flags(_metadata, arg);
}

TEST_F(place, where_rename_has_no_flags_another_is_put_back_too)
{
	struct step step = { self->dir,
			     { self->path, self->record, 0 },
			     { "4712\n" },
			     1,
			     -ESTALE };

	apart(_metadata, step_without_flags, &step);
	EXPECT_EQ(4712, pid_at(self->path));
}

TEST_F(place, where_there_are_no_links_either_another_is_put_back_too)
{
	struct step step = { self->dir,
			     { self->path, self->record, 0 },
			     { "4712\n" },
			     2,
			     -ESTALE };

	apart(_metadata, step_without_links, &step);
	EXPECT_EQ(4712, pid_at(self->path));
}

/* ---- a race ---- */

#define ROUNDS 4000
#define ROUNDS_MS 8000 /* fewer on a machine that is busy */

/* Removes what is stale, until the other end is closed. */
static void sweep(const char *path, pid_t live, int stop)
{
	while (!await_fd(stop, POLLHUP, 0)) {
		struct pidtrack_record *record;

		if (pidtrack_record_read(path, &record))
			continue;
		if (pidtrack_record_pid(record) != live)
			pidtrack_record_remove(path, record);
		pidtrack_record_free(record);
	}
}

static void await_pid(struct __test_metadata *_metadata, const char *path,
		      pid_t pid)
{
	int64_t end = now_ms() + awhile_ms();
	pid_t seen;

	/* out of sight for a moment, perhaps, or moved while it is read */
	while ((seen = pid_at(path)) != pid) {
		ASSERT_TRUE(seen == -ENOENT || seen == -EAGAIN);
		ASSERT_LT(now_ms(), end);
	}
}

TEST_F(place, a_live_one_is_never_lost_to_those_who_sweep)
{
	int64_t end = now_ms() + ROUNDS_MS;
	pid_t sweepers[2];
	int stop[2], i, n;

	ASSERT_EQ(0, pipe2(stop, O_CLOEXEC));
	for (i = 0; i < 2; i++) {
		sweepers[i] = fork();
		if (!sweepers[i]) {
			close(stop[1]);
			sweep(self->path, 4712, stop[0]);
			_exit(0);
		}
	}
	for (n = 0; n < ROUNDS && now_ms() < end; n++) {
		put(_metadata, self->dir, "web", "4711\n");
		if (n % 3 == 0)
			sched_yield();
		put(_metadata, self->dir, "web", "4712\n");
		await_pid(_metadata, self->path, 4712);
	}
	TH_LOG("%d rounds", n);
	close(stop[0]);
	close(stop[1]);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(sweepers[i], waitpid(sweepers[i], NULL, 0));
	}
	EXPECT_EQ(4712, pid_at(self->path));
}

TEST_HARNESS_MAIN
