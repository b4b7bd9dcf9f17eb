/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * One pin: its name, its file, and what is mounted on it.
 */
#include "files.h"
#include "mounts.h"
#include "pin.h"
#include "seccomp.h"
#include "sys.h"

/* ---- names ---- */

static const char *name_of(const char *label)
{
	static char name[PT_PIN_NAME_SIZE];

	return pt_pin_name(label, name) < 0 ? "(none)" : name;
}

TEST(a_plain_label_is_its_own_name)
{
	EXPECT_STREQ("web", name_of("web"));
	EXPECT_STREQ("Web-1_a.b:c@d+e", name_of("Web-1_a.b:c@d+e"));
	EXPECT_STREQ("x.y", name_of("x.y"));
	EXPECT_STREQ("a\"b'c\\d", name_of("a\"b'c\\d"));
}

TEST(no_label_leads_out_of_the_directory_or_hides)
{
	EXPECT_STREQ("%2e", name_of("."));
	EXPECT_STREQ("%2e.", name_of(".."));
	EXPECT_STREQ("%2e.%2f..%2fetc%2fpasswd", name_of("../../etc/passwd"));
	EXPECT_STREQ("%2fabsolute", name_of("/absolute"));
	EXPECT_STREQ("%2ehidden", name_of(".hidden"));
	EXPECT_STREQ("%25", name_of("%"));
	EXPECT_STREQ("%252e", name_of("%2e"));
	EXPECT_STREQ("a%20b", name_of("a b"));
	EXPECT_STREQ("%c3%a9", name_of("\xc3\xa9"));
}

TEST(a_name_longer_than_a_file_may_have_is_refused)
{
	char label[256], name[PT_PIN_NAME_SIZE];

	memset(label, 'a', 255);
	label[255] = '\0';
	EXPECT_STREQ(label, name_of(label));
	memset(label, '/', 255);
	EXPECT_EQ(-ENAMETOOLONG, pt_pin_name(label, name));
	label[85] = '\0';
	EXPECT_EQ(0, pt_pin_name(label, name));
	EXPECT_EQ(255, strlen(name));
	label[85] = '/';
	label[86] = '\0';
	EXPECT_EQ(-ENAMETOOLONG, pt_pin_name(label, name));
}

TEST(every_label_comes_back)
{
	char label[3] = "", back[PT_PIN_NAME_SIZE];
	int a, b;

	for (a = 1; a < 256; a++) {
		for (b = 0; b < 256; b++) {
			label[0] = (char)a;
			label[1] = (char)b;
			ASSERT_EQ(0, pt_pin_label(name_of(label), back));
			ASSERT_STREQ(label, back);
		}
	}
}

TEST(what_no_label_is_named_is_none)
{
	static const char *const names[] = {
		"",	".",	".hidden", "%",	  "a%",	    "a%2",	"a%zz",
		"a%2F", "a%41", "a%00",	   "a b", "%2e%2e", "\xc3\xa9",
	};
	char label[PT_PIN_NAME_SIZE];
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		EXPECT_EQ(-EBADMSG, pt_pin_label(names[i], label))
		{
			TH_LOG("of '%s'", names[i]);
		}
}

/* ---- pins ---- */

FIXTURE(pin)
{
	struct room room;
	struct child child;
	uint64_t inode;
	int dir;
	bool works;
};

FIXTURE_SETUP(pin)
{
	int r;

	self->child = (struct child)CHILD_NULL;
	self->dir = -1;
	if (!room_make(_metadata, &self->room))
		return;
	r = pt_pin_check();
	if (r < 0)
		SKIP(return, "no pins here: %s", strerror(-r));
	self->works = true;
	self->dir = open(self->room.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ASSERT_GE(self->dir, 0);
	ASSERT_EQ(0, child_start(&self->child));
	ASSERT_EQ(0, sys_inode(self->child.pidfd, &self->inode));
}

FIXTURE_TEARDOWN(pin)
{
	child_end(&self->child);
	if (self->dir >= 0)
		close(self->dir);
	room_end(&self->room);
}

static void pin_make(struct __test_metadata *_metadata,
		     FIXTURE_DATA(pin) * self)
{
	int file = pt_pin_claim(self->dir, "web");

	ASSERT_GE(file, 0);
	ASSERT_EQ(0, pt_pin_mount(file, self->child.pidfd));
	ASSERT_EQ(0, pt_pin_mark(file));
	close(file);
}

static void claim(struct __test_metadata *_metadata, FIXTURE_DATA(pin) * self)
{
	int file = pt_pin_claim(self->dir, "web");

	ASSERT_GE(file, 0);
	close(file);
}

/* inotify(7) tells nothing of mounts. */
TEST_F(pin, who_follows_the_directory_is_told_once_it_can_be_opened)
{
	_Alignas(struct inotify_event) char bytes[4096];
	const struct inotify_event *event = (void *)bytes;
	int inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK), file;

	if (!self->works)
		return;
	ASSERT_GE(inotify_add_watch(inotify, self->room.path, IN_CLOSE_WRITE),
		  0);
	file = pt_pin_claim(self->dir, "web");
	ASSERT_EQ(0, pt_pin_mount(file, self->child.pidfd));
	EXPECT_EQ(-1, read(inotify, bytes, sizeof(bytes)));
	close(file);
	ASSERT_GE(read(inotify, bytes, sizeof(bytes)), (int)sizeof(*event));
	EXPECT_EQ(IN_CLOSE_WRITE, event->mask);
	EXPECT_STREQ("web", event->name);
	close(inotify);
}

