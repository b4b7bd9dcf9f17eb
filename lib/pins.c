/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "pins.h"

#include <limits.h>
#include <stdatomic.h>

#include "file.h"
#include "pin.h"
#include "sys.h"
#include "text.h"

#define MARKER_SIZE 128
#define MARK "pidtrack-pins=1\n"
#define TRIES 16 /* while others make and remove it */

/*
 * In the mode of a directory that a tracker has made: whoever is the first to
 * mount on it need not be the one who made it.
 */
#define MADE S_ISVTX

/* ---- who has which, in this process ---- */

/*
 * A lock of this process is no lock against itself, and it is lost when any
 * descriptor of the marker is closed: a second tracker must not even open it.
 * Each word is a pid and a device; those of another pid are of before fork().
 */
static _Atomic uint64_t seats[64];

static uint64_t seat_of(const struct statx *root)
{
	return (uint64_t)sys_getpid() << 32 |
	       (uint32_t)(root->stx_dev_major << 20 ^ root->stx_dev_minor);
}

static int take_seat(const struct statx *root, _Atomic uint64_t **ret_seat)
{
	const uint64_t mine = seat_of(root);
	_Atomic uint64_t *seat = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(seats) && !seat; i++) {
		uint64_t has = atomic_load(&seats[i]);

		if (has >> 32 != mine >> 32 &&
		    atomic_compare_exchange_strong(&seats[i], &has, mine))
			seat = &seats[i];
	}
	if (!seat)
		return -EMFILE;
	/* two at once may both lose, but never both win */
	for (size_t i = 0; i < ARRAY_SIZE(seats); i++) {
		if (&seats[i] != seat && atomic_load(&seats[i]) == mine) {
			atomic_store(seat, 0);
			return -EBUSY;
		}
	}
	*ret_seat = seat;
	return 0;
}

/* Whether a tracker of this process has the directory that a file is in. */
static bool is_seated(const struct statx *file)
{
	const uint64_t mine = seat_of(file);

	for (size_t i = 0; i < ARRAY_SIZE(seats); i++) {
		if (atomic_load(&seats[i]) == mine)
			return true;
	}
	return false;
}

/* ---- the marker ---- */

/* The inode of the mount namespace that the pins are to be in. */
static int our_namespace(uint64_t *ret_inode)
{
	CLEANUP(fd_closep) int self = -1;
	CLEANUP(fd_closep) int namespace = -1;

	self = sys_pidfd_open(sys_getpid(), 0);
	if (self < 0)
		return self;
	namespace = sys_pidfd_namespace(self, PT_PIDFD_MOUNT_NAMESPACE);
	if (namespace < 0)
		return namespace;
	return sys_inode(namespace, ret_inode);
}

static void mark_text(uint64_t namespace, struct pt_text *text)
{
	pt_text_string(text, MARK);
	pt_text_field(text, "mount-namespace=", namespace);
	pt_text_byte(text, '\n');
}

static int check_mark(int marker)
{
	char expected[MARKER_SIZE], bytes[MARKER_SIZE];
	struct pt_text text = PT_TEXT(expected, sizeof(expected));
	uint64_t namespace;
	int n, r;

	r = our_namespace(&namespace);
	if (r < 0)
		return r;
	mark_text(namespace, &text);
	n = sys_read(marker, bytes, sizeof(bytes));
	if (n < 0)
		return n;
	if ((size_t)n == text.length &&
	    memcmp(bytes, expected, text.length) == 0)
		return 0;
	return (size_t)n > strlen(MARK) &&
			       memcmp(bytes, MARK, strlen(MARK)) == 0 ?
		       -EREMOTE :
		       -EPERM;
}

