/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * A directory of pins: made, locked, known again, removed; and left alone where
 * it is not one.
 */
#include "files.h"
#include "mounts.h"
#include "pin.h"
#include "pins.h"
#include "seccomp.h"
#include "sys.h"

FIXTURE(pins)
{
	struct room room;
	bool works;
};

FIXTURE_SETUP(pins)
{
	int r;

	if (!room_make(_metadata, &self->room))
		return;
	r = pt_pin_check();
	if (r < 0)
		SKIP(return, "no pins here: %s", strerror(-r));
	self->works = true;
}

FIXTURE_TEARDOWN(pins)
{
	room_end(&self->room);
}

#define TEST_PINS(test)                                             \
	static void test##_works(struct __test_metadata *_metadata, \
				 struct room *room);                \
	TEST_F(pins, test)                                          \
	{                                                           \
		if (self->works)                                    \
			test##_works(_metadata, &self->room);       \
	}                                                           \
	static void test##_works(struct __test_metadata *_metadata, \
				 struct room *room)

static struct pt_pins *pins_open(struct __test_metadata *_metadata,
				 const char *path)
{
	struct pt_pins *pins = NULL;

	ASSERT_EQ(0, pt_pins_open(path, &pins));
	return pins;
}

static void expect_refused(struct __test_metadata *_metadata, int r,
			   const char *path)
{
	struct pt_pins *pins = NULL;

	EXPECT_EQ(r, pt_pins_open(path, &pins));
	EXPECT_NULL(pins);
}

/* What another process is answered: @r, or 0 and it closes again. */
static void expect_elsewhere(struct __test_metadata *_metadata, int r,
			     const char *path)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		struct pt_pins *pins = NULL;

		EXPECT_EQ(r, pt_pins_open(path, &pins));
		pt_pins_close(pins);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

static bool mount_has(const char *path, const char *words)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	char line[4096], at[1024];
	bool has = false;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%*s %*s %*s %*s %1023s", at) == 1 &&
		    !strcmp(at, path))
			has = strstr(line, words);
	if (file)
		fclose(file);
	return has;
}

TEST_PINS(it_is_made_and_nothing_of_it_is_left)
{
	struct pt_pins *pins = pins_open(_metadata, room->pins);
	struct stat found;

	EXPECT_EQ(2, mounts_at(room->path));
	EXPECT_TRUE(mount_has(room->pins, " rw,nosuid,nodev,noexec"));
	EXPECT_FALSE(mount_has(room->pins, "shared:"));
	ASSERT_EQ(0, stat(room->pins, &found));
	EXPECT_EQ(S_IFDIR | 0700, found.st_mode);
	EXPECT_NULL(pt_pins_close(pins));
	EXPECT_EQ(1, mounts_at(room->path));
	EXPECT_FALSE(path_exists(room->pins));
}

TEST_PINS(an_empty_directory_of_ours_stays_ours)
{
	struct stat found;

	ASSERT_EQ(0, mkdir(room->pins, 0755));
	pt_pins_close(pins_open(_metadata, room->pins));
	EXPECT_EQ(1, mounts_at(room->path));
	ASSERT_EQ(0, stat(room->pins, &found));
	EXPECT_EQ(S_IFDIR | 0755, found.st_mode);
}

/* Who makes it and who is first to mount on it may be two. */
TEST_PINS(one_that_another_tracker_has_made_is_removed)
{
	ASSERT_EQ(0, mkdir(room->pins, 01700));
	pt_pins_close(pins_open(_metadata, room->pins));
	EXPECT_EQ(1, mounts_at(room->path));
	EXPECT_FALSE(path_exists(room->pins));
}

static void claim(struct __test_metadata *_metadata, const struct pt_pins *pins,
		  const char *name)
{
	int file = pt_pin_claim(pins->dir, name);

	ASSERT_GE(file, 0);
	close(file);
}