static int pin_drop(FIXTURE_DATA(pin) * self)
{
	return pt_pin_drop(self->dir, self->room.path, "web", self->inode);
}

TEST_F(pin, it_opens_as_a_pidfd_of_its_process)
{
	uint64_t inode = 0;
	int fd;

	if (!self->works)
		return;
	pin_make(_metadata, self);
	fd = pt_pin_open(self->dir, "web");
	ASSERT_GE(fd, 0);
	EXPECT_EQ(1, sys_on_pidfs(fd));
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	EXPECT_EQ(0, sys_inode(fd, &inode));
	EXPECT_EQ(self->inode, inode);
	EXPECT_EQ(0, sys_pidfd_send_signal(fd, SIGKILL));
	EXPECT_EQ(0, child_await_exit(&self->child));
	close(fd);
	EXPECT_EQ(0, pin_drop(self));
	EXPECT_EQ(0, sys_on_pidfs(self->dir));
}

TEST_F(pin, it_tells_the_status_of_whom_nobody_holds_any_more)
{
	struct pt_pidfd_info told;
	int fd;

	if (!self->works)
		return;
	pin_make(_metadata, self);
	ASSERT_EQ(0, child_exit(&self->child, 42));
	ASSERT_EQ(42 << 8, child_reap(&self->child));
	child_close(&self->child);

	fd = pt_pin_open(self->dir, "web");
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, sys_pidfd_info(fd, PT_PIDFD_INFO_EXIT, &told));
	if (told.mask & PT_PIDFD_INFO_EXIT) /* Linux 6.15 */
		EXPECT_EQ(42 << 8, told.exit_code);
	close(fd);
	EXPECT_EQ(0, pin_drop(self));
}

TEST_F(pin, a_second_of_the_name_is_refused)
{
	if (!self->works)
		return;
	pin_make(_metadata, self);
	EXPECT_EQ(-EEXIST, pt_pin_claim(self->dir, "web"));
	EXPECT_EQ(0, pin_drop(self));
	claim(_metadata, self);
}

TEST_F(pin, its_file_cannot_be_removed_below_it)
{
	if (!self->works)
		return;
	pin_make(_metadata, self);
	EXPECT_EQ(-1, unlinkat(self->dir, "web", 0));
	EXPECT_EQ(EBUSY, errno);
	EXPECT_EQ(0, pin_drop(self));
	EXPECT_EQ(-ENOENT, pt_pin_open(self->dir, "web"));
	EXPECT_EQ(1, mounts_at(self->room.path));
}

TEST_F(pin, half_of_one_is_told_and_removed)
{
	if (!self->works)
		return;
	claim(_metadata, self);
	EXPECT_EQ(-ENODATA, pt_pin_open(self->dir, "web"));
	EXPECT_EQ(0, pin_drop(self));
	EXPECT_EQ(-ENOENT, pt_pin_open(self->dir, "web"));
	EXPECT_EQ(0, pin_drop(self));
}

