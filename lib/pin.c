/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "pin.h"

#include <limits.h>

#include "sys.h"
#include "text.h"

/* ---- names ---- */

static bool stands_for_itself(unsigned char byte, bool first)
{
	return byte > 0x20 && byte < 0x7f && byte != '/' && byte != '%' &&
	       !(first && byte == '.');
}

int pt_pin_name(const char *label, char ret_name[PT_PIN_NAME_SIZE])
{
	struct pt_text name = PT_TEXT(ret_name, PT_PIN_NAME_SIZE);

	for (const char *at = label; *at; at++) {
		unsigned char byte = (unsigned char)*at;

		if (stands_for_itself(byte, at == label)) {
			pt_text_byte(&name, *at);
			continue;
		}
		pt_text_byte(&name, '%');
		pt_text_hex(&name, byte, 2);
	}
	return name.overflow ? -ENAMETOOLONG : 0;
}

int pt_pin_label(const char *name, char ret_label[PT_PIN_NAME_SIZE])
{
	struct pt_text label = PT_TEXT(ret_label, PT_PIN_NAME_SIZE);
	char again[PT_PIN_NAME_SIZE];

	for (const char *at = name; *at; at++) {
		int high, low;

		if (*at != '%') {
			pt_text_byte(&label, *at);
			continue;
		}
		high = pt_text_hex_digit(at[1]);
		low = high < 0 ? -1 : pt_text_hex_digit(at[2]);
		if (low < 0 || high + low == 0)
			return -EBADMSG;
		pt_text_byte(&label, (char)(high << 4 | low));
		at += 2;
	}
	if (label.length == 0 || label.overflow)
		return -EBADMSG;
	/* two names of one label would be two pins of it */
	return pt_pin_name(ret_label, again) == 0 && strcmp(again, name) == 0 ?
		       0 :
		       -EBADMSG;
}

/* ---- pidfds and mounts ---- */

/* Detached; of what cannot be mounted the kernel says -EINVAL. */
static int make_tree(int pidfd)
{
	int tree = sys_open_tree(pidfd);

	return tree == -EINVAL || tree == -ENOSYS ? -EOPNOTSUPP : tree;
}

int pt_pin_try(int pidfd)
{
	int r;

	/* what is pinned is known by that, whoever finds it */
	r = sys_on_pidfs(pidfd);
	if (r <= 0)
		return r < 0 ? r : -EOPNOTSUPP;
	r = sys_open_tree(pidfd);
	if (r < 0)
		return r;
	sys_close(r);
	/* and where it is mounted by that */
	r = sys_pidfd_namespace(pidfd, PT_PIDFD_MOUNT_NAMESPACE);
	if (r < 0)
		return r;
	sys_close(r);
	/* root of a user namespace may mount them, but not open one */
	return sys_may_open(pidfd) == -EACCES ? -EPERM : 0;
}

int pt_pin_check(void)
{
	CLEANUP(fd_closep) int self = -1;
	int r;

	self = r = sys_pidfd_open(sys_getpid(), 0);
	if (r >= 0)
		r = pt_pin_try(self);
	return r == -EINVAL || r == -ENOSYS || r == -ENOTTY ? -EOPNOTSUPP : r;
}

int pt_pin_claim(int dir, const char *name)
{
	return sys_open(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW,
			0600);
}

/*
 * A mount is told nobody who follows the directory, but that a file was closed
 * which may have been written to: this one, when it is.
 */
int pt_pin_mount(int file, int pidfd)
{
	int tree, r;

	tree = make_tree(pidfd);
	if (tree < 0)
		return tree;
	r = sys_move_mount(tree, file, "");
	sys_close(tree);
	return r == -EINVAL || r == -ENOENT ? -ESTALE : r;
}

/* Not in its name, nor in its bytes: that is one call, and all or nothing. */
int pt_pin_mark(int file)
{
	return sys_fchmod(file, 0400);
}

/* What has the name, be it what it may: nothing is done to it by this. */
static int open_place(int dir, const char *name)
{
	return sys_open(dir, name, O_PATH | O_NOFOLLOW, 0);
}

static bool is_mounted_on(const struct statx *of_dir, const struct statx *there)
{
	return of_dir->stx_dev_major != there->stx_dev_major ||
	       of_dir->stx_dev_minor != there->stx_dev_minor;
}