TEST_PINS(one_with_pins_stays_and_is_opened_again)
{
	CLEANUP(pt_pins_list_done) struct pt_pins_list list = { 0 };
	struct pt_pins *pins = pins_open(_metadata, room->pins);

	claim(_metadata, pins, "web");
	pt_pins_close(pins);
	EXPECT_EQ(2, mounts_at(room->path));

	pins = pins_open(_metadata, room->pins);
	EXPECT_EQ(2, mounts_at(room->path));
	ASSERT_EQ(0, pt_pins_list(pins, &list));
	ASSERT_EQ(1, list.n);
	EXPECT_STREQ("web", list.names[0]);
	EXPECT_EQ(0, pt_pin_drop(pins->dir, pins->path, "web", 1));
	pt_pins_close(pins);
	EXPECT_FALSE(path_exists(room->pins));
}

TEST_PINS(a_thousand_are_listed)
{
	CLEANUP(pt_pins_list_done) struct pt_pins_list list = { 0 };
	struct pt_pins *pins = pins_open(_metadata, room->pins);
	char name[16];
	int i;

	for (i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "%d", i);
		claim(_metadata, pins, name);
	}
	ASSERT_EQ(0, pt_pins_list(pins, &list));
	EXPECT_EQ(1000, list.n);
	pt_pins_close(pins);
}

TEST_PINS(by_a_relative_path_it_is_the_same)
{
	struct pt_pins *pins;

	ASSERT_EQ(0, chdir(room->path));
	pins = pins_open(_metadata, "pins//");
	ASSERT_EQ(0, chdir("/"));
	EXPECT_EQ(2, mounts_at(room->path));
	expect_refused(_metadata, -EBUSY, room->pins);
	pt_pins_close(pins);
	EXPECT_FALSE(path_exists(room->pins));
}

/* ---- whose it is ---- */

TEST_PINS(two_hosts_cannot_have_it)
{
	struct pt_pins *pins = pins_open(_metadata, room->pins);

	expect_elsewhere(_metadata, -EBUSY, room->pins);
	expect_elsewhere(_metadata, -EBUSY, room->pins);
	pt_pins_close(pins);
	expect_elsewhere(_metadata, 0, room->pins);
}

TEST_PINS(nor_two_trackers_of_one)
{
	struct pt_pins *pins = pins_open(_metadata, room->pins);

	expect_refused(_metadata, -EBUSY, room->pins);
	/* nor has that given it away */
	expect_elsewhere(_metadata, -EBUSY, room->pins);
	pt_pins_close(pins);
	pt_pins_close(pins_open(_metadata, room->pins));
}

TEST_PINS(one_host_can_have_several)
{
	char path[100];
	struct pt_pins *pins = pins_open(_metadata, room->pins), *others;

	snprintf(path, sizeof(path), "%s/others", room->path);
	others = pins_open(_metadata, path);
	EXPECT_EQ(3, mounts_at(room->path));
	pt_pins_close(pins);
	expect_elsewhere(_metadata, -EBUSY, path);
	pt_pins_close(others);
	EXPECT_EQ(1, mounts_at(room->path));
}