static int write_mark(int mount, uint64_t namespace, int *ret_marker)
{
	CLEANUP(fd_closep) int marker = -1;
	char bytes[MARKER_SIZE];
	struct pt_text text = PT_TEXT(bytes, sizeof(bytes));
	int r;

	mark_text(namespace, &text);
	r = pt_file_check_limit(text.length);
	if (r < 0)
		return r;
	marker = sys_open(mount, PT_PINS_MARKER, O_RDWR | O_CREAT | O_EXCL,
			  0600);
	if (marker < 0)
		return marker;
	r = sys_write(marker, bytes, text.length);
	if (r >= 0 && (size_t)r != text.length)
		r = -ENOSPC;
	if (r < 0)
		return r;
	r = sys_lock_record(marker);
	if (r < 0)
		return r;
	*ret_marker = fd_take(&marker);
	return 0;
}

/* ---- the mount ---- */

/* Private, attached nowhere yet, empty. */
static int make_mount(void)
{
	CLEANUP(fd_closep) int fs = -1;
	int r;

	fs = sys_fsopen("tmpfs");
	if (fs < 0)
		return fs;
	r = sys_fsconfig(fs, PT_FSCONFIG_SET_STRING, "source", "pidtrack");
	if (r >= 0)
		r = sys_fsconfig(fs, PT_FSCONFIG_SET_STRING, "mode", "0700");
	if (r >= 0)
		r = sys_fsconfig(fs, PT_FSCONFIG_CMD_CREATE, NULL, NULL);
	if (r < 0)
		return r;
	return sys_fsmount(fs,
			   PT_MOUNT_NOSUID | PT_MOUNT_NODEV | PT_MOUNT_NOEXEC);
}

static int unmount_dir(const struct pt_pins *pins)
{
	char bytes[64];
	struct pt_text text = PT_TEXT(bytes, sizeof(bytes));
	int r;

	pt_text_field(&text, "/proc/self/fd/", (uint64_t)pins->dir);
	r = sys_unmount(bytes, 0);
	if (r != -ENOENT)
		return r;
	return pt_pin_leads_to(pins->path, pins->dir) ?
		       sys_unmount(pins->path, PT_UMOUNT_NOFOLLOW) :
		       -ENOENT;
}

/*
 * Mounts on @below, whose flock we have.  Where the mount it is on is shared
 * this one is too, at first: before there is any pin it is made private.
 */
static int attach_mount(const struct pt_pins *pins, int mount, int below)
{
	int r;

	r = sys_move_mount(mount, below, "");
	if (r < 0)
		return r;
	r = sys_mount_private(mount);
	if (r < 0)
		unmount_dir(pins);
	return r;
}