/*
 * Whether it is a file as pt_pin_claim() makes it: of the directory's own file
 * system, not mounted there.  Whoever wrote something into one wants it.
 */
static bool is_claim(const struct statx *of_dir, const struct statx *there)
{
	return !is_mounted_on(of_dir, there) && S_ISREG(there->stx_mode) &&
	       there->stx_size == 0;
}

static bool is_claimed(int dir, int place)
{
	struct statx of_dir, there;

	return sys_file(dir, &of_dir) >= 0 && sys_file(place, &there) >= 0 &&
	       is_claim(&of_dir, &there);
}

static bool is_marked(int place)
{
	struct statx found;

	return sys_file(place, &found) >= 0 && !(found.stx_mode & S_IWUSR);
}

/* The same, of a pidfd. */
static int open_pidfd_place(int dir, const char *name)
{
	CLEANUP(fd_closep) int place = open_place(dir, name);
	int r;

	r = place < 0 ? 1 : sys_on_pidfs(place);
	if (r > 0)
		return fd_take(&place);
	if (r < 0)
		return r;
	if (!is_claimed(dir, place))
		return -EBADF;
	return is_marked(place) ? -ENOENT : -ENODATA;
}

int pt_pin_inode(int dir, const char *name, uint64_t *ret_inode)
{
	CLEANUP(fd_closep) int place = open_pidfd_place(dir, name);

	return place < 0 ? place : sys_inode(place, ret_inode);
}

int pt_pin_open(int dir, const char *name)
{
	CLEANUP(fd_closep) int place = open_pidfd_place(dir, name);
	CLEANUP(fd_closep) int pidfd = -1;
	int r;

	if (place < 0)
		return place;
	pidfd = sys_open(dir, name, O_RDWR | O_NOFOLLOW, 0);
	if (pidfd < 0)
		return pidfd;
	r = sys_on_pidfs(pidfd);
	if (r < 0)
		return r;
	return r > 0 ? fd_take(&pidfd) : -EBADF;
}

/* ---- letting go ---- */

int pt_pin_may_drop(void)
{
	int r;

	/* there is no such name, nor can there be */
	r = sys_unmount("", PT_UMOUNT_NOFOLLOW);
	if (r == -ENOENT)
		r = sys_unlink(AT_FDCWD, "");
	return r == -ENOENT ? 0 : r;
}

bool pt_pin_leads_to(const char *path, int dir)
{
	struct statx of_path, of_dir;

	return sys_path_file(path, &of_path) >= 0 &&
	       sys_file(dir, &of_dir) >= 0 &&
	       of_path.stx_dev_major == of_dir.stx_dev_major &&
	       of_path.stx_dev_minor == of_dir.stx_dev_minor &&
	       of_path.stx_ino == of_dir.stx_ino;
}

static int unmount_pin(int dir, const char *path, const char *name)
{
	char bytes[PATH_MAX + PT_PIN_NAME_SIZE];
	struct pt_text text = PT_TEXT(bytes, sizeof(bytes));
	int r;

	pt_text_field(&text, "/proc/self/fd/", (uint64_t)dir);
	pt_text_byte(&text, '/');
	pt_text_string(&text, name);
	r = sys_unmount(bytes, PT_UMOUNT_NOFOLLOW);
	if (r != -ENOENT || !pt_pin_leads_to(path, dir))
		return r;

	text = (struct pt_text)PT_TEXT(bytes, sizeof(bytes));
	pt_text_string(&text, path);
	pt_text_byte(&text, '/');
	pt_text_string(&text, name);
	return text.overflow ? -ENAMETOOLONG :
			       sys_unmount(bytes, PT_UMOUNT_NOFOLLOW);
}

/* By its name alone: who lets go may have no descriptor left. */
int pt_pin_drop(int dir, const char *path, const char *name, uint64_t inode)
{
	struct statx of_dir, there;
	int r;

	r = sys_file_at(dir, name, &there);
	if (r >= 0)
		r = sys_file(dir, &of_dir);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (is_mounted_on(&of_dir, &there) && there.stx_ino == inode)
		r = unmount_pin(dir, path, name);
	else if (!is_claim(&of_dir, &there))
		r = -ESTALE;
	if (r < 0)
		return r;
	r = sys_unlink(dir, name);
	return r == -ENOENT ? 0 : r;
}