TEST_PINS(a_child_of_fork_neither_has_it_nor_takes_it_away)
{
	struct pt_pins *pins = pins_open(_metadata, room->pins);
	struct pt_pins *unused = NULL;
	pid_t pid = fork();
	int status;

	if (!pid) {
		EXPECT_EQ(-EBUSY, pt_pins_open(room->pins, &unused));
		pt_pins_abandon(pins);
		EXPECT_EQ(-EBUSY, pt_pins_open(room->pins, &unused));
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(2, mounts_at(room->path));
	expect_elsewhere(_metadata, -EBUSY, room->pins);
	pt_pins_close(pins);
}

TEST_PINS(a_child_of_a_killed_host_does_not_have_it)
{
	int ready[2], status;
	struct pt_pins *pins;
	pid_t host, child;

	ASSERT_EQ(0, pipe2(ready, O_CLOEXEC));
	host = fork();
	if (!host) {
		pins_open(_metadata, room->pins);
		child = fork();
		if (!child)
			for (;;)
				pause();
		EXPECT_EQ(sizeof(child),
			  write(ready[1], &child, sizeof(child)));
		for (;;)
			pause();
	}
	ASSERT_EQ(sizeof(child), read(ready[0], &child, sizeof(child)));
	expect_refused(_metadata, -EBUSY, room->pins);
	ASSERT_EQ(0, kill(host, SIGKILL));
	ASSERT_EQ(host, waitpid(host, &status, 0));
	pins = pins_open(_metadata, room->pins);
	EXPECT_EQ(2, mounts_at(room->path));
	ASSERT_EQ(0, kill(child, SIGKILL)); /* ours since its parent's end */
	ASSERT_EQ(child, waitpid(child, &status, 0));
	pt_pins_close(pins);
	EXPECT_FALSE(path_exists(room->pins));
	close(ready[0]);
	close(ready[1]);
}

/* Stops whoever lists a directory: the listener, for our parent. */
static void open_stopped(struct __test_metadata *_metadata,
			 const struct room *room, int say)
{
	int listener = seccomp_stop(SYS_getdents64);

	ASSERT_EQ(sizeof(listener), write(say, &listener, sizeof(listener)));
	pt_pins_close(pins_open(_metadata, room->pins));
	_exit(0);
}

TEST_PINS(one_removed_as_it_is_looked_into_is_made_again)
{
	int said[2], pidfd, listener, status;
	uint64_t id;
	pid_t host;

	ASSERT_EQ(0, pipe2(said, O_CLOEXEC));
	host = fork();
	if (!host)
		open_stopped(_metadata, room, said[1]);
	ASSERT_EQ(sizeof(listener), read(said[0], &listener, sizeof(listener)));
	pidfd = sys_pidfd_open(host, 0);
	listener = (int)syscall(SYS_pidfd_getfd, pidfd, listener, 0);
	ASSERT_GE(listener, 0);
	ASSERT_EQ(host, seccomp_stopped(listener, &id));
	ASSERT_EQ(0, rmdir(room->pins));
	do
		ASSERT_EQ(0, seccomp_go(listener, id));
	while (await_fd(listener, POLLIN, -1) & POLLIN &&
	       seccomp_stopped(listener, &id) > 0);
	ASSERT_EQ(host, waitpid(host, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_FALSE(path_exists(room->pins));
	close(listener);
	close(pidfd);
	close(said[0]);
	close(said[1]);
}

TEST_PINS(of_hosts_that_start_and_end_at_once_one_has_it)
{
	enum { HOSTS = 4, ROUNDS = 100 };
	int *holders, i, status;

	holders = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_TRUE(holders != MAP_FAILED);
	for (i = 0; i < HOSTS; i++) {
		int j;

		if (fork())
			continue;
		for (j = 0; j < ROUNDS; j++) {
			struct pt_pins *pins = NULL;
			int r = pt_pins_open(room->pins, &pins);

			if (r < 0) {
				EXPECT_EQ(-EBUSY, r);
				sched_yield();
				continue;
			}
			EXPECT_EQ(1, __atomic_add_fetch(holders, 1,
							__ATOMIC_SEQ_CST));
			sched_yield();
			__atomic_sub_fetch(holders, 1, __ATOMIC_SEQ_CST);
			pt_pins_close(pins);
		}
		_exit(0);
	}
	for (i = 0; i < HOSTS; i++) {
		ASSERT_GT(wait(&status), 0);
		EXPECT_EQ(0, status);
	}
	pt_pins_close(pins_open(_metadata, room->pins));
	EXPECT_EQ(1, mounts_at(room->path));
	munmap(holders, 4096);
}

/* ---- what is not ours ---- */

TEST_PINS(one_with_something_in_it_is_left_alone)
{
	char path[100];

	snprintf(path, sizeof(path), "%s/file", room->pins);
	ASSERT_EQ(0, mkdir(room->pins, 0700));
	file_text(_metadata, path, "x", 0600);
	expect_refused(_metadata, -ENOTEMPTY, room->pins);
	EXPECT_STREQ("x", file_read(_metadata, path));
	EXPECT_EQ(1, mounts_at(room->path));
}

TEST_PINS(one_of_a_boot_before_is_used_again)
{
	/* all that is left of it is the directory */
	ASSERT_EQ(0, mkdir(room->pins, 0700));
	pt_pins_close(pins_open(_metadata, room->pins));
	EXPECT_TRUE(path_exists(room->pins));
}

TEST_PINS(one_of_another_user_is_refused)
{
	ASSERT_EQ(0, mkdir(room->pins, 0700));
	ASSERT_EQ(0, chown(room->pins, 65534, 65534));
	expect_refused(_metadata, -EPERM, room->pins);
	ASSERT_EQ(0, chown(room->pins, 0, 0));
	ASSERT_EQ(0, chmod(room->pins, 0777));
	expect_refused(_metadata, -EPERM, room->pins);
	EXPECT_EQ(1, mounts_at(room->path));
}

static void mount_foreign(struct __test_metadata *_metadata,
			  const struct room *room, const char *options,
			  const char *marker)
{
	char path[120];

	mkdir(room->pins, 0700);
	umount2(room->pins, MNT_DETACH);
	ASSERT_EQ(0, mount("other", room->pins, "tmpfs", 0, options));
	snprintf(path, sizeof(path), "%s/.pidtrack-pins", room->pins);
	if (marker)
		file_text(_metadata, path, marker, 0600);
}

TEST_PINS(a_foreign_mount_is_refused)
{
	mount_foreign(_metadata, room, "mode=0700", "");
	expect_refused(_metadata, -EPERM, room->pins);
	mount_foreign(_metadata, room, "mode=0700", "something\n");
	expect_refused(_metadata, -EPERM, room->pins);
	mount_foreign(_metadata, room, "mode=0755", "pidtrack-pins=1\n");
	expect_refused(_metadata, -EPERM, room->pins);
	mount_foreign(_metadata, room, "mode=0700,uid=65534",
		      "pidtrack-pins=1\n");
	expect_refused(_metadata, -EPERM, room->pins);
	/* and one of another format, or place, is said to be so */
	mount_foreign(_metadata, room, "mode=0700", "pidtrack-pins=1\nx\n");
	expect_refused(_metadata, -EREMOTE, room->pins);
	EXPECT_EQ(2, mounts_at(room->path));
}

TEST_PINS(what_is_no_directory_is_refused)
{
	char path[100];

	file_text(_metadata, room->pins, "", 0600);
	expect_refused(_metadata, -ENOTDIR, room->pins);
	ASSERT_EQ(0, unlink(room->pins));
	ASSERT_EQ(0, symlink(room->path, room->pins));
	expect_refused(_metadata, -ENOTDIR, room->pins);
	snprintf(path, sizeof(path), "%s/", room->pins);
	expect_refused(_metadata, -ENOTDIR, path);
	snprintf(path, sizeof(path), "%s/a/b", room->path);
	expect_refused(_metadata, -ENOENT, path);
	expect_refused(_metadata, -ENOENT, "");
}

TEST_PINS(a_failure_leaves_no_directory)
{
	ASSERT_EQ(0, seccomp_refuse(SYS_fsmount, ENOSYS));
	expect_refused(_metadata, -EOPNOTSUPP, room->pins);
	EXPECT_FALSE(path_exists(room->pins));
	EXPECT_EQ(1, mounts_at(room->path));
}

TEST_PINS(one_that_is_not_to_be_private_is_not_used)
{
	ASSERT_EQ(0, seccomp_refuse(SYS_mount_setattr, EPERM));
	expect_refused(_metadata, -EPERM, room->pins);
	EXPECT_FALSE(path_exists(room->pins));
	EXPECT_EQ(1, mounts_at(room->path));
}

/* ---- other mount namespaces ---- */

/* One that gets what is mounted here; it looks when told. */
struct peer {
	pid_t pid;
	int go[2], said[2];
};

static void peer_start(struct __test_metadata *_metadata, struct peer *peer,
		       const struct room *room, unsigned long propagation)
{
	char byte;

	ASSERT_EQ(0, pipe2(peer->go, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(peer->said, O_CLOEXEC));
	peer->pid = fork();
	ASSERT_GE(peer->pid, 0);
	if (peer->pid) {
		ASSERT_EQ(1, read(peer->said[0], &byte, 1));
		return;
	}
	ASSERT_EQ(0, unshare(CLONE_NEWNS));
	if (propagation)
		ASSERT_EQ(0,
			  mount(NULL, "/", NULL, MS_REC | propagation, NULL));
	do {
		byte = (char)mounts_at(room->path);
		ASSERT_EQ(1, write(peer->said[1], &byte, 1));
	} while (read(peer->go[0], &byte, 1) == 1 && byte);
	_exit(0);
}

/* How many mounts it sees. */
static int peer_sees(struct __test_metadata *_metadata, struct peer *peer)
{
	char byte = 1;

	EXPECT_EQ(1, write(peer->go[1], &byte, 1));
	EXPECT_EQ(1, read(peer->said[0], &byte, 1));
	return byte;
}

static void peer_end(struct __test_metadata *_metadata, struct peer *peer)
{
	int status, i;
	char byte = 0;

	EXPECT_EQ(1, write(peer->go[1], &byte, 1));
	ASSERT_EQ(peer->pid, waitpid(peer->pid, &status, 0));
	EXPECT_EQ(0, status);
	for (i = 0; i < 2; i++) {
		close(peer->go[i]);
		close(peer->said[i]);
	}
}

TEST_PINS(no_pin_shows_up_where_mounts_are_passed_on_to)
{
	struct peer shares, follows;
	struct pt_pins *pins;
	uint64_t inode = 0;
	int fd, file;

	ASSERT_EQ(0, mount(NULL, room->path, NULL, MS_SHARED, NULL));
	peer_start(_metadata, &shares, room, 0);
	peer_start(_metadata, &follows, room, MS_SLAVE);
	pins = pins_open(_metadata, room->pins);
	fd = sys_pidfd_open(getpid(), 0);
	ASSERT_EQ(0, sys_inode(fd, &inode));
	file = pt_pin_claim(pins->dir, "web");
	ASSERT_EQ(0, pt_pin_mount(file, fd));
	close(file);
	EXPECT_EQ(3, mounts_at(room->path));
	/* the directory, without what is in it */
	EXPECT_EQ(2, peer_sees(_metadata, &shares));
	EXPECT_EQ(2, peer_sees(_metadata, &follows));

	EXPECT_EQ(0, pt_pin_drop(pins->dir, pins->path, "web", inode));
	pt_pins_close(pins);
	EXPECT_EQ(1, peer_sees(_metadata, &shares));
	EXPECT_EQ(1, peer_sees(_metadata, &follows));
	EXPECT_FALSE(path_exists(room->pins));
	peer_end(_metadata, &shares);
	peer_end(_metadata, &follows);
	close(fd);
}

TEST_PINS(a_copy_of_the_namespace_loses_the_pin_with_us)
{
	struct peer copy;
	struct pt_pins *pins = pins_open(_metadata, room->pins);
	int fd = sys_pidfd_open(getpid(), 0), file;
	uint64_t inode = 0;

	ASSERT_EQ(0, sys_inode(fd, &inode));
	file = pt_pin_claim(pins->dir, "web");
	ASSERT_EQ(0, pt_pin_mount(file, fd));
	close(file);
	peer_start(_metadata, &copy, room, 0);
	EXPECT_EQ(3, peer_sees(_metadata, &copy));
	EXPECT_EQ(0, pt_pin_drop(pins->dir, pins->path, "web", inode));
	EXPECT_EQ(2, peer_sees(_metadata, &copy));
	pt_pins_close(pins);
	EXPECT_EQ(1, peer_sees(_metadata, &copy));
	EXPECT_FALSE(path_exists(room->pins));
	peer_end(_metadata, &copy);
	close(fd);
}

TEST_PINS(from_another_namespace_it_is_refused)
{
	struct pt_pins *pins = pins_open(_metadata, room->pins), *unused;
	int status;
	pid_t pid;

	claim(_metadata, pins, "web");
	pt_pins_close(pins);
	pid = fork();
	if (!pid) {
		EXPECT_EQ(0, unshare(CLONE_NEWNS));
		EXPECT_EQ(-EREMOTE, pt_pins_open(room->pins, &unused));
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	pins = pins_open(_metadata, room->pins);
	EXPECT_EQ(0, pt_pin_drop(pins->dir, pins->path, "web", 1));
	pt_pins_close(pins);
}

TEST_HARNESS_MAIN