static bool is_dot(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* 0; -ENOTEMPTY; -ENOENT if it was removed just now. */
static int check_empty(int dir)
{
	_Alignas(struct pt_listed) char bytes[512];
	int n;

	while ((n = sys_getdents(dir, bytes, sizeof(bytes))) > 0) {
		for (int at = 0; at < n;) {
			const struct pt_listed *listed =
				(const void *)(bytes + at);

			if (!is_dot(listed->name))
				return -ENOTEMPTY;
			at += listed->length;
		}
	}
	return n;
}

/* What the mount is on must be ours, or whoever's it is could take it away. */
static int check_below(int below)
{
	struct statx found;
	int r;

	r = sys_file(below, &found);
	if (r < 0)
		return r;
	if (found.stx_uid != geteuid() || found.stx_mode & 0022)
		return -EPERM;
	return check_empty(below);
}

/* Its marker is there, and locked, before anybody can see it. */
static int mount_marked(struct pt_pins *pins, int below, uint64_t namespace)
{
	CLEANUP(fd_closep) int mount = -1;
	struct statx root;
	int r;

	mount = make_mount();
	if (mount < 0)
		return mount;
	pins->dir = sys_open(mount, ".", O_RDONLY | O_DIRECTORY, 0);
	if (pins->dir < 0)
		return pins->dir;
	r = sys_file(pins->dir, &root);
	if (r >= 0)
		r = take_seat(&root, &pins->seat);
	if (r >= 0)
		r = write_mark(pins->dir, namespace, &pins->marker);
	return r < 0 ? r : attach_mount(pins, mount, below);
}

/* On a directory without a mount of ours; -EAGAIN if there is one by now. */
static int mount_on(struct pt_pins *pins, int below)
{
	uint64_t namespace;
	int r;

	if (!pins->takes)
		return -EOPNOTSUPP;
	r = our_namespace(&namespace);
	if (r < 0)
		return r;
	r = sys_lock(below);
	if (r < 0)
		return r == -EAGAIN ? -EBUSY : r;
	r = pt_pin_leads_to(pins->path, below) ? check_below(below) : -EAGAIN;
	if (r >= 0)
		r = mount_marked(pins, below, namespace);
	sys_unlock(below);
	return r == -ENOENT ? -EAGAIN : r;
}

/* ---- opening ---- */

static bool is_private(const struct statx *found, uint32_t type, uint32_t mode)
{
	return (found->stx_mode & S_IFMT) == type &&
	       (found->stx_mode & 07777) == mode && found->stx_uid == geteuid();
}

/* Whether @dir is the root of a file system as we make them, or -EPERM. */
static int check_ours(int dir, const struct statx *root,
		      const struct statx *marked)
{
	struct statfs fs;
	int r;

	r = sys_fstatfs(dir, &fs);
	if (r < 0)
		return r;
	return (uint64_t)fs.f_type == PT_TMPFS_MAGIC &&
			       is_private(root, S_IFDIR, 0700) &&
			       is_private(marked, S_IFREG, 0600) ?
		       0 :
		       -EPERM;
}

/* The mount that is there; the marker is in it. */
static int enter(struct pt_pins *pins, const struct statx *marked)
{
	struct statx root;
	int r;

	r = sys_file(pins->dir, &root);
	if (r >= 0)
		r = check_ours(pins->dir, &root, marked);
	if (r < 0)
		return r;
	r = take_seat(&root, &pins->seat);
	if (r < 0)
		return r;

	pins->marker =
		sys_open(pins->dir, PT_PINS_MARKER, O_RDWR | O_NOFOLLOW, 0);
	if (pins->marker < 0)
		return pins->marker == -ENOENT ? -EAGAIN : pins->marker;
	r = sys_lock_record(pins->marker);
	if (r < 0)
		return r == -EAGAIN || r == -EACCES ? -EBUSY : r;
	/* who had it before us may have removed it all */
	if (!pt_pin_leads_to(pins->path, pins->dir))
		return -EAGAIN;
	return check_mark(pins->marker);
}

static void close_all(struct pt_pins *pins)
{
	pins->marker = fd_close(pins->marker);
	pins->dir = fd_close(pins->dir);
	if (pins->seat)
		atomic_store(pins->seat, 0);
	pins->seat = NULL;
}

static int try_open(struct pt_pins *pins)
{
	struct statx marked;
	int r;

	r = pins->takes ? sys_mkdir(pins->path, MADE | 0700) : -EEXIST;
	if (r < 0 && r != -EEXIST)
		return r;
	pins->dir = sys_open(AT_FDCWD, pins->path,
			     O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (pins->dir == -ENOENT)
		return pins->takes ? -EAGAIN : -EOPNOTSUPP;
	if (pins->dir < 0)
		return pins->dir;

	r = sys_file_at(pins->dir, PT_PINS_MARKER, &marked);
	if (r >= 0)
		return enter(pins, &marked);
	if (r == -ENOENT) {
		CLEANUP(fd_closep) int below = fd_take(&pins->dir);

		return mount_on(pins, below);
	}
	return r;
}

/* The directory goes that was made for a mount, if there is none on it. */
static void remove_made(const struct pt_pins *pins)
{
	struct statx found;

	if (sys_file_at(AT_FDCWD, pins->path, &found) >= 0 &&
	    is_private(&found, S_IFDIR, MADE | 0700))
		sys_rmdir(pins->path);
}

static int take_path(struct pt_pins *pins, const char *path)
{
	int r = pt_file_absolute(path, &pins->path);

	/* with one behind it, a link at its end would be followed */
	for (size_t n = r < 0 ? 0 : strlen(pins->path);
	     n > 1 && pins->path[n - 1] == '/'; n--)
		pins->path[n - 1] = 0;
	return r;
}

static struct pt_pins *free_pins(struct pt_pins *pins)
{
	close_all(pins);
	free(pins->path);
	free(pins);
	return NULL;
}

int pt_pins_open(const char *path, struct pt_pins **ret_pins)
{
	struct pt_pins *pins;
	int r;

	r = pt_pin_check();
	if (r < 0)
		return r;
	pins = calloc(1, sizeof(*pins));
	if (!pins)
		return -ENOMEM;
	pins->dir = pins->marker = -1;
	pins->takes = pt_pin_may_drop() >= 0;
	r = take_path(pins, path);
	for (int i = 0; r >= 0 && i < TRIES; i++) {
		r = try_open(pins);
		if (r >= 0) {
			*ret_pins = pins;
			return 0;
		}
		close_all(pins);
		if (r == -EAGAIN)
			r = 0;
	}
	remove_made(pins);
	free_pins(pins);
	if (r >= 0)
		return -EBUSY;
	return r == -ENOSYS ? -EOPNOTSUPP : r;
}

int pt_pins_are_ours(int dir)
{
	struct statx root;
	bool ours = false;
	int r;

	r = sys_file(dir, &root);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(seats) && !ours; i++)
		ours = atomic_load(&seats[i]) == seat_of(&root);
	return ours;
}

/* ---- what is in it ---- */

void pt_pins_list_done(struct pt_pins_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->names[i]);
	free(list->names);
	*list = (struct pt_pins_list){ 0 };
}