TEST_F(pin, a_file_that_somebody_wrote_to_is_left_alone)
{
	int fd;

	if (!self->works)
		return;
	fd = openat(self->dir, "web", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_EQ(1, write(fd, "1", 1));
	close(fd);
	EXPECT_EQ(-EBADF, pt_pin_open(self->dir, "web"));
	EXPECT_EQ(-ESTALE, pin_drop(self));
	EXPECT_EQ(0, unlinkat(self->dir, "web", 0));
}

TEST_F(pin, what_is_left_of_one_is_none)
{
	char path[100];

	if (!self->works)
		return;
	pin_make(_metadata, self);
	snprintf(path, sizeof(path), "%s/web", self->room.path);
	ASSERT_EQ(0, umount2(path, 0));
	EXPECT_EQ(-ENOENT, pt_pin_open(self->dir, "web"));
	EXPECT_EQ(-EEXIST, pt_pin_claim(self->dir, "web"));
	EXPECT_EQ(0, pin_drop(self));
	claim(_metadata, self);
}

TEST_F(pin, another_file_of_the_name_is_not_mounted_on)
{
	int file;

	if (!self->works)
		return;
	file = pt_pin_claim(self->dir, "web");
	ASSERT_GE(file, 0);
	EXPECT_EQ(0, pin_drop(self));
	claim(_metadata, self);
	EXPECT_EQ(-ESTALE, pt_pin_mount(file, self->child.pidfd));
	EXPECT_EQ(-ENODATA, pt_pin_open(self->dir, "web"));
	close(file);
}

TEST_F(pin, another_ones_is_left_alone)
{
	struct child other;
	int fd;

	if (!self->works)
		return;
	ASSERT_EQ(0, child_start(&other));
	fd = pt_pin_claim(self->dir, "web");
	ASSERT_EQ(0, pt_pin_mount(fd, other.pidfd));
	close(fd);
	EXPECT_EQ(-ESTALE, pin_drop(self));
	fd = pt_pin_open(self->dir, "web");
	EXPECT_GE(fd, 0);
	close(fd);
	child_end(&other);
}

TEST_F(pin, what_others_mounted_there_is_left_alone)
{
	char path[100];

	if (!self->works)
		return;
	pin_make(_metadata, self);
	snprintf(path, sizeof(path), "%s/web", self->room.path);
	ASSERT_EQ(0, mount("/dev/null", path, NULL, MS_BIND, NULL));
	EXPECT_EQ(-ESTALE, pin_drop(self));
	EXPECT_EQ(-EBADF, pt_pin_open(self->dir, "web"));
	ASSERT_EQ(0, umount2(path, 0));
	EXPECT_EQ(0, pin_drop(self));
}

TEST_F(pin, without_proc_it_is_unmounted_by_its_path)
{
	if (!self->works)
		return;
	pin_make(_metadata, self);
	ASSERT_EQ(0, mount("none", "/proc", "tmpfs", 0, NULL));
	EXPECT_EQ(0, pin_drop(self));
	EXPECT_EQ(-ENOENT, pt_pin_open(self->dir, "web"));

	pin_make(_metadata, self);
	/* what has that path now is not what was meant */
	ASSERT_EQ(0, mount("none", self->room.path, "tmpfs", 0, NULL));
	EXPECT_EQ(-ENOENT, pin_drop(self));
	ASSERT_EQ(0, umount2(self->room.path, 0));
	EXPECT_EQ(0, pin_drop(self));
	ASSERT_EQ(0, umount2("/proc", MNT_DETACH));
}

TEST_F(pin, there_is_none_on_a_directory_that_is_unmounted)
{
	int file;

	if (!self->works)
		return;
	file = pt_pin_claim(self->dir, "web");
	ASSERT_EQ(0, umount2(self->room.path, MNT_DETACH));
	EXPECT_EQ(-ESTALE, pt_pin_mount(file, self->child.pidfd));
	close(file);
}

/* As in a container of a user's own: no pin could be taken up again. */
TEST_F(pin, where_one_could_not_be_opened_there_are_none)
{
	if (!self->works)
		return;
	ASSERT_EQ(0, seccomp_refuse(SYS_faccessat2, EACCES));
	EXPECT_EQ(-EPERM, pt_pin_check());
}

TEST_F(pin, a_kernel_or_a_sandbox_without_them_says_so)
{
	int file;

	if (!self->works)
		return;
	ASSERT_EQ(0, seccomp_refuse(SYS_faccessat2, ENOSYS));
	EXPECT_EQ(0, pt_pin_check());
	ASSERT_EQ(0, seccomp_refuse(SYS_open_tree, EPERM));
	EXPECT_EQ(-EPERM, pt_pin_check());
	ASSERT_EQ(0, seccomp_refuse(SYS_open_tree, EINVAL));
	EXPECT_EQ(-EOPNOTSUPP, pt_pin_check());
	file = pt_pin_claim(self->dir, "web");
	EXPECT_EQ(-EOPNOTSUPP, pt_pin_mount(file, self->child.pidfd));
	close(file);
}

TEST_HARNESS_MAIN
