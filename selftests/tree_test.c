/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* Finding those who are to end, as kernels of all kinds let it be done. */
#include <sys/epoll.h>

#include "tree.h"

#undef ARRAY_SIZE
#include "cgroups.h"
#include "family.h"
#include "pids.h"
#include "seccomp.h"

static struct pt_tree *tree_of(struct __test_metadata *_metadata, pid_t pid,
			       int pidfd, const int *epoll)
{
	struct pt_tree *tree = NULL;
	struct pt_place place;

	pt_place_look(&place);
	ASSERT_EQ(0, pt_tree_new(&place, PIDTRACK_STOP_TREE, pid, pidfd, false,
				 -1, epoll, &tree));
	return tree;
}

/* A root that has no children yet; more when something is written to it. */
static pid_t root_start(struct family *family, int in)
{
	pid_t root = fork();
	char byte;

	if (root)
		return root;
	family_join(family);
	if (read(in, &byte, 1) == 1)
		family_start(family, 3, 3);
	family_live();
}

static void all_are_found(struct __test_metadata *_metadata, bool listed)
{
	struct family *family = family_make(_metadata);
	int epoll = epoll_create1(EPOLL_CLOEXEC), pidfd, fds[2];
	struct pt_tree *tree;
	pid_t root;

	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	root = root_start(family, fds[0]);
	family_await(_metadata, family, 1);
	pidfd = family->pidfds[0];
	tree = tree_of(_metadata, root, pidfd, &epoll);
	EXPECT_EQ(0, tree->n_alive);
	ASSERT_EQ(1, write(fds[1], "", 1));
	family_await(_metadata, family, 41);
	tree->listed = listed;
	pt_tree_signal(tree, SIGKILL, INT64_MAX);
	EXPECT_EQ(40, tree->n_alive);
	EXPECT_EQ(41, tree->reached);
	EXPECT_FALSE(pt_tree_is_over(tree));
	pt_tree_free(tree);
	close(epoll);
	close(fds[0]);
	close(fds[1]);
	family_end(_metadata, family);
}

TEST(all_are_found_where_the_kernel_lists_children)
{
	if (pt_pids_lists_children() <= 0)
		SKIP(return, "no CONFIG_PROC_CHILDREN");
	all_are_found(_metadata, true);
}

TEST(all_are_found_where_it_does_not)
{
	all_are_found(_metadata, false);
}

/* Without a descriptor it is not known, and asked again. */
TEST(whether_it_does_is_asked_when_there_is_room)
{
	struct family *family = family_make(_metadata);
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct rlimit before;
	struct pt_place place;
	struct pt_tree *tree;
	int pidfd;

	pt_place_look(&place);
	family->root = family_start(family, 2, 1);
	family_await(_metadata, family, 3);
	pidfd = (int)syscall(SYS_pidfd_open, family->root, 0);
	ASSERT_GE(pidfd, 0);
	before = fds_leave(_metadata, 0);
	EXPECT_EQ(-EMFILE, pt_pids_lists_children());
	ASSERT_EQ(0, pt_tree_new(&place, PIDTRACK_STOP_TREE, family->root,
				 pidfd, false, -1, &epoll, &tree));
	EXPECT_EQ(-EMFILE, tree->listed);
	pt_tree_signal(tree, SIGKILL, INT64_MAX);
	EXPECT_EQ(0, tree->reached);
	fds_restore(_metadata, before);
	pt_tree_sweep(tree);
	EXPECT_GE(tree->listed, 0);
	EXPECT_EQ(3, tree->reached);
	pt_tree_free(tree);
	close(pidfd);
	close(epoll);
	family_end(_metadata, family);
}

/* Before Linux 6.13 a pidfd does not tell whose child its process is. */
TEST(all_are_found_where_neither_it_nor_a_pidfd_tells)
{
	ASSERT_EQ(0, seccomp_refuse(SYS_ioctl, ENOTTY));
	all_are_found(_metadata, false);
}