static int add_name(struct pt_pins_list *list, const char *name)
{
	if ((list->n & (list->n - 1)) == 0) {
		char **names = reallocarray(list->names,
					    list->n == 0 ? 1 : list->n * 2,
					    sizeof(*names));

		if (!names)
			return -ENOMEM;
		list->names = names;
	}
	list->names[list->n] = strdup(name);
	if (!list->names[list->n])
		return -ENOMEM;
	list->n++;
	return 0;
}

static int add_listed(struct pt_pins_list *list, const char *bytes, int n)
{
	while (n > 0) {
		const struct pt_listed *listed = (const void *)bytes;
		int r = listed->name[0] == '.' ? 0 :
						 add_name(list, listed->name);

		if (r < 0)
			return r;
		bytes += listed->length;
		n -= listed->length;
	}
	return 0;
}

int pt_pins_list(const struct pt_pins *pins, struct pt_pins_list *ret_list)
{
	CLEANUP(pt_pins_list_done) struct pt_pins_list list = { 0 };
	_Alignas(struct pt_listed) char bytes[8192];
	int n, r = 0;

	n = sys_rewind(pins->dir);
	if (n < 0)
		return n;
	while (r >= 0 &&
	       (n = sys_getdents(pins->dir, bytes, sizeof(bytes))) > 0)
		r = add_listed(&list, bytes, n);
	if (r < 0 || n < 0)
		return r < 0 ? r : n;
	*ret_list = list;
	list = (struct pt_pins_list){ 0 };
	return 0;
}

/* ---- closing ---- */

struct pt_pins *pt_pins_close(struct pt_pins *pins)
{
	CLEANUP(pt_pins_list_done) struct pt_pins_list list = { 0 };

	if (!pins)
		return NULL;
	if (pt_pins_list(pins, &list) >= 0 && list.n == 0 &&
	    unmount_dir(pins) >= 0) {
		/* for who follows it, and keeps it there by that */
		sys_unlink(pins->dir, PT_PINS_MARKER);
		remove_made(pins);
	}
	return free_pins(pins);
}

/*
 * The lock of a tracker that this process has made since it was forked would be
 * lost with the descriptor of the copy, which stays then.
 */
struct pt_pins *pt_pins_abandon(struct pt_pins *pins)
{
	struct statx found;

	if (!pins)
		return NULL;
	pins->seat = NULL; /* it says another pid */
	if (sys_file(pins->marker, &found) >= 0 && is_seated(&found))
		pins->marker = -1;
	return free_pins(pins);
}