static void start_in(struct family *family, const char *path)
{
	if (fork())
		return;
	if (cgroup_join(path))
		_exit(93);
	family_join(family);
	family_live();
}

TEST(who_came_since_is_killed_with_its_cgroup_and_counted_once)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC), i;
	struct family *family;
	struct cgroup cgroup;
	struct pt_place place;
	struct pt_tree *tree;

	if (geteuid() || cgroup_make(&cgroup))
		SKIP(return, "wants root and a cgroup2 mount");
	if (faccessat(cgroup.fd, "cgroup.kill", F_OK, 0)) {
		cgroup_remove(&cgroup);
		SKIP(return, "no cgroup.kill, Linux < 5.14");
	}
	family = family_make(_metadata);
	start_in(family, cgroup.path);
	family_await(_metadata, family, 1);
	pt_place_look(&place);
	ASSERT_EQ(0, pt_tree_new(&place, PIDTRACK_STOP_CGROUP, family->pids[0],
				 family->pidfds[0], false, cgroup.fd, &epoll,
				 &tree));
	for (i = 0; i < 30; i++)
		start_in(family, cgroup.path);
	family_await(_metadata, family, 31);
	pt_tree_signal(tree, SIGKILL, INT64_MAX);
	pt_tree_signal(tree, SIGKILL, INT64_MAX);
	EXPECT_EQ(31, tree->reached);
	family_await_end(_metadata, family, 31);
	pt_tree_free(tree);
	close(epoll);
	family_end(_metadata, family);
	cgroup_remove(&cgroup);
}

TEST(numbers_are_read_whole_wherever_the_reading_is_cut)
{
	struct pt_pids pids = { 0 };
	FILE *file = tmpfile();
	char path[64];
	int i;

	ASSERT_NE(NULL, (void *)file);
	for (i = 1; i <= 5000; i++)
		fprintf(file, "%d%s", i * 7, i % 3 ? " " : "\n");
	fprintf(file, "99999999999999999999 4");
	fflush(file);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fileno(file));
	ASSERT_EQ(0, pt_pids_in_file(&pids, AT_FDCWD, path));
	ASSERT_EQ(5001, pids.n);
	for (i = 1; i <= 5000; i++)
		ASSERT_EQ(i * 7, pids.at[i - 1]);
	EXPECT_EQ(4, pids.at[5000]);
	EXPECT_TRUE(pt_pids_has(&pids, 35000));
	EXPECT_FALSE(pt_pids_has(&pids, 99));
	pt_pids_sort(&pids);
	EXPECT_EQ(4, pids.at[0]);
	EXPECT_TRUE(pt_pids_has(&pids, 35000));
	EXPECT_TRUE(pt_pids_has(&pids, 4));
	EXPECT_FALSE(pt_pids_has(&pids, 99));
	ASSERT_EQ(0, pt_pids_add(&pids, 99));
	EXPECT_TRUE(pt_pids_has(&pids, 99));
	pt_pids_done(&pids);
	fclose(file);
}

TEST(a_process_that_was_stopped_is_still_and_else_it_is_not)
{
	struct family *family = family_make(_metadata);
	pid_t root = family_start(family, 0, 0);
	bool wants_processor = false;
	int status;

	family_await(_metadata, family, 1);
	EXPECT_FALSE(pt_pids_is_still(root, &wants_processor));
	kill(root, SIGSTOP);
	ASSERT_EQ(root, waitpid(root, &status, WUNTRACED));
	wants_processor = false;
	EXPECT_TRUE(pt_pids_is_still(root, &wants_processor));
	EXPECT_FALSE(wants_processor);
	family_end(_metadata, family);
}

TEST(one_that_runs_or_would_wants_a_processor)
{
	bool wants_processor = false;
	pid_t pid = fork();

	if (!pid)
		for (;;)
			;
	ASSERT_GT(pid, 0);
	while (pt_pids_is_still(pid, &wants_processor))
		; /* it has pages to fetch first */
	EXPECT_TRUE(wants_processor);
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
}

TEST_HARNESS_MAIN
