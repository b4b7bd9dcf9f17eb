/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "fingerprint.h"

#include "procfs.h"
#include "sys.h"

#define EXE_MAX 255 /* bytes of its text; a longer path is left out */

static int look_for_pidfs(bool *ret_pidfs)
{
	int fd, r;

	fd = sys_pidfd_open(sys_getpid(), 0);
	if (fd < 0)
		return fd;

	r = sys_on_pidfs(fd);
	sys_close(fd);
	*ret_pidfs = r > 0;
	return r < 0 ? r : 0;
}

/* What another time may be had. */
static bool is_passing(int r)
{
	return is_short_of_room(r) || r == -EIO || r == -EINTR;
}

int pt_place_look(struct pt_place *ret_place)
{
	struct pt_place place = { 0 };
	int looks[5];

	looks[0] = look_for_pidfs(&place.pidfs);
	looks[1] = pt_procfs_boot_id(place.boot);
	if (looks[1] == 0)
		place.has |= PT_HAS_BOOT;
	looks[2] = sys_path_inode("/proc/self/ns/pid", &place.pidns);
	if (looks[2] == 0)
		place.has |= PT_HAS_PIDNS;
	looks[3] = pt_procfs_boottime(&place.boottime);
	if (looks[3] == 0)
		place.has |= PT_HAS_BOOTTIME;
	looks[4] = pt_procfs_is_ours();
	place.numbers = looks[4] > 0;
	*ret_place = place;

	for (size_t i = 0; i < ARRAY_SIZE(looks); i++) {
		if (is_passing(looks[i]))
			return looks[i];
	}
	return 0;
}

static void look_at_inode(const struct pt_place *place, int pidfd,
			  struct pt_look *look)
{
	if (place->pidfs && sys_inode(pidfd, &look->inode) == 0)
		look->has |= PT_HAS_INODE;
}

static int look_at_stat(pid_t pid, struct pt_look *look)
{
	struct pt_procfs_stat stat;
	int r;

	r = pt_procfs_stat(pid, &stat);
	if (r == -ENOENT || r == -ESRCH)
		return -ENODATA; /* no /proc, or it hides this one */
	if (r < 0)
		return r;
	look->start = stat.start;
	look->zombie = stat.state == 'Z' || stat.state == 'X';
	look->has |= PT_HAS_START;
	return 0;
}

int pt_look_at(const struct pt_place *place, int pidfd, pid_t pid,
	       struct pt_look *ret_look)
{
	struct pt_look look = { 0 };
	int r = -ENODATA;

	look_at_inode(place, pidfd, &look);
	if (pid > 0 && place->numbers)
		r = look_at_stat(pid, &look);

	/* not reaped now, so the number was its own all the while */
	if (sys_pidfd_send_signal(pidfd, 0) == -ESRCH) {
		look.has &= ~PT_HAS_START;
		look.zombie = true;
		r = -ESRCH;
	}

	if (look.has == 0)
		return r;
	*ret_look = look;
	return 0;
}

int pt_look_at_self(const struct pt_place *place, struct pt_look *ret_look)
{
	struct pt_look look = { 0 };
	int fd, r;

	r = look_at_stat(0, &look);
	if (place->pidfs) {
		fd = sys_pidfd_open(sys_getpid(), 0);
		if (fd >= 0) {
			look_at_inode(place, fd, &look);
			sys_close(fd);
		}
	}
	*ret_look = look;
	return look.has == 0 && is_passing(r) ? r : 0;
}

void pt_fingerprint_of(const struct pt_place *place, pid_t pid,
		       const struct pt_look *look,
		       struct pt_fingerprint *ret_fingerprint)
{
	ret_fingerprint->inode = look->inode;
	ret_fingerprint->start = look->start;
	ret_fingerprint->pid = pid;
	ret_fingerprint->has = look->has | place->has;
	ret_fingerprint->place = *place;
}

/* ---- the text form ---- */

static const char prefix[] = "pidtrack1:";

static void format_uuid(struct pt_text *text, const uint8_t uuid[16])
{
	for (int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			pt_text_byte(text, '-');
		pt_text_hex(text, uuid[i], 2);
	}
}

static void format_boottime(struct pt_text *text, int64_t boottime)
{
	pt_text_string(text, boottime < 0 ? ",boottime=-" : ",boottime=");
	pt_text_number(text,
		       boottime < 0 ? -(uint64_t)boottime : (uint64_t)boottime);
}

void pt_fingerprint_format(const struct pt_fingerprint *fingerprint,
			   const char *exe, size_t exe_length,
			   struct pt_text *text)
{
	const struct pt_place *place = &fingerprint->place;
	const char *inode = "inode=";

	pt_text_string(text, prefix);
	if (fingerprint->pid > 0) {
		pt_text_field(text, "pid=", (uint64_t)fingerprint->pid);
		inode = ",inode=";
	}
	if (fingerprint->has & PT_HAS_INODE)
		pt_text_field(text, inode, fingerprint->inode);
	if (fingerprint->has & PT_HAS_START)
		pt_text_field(text, ",start=", fingerprint->start);
	if (fingerprint->has & PT_HAS_BOOTTIME)
		format_boottime(text, place->boottime);
	if (fingerprint->has & PT_HAS_PIDNS)
		pt_text_field(text, ",pidns=", place->pidns);
	if (fingerprint->has & PT_HAS_BOOT) {
		pt_text_string(text, ",boot=");
		format_uuid(text, place->boot);
	}
	if (exe_length > 0 && exe_length <= EXE_MAX / 3) {
		pt_text_string(text, ",exe=");
		pt_text_escaped(text, exe, exe_length);
	}
}

struct field {
	const char *key;
	uint32_t has;
	int (*parse)(const char *value, size_t n,
		     struct pt_fingerprint *fingerprint);
};

static int parse_pid(const char *value, size_t n,
		     struct pt_fingerprint *fingerprint)
{
	uint64_t pid;
	int r;

	r = pt_text_parse_number(value, n, &pid);
	if (r < 0)
		return r;
	if (pid == 0 || pid > INT_MAX)
		return -EBADMSG;
	fingerprint->pid = (pid_t)pid;
	return 0;
}

static int parse_inode(const char *value, size_t n,
		       struct pt_fingerprint *fingerprint)
{
	return pt_text_parse_number(value, n, &fingerprint->inode);
}

static int parse_start(const char *value, size_t n,
		       struct pt_fingerprint *fingerprint)
{
	return pt_text_parse_number(value, n, &fingerprint->start);
}

static int parse_boottime(const char *value, size_t n,
			  struct pt_fingerprint *fingerprint)
{
	bool negative = n > 0 && value[0] == '-';
	uint64_t ns;
	int r;

	r = pt_text_parse_number(value + negative, n - negative, &ns);
	if (r < 0)
		return r;
	if (ns > INT64_MAX)
		return -EBADMSG;
	fingerprint->place.boottime = negative ? -(int64_t)ns : (int64_t)ns;
	return 0;
}

static int parse_pidns(const char *value, size_t n,
		       struct pt_fingerprint *fingerprint)
{
	return pt_text_parse_number(value, n, &fingerprint->place.pidns);
}

static int parse_boot(const char *value, size_t n,
		      struct pt_fingerprint *fingerprint)
{
	return pt_procfs_parse_uuid(value, n, fingerprint->place.boot);
}

static int parse_exe(const char *value, size_t n,
		     struct pt_fingerprint *fingerprint)
{
	return n > 0 ? 0 : -EBADMSG; /* a hint, and nobody asks for it */
}

/* Keys whose values are no evidence. */
#define SEEN_PID (1U << 31)
#define SEEN_EXE (1U << 30)

static const struct field fields[] = {
	{ "pid", SEEN_PID, parse_pid },
	{ "inode", PT_HAS_INODE, parse_inode },
	{ "start", PT_HAS_START, parse_start },
	{ "boottime", PT_HAS_BOOTTIME, parse_boottime },
	{ "pidns", PT_HAS_PIDNS, parse_pidns },
	{ "boot", PT_HAS_BOOT, parse_boot },
	{ "exe", SEEN_EXE, parse_exe },
};

/* One "key=value" of @n bytes; a key we do not know is somebody's later one. */
static int parse_field(const char *text, size_t n,
		       struct pt_fingerprint *fingerprint)
{
	const char *equals = memchr(text, '=', n);
	size_t key_length;

	if (!equals || equals == text)
		return -EBADMSG;
	for (size_t i = 0; i < n; i++) {
		if (text[i] != '=' && text[i] != '%' &&
		    !pt_text_plain((unsigned char)text[i]))
			return -EBADMSG;
	}

	key_length = (size_t)(equals - text);
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		if (strlen(fields[i].key) != key_length ||
		    memcmp(fields[i].key, text, key_length) != 0)
			continue;
		if (fingerprint->has & fields[i].has)
			return -EBADMSG; /* twice */
		fingerprint->has |= fields[i].has;
		return fields[i].parse(equals + 1, n - key_length - 1,
				       fingerprint);
	}
	return 0;
}

/* "pidtrackN:" of another N than ours is a later version, not nonsense. */
static int parse_prefix(const char *text)
{
	static const char word[] = "pidtrack";
	size_t digits;

	if (strncmp(text, prefix, strlen(prefix)) == 0)
		return 0;
	if (strncmp(text, word, strlen(word)) != 0)
		return -EBADMSG;
	text += strlen(word);
	digits = strspn(text, "0123456789");
	if (digits == 0 || text[0] == '0' || text[digits] != ':')
		return -EBADMSG;
	return -EPROTONOSUPPORT;
}

int pt_fingerprint_parse(const char *text,
			 struct pt_fingerprint *ret_fingerprint)
{
	struct pt_fingerprint fingerprint = { 0 };
	int r;

	r = parse_prefix(text);
	if (r < 0)
		return r;
	if (strlen(text) >= PIDTRACK_FINGERPRINT_MAX)
		return -EBADMSG;

	for (text += strlen(prefix);; text++) {
		size_t n = strcspn(text, ",");

		r = parse_field(text, n, &fingerprint);
		if (r < 0)
			return r;
		text += n;
		if (*text == 0)
			break;
	}
	if (!(fingerprint.has & (SEEN_PID | PT_HAS_INODE)))
		return -EBADMSG;

	fingerprint.has &= ~(SEEN_PID | SEEN_EXE);
	fingerprint.place.has = fingerprint.has &
				(PT_HAS_BOOT | PT_HAS_PIDNS | PT_HAS_BOOTTIME);
	*ret_fingerprint = fingerprint;
	return 0;
}

/* ---- comparing ---- */

/* @n divided by @by, down: what is left is not negative. */
static int64_t divide(int64_t n, int64_t by, int64_t *ret_left)
{
	int64_t quotient = n / by, left = n % by;

	if (left < 0) {
		left += by;
		quotient--;
	}
	*ret_left = left;
	return quotient;
}

/*
 * Whether two start times can be of one process, each from its own namespace:
 * each was rounded down to a tick after the offset was added, so without it
 * they are less than a tick apart.
 */
static bool same_start(const struct pt_fingerprint *a,
		       const struct pt_fingerprint *b)
{
	const int64_t tick = 1000000000 / sysconf(_SC_CLK_TCK);
	const uint64_t far = INT64_MAX / 2; /* no overflow below */
	int64_t ticks, a_left, b_left;

	if (a->start - b->start > far && b->start - a->start > far)
		return false;
	ticks = (int64_t)(a->start - b->start) -
		divide(a->place.boottime, tick, &a_left) +
		divide(b->place.boottime, tick, &b_left);
	return ticks == 0 || (ticks == 1 && a_left > b_left) ||
	       (ticks == -1 && a_left < b_left);
}

/* What of two fingerprints can be compared, and how it turned out. */
struct matches {
	uint32_t evidence; /* PIDTRACK_EVIDENCE_ that was compared */
	uint32_t same;	   /* of this, what is the same */
};

static void match(struct matches *matches, uint32_t evidence, bool same)
{
	matches->evidence |= evidence;
	if (same)
		matches->same |= evidence;
}

static struct matches match_all(const struct pt_fingerprint *a,
				const struct pt_fingerprint *b)
{
	const uint32_t start = PT_HAS_START | PT_HAS_BOOTTIME;
	const uint32_t both = a->has & b->has;
	struct matches matches = { 0 };

	/* numbers, times and inodes start again with each boot */
	if (!(both & PT_HAS_BOOT))
		return matches;
	match(&matches, PIDTRACK_EVIDENCE_BOOT,
	      memcmp(a->place.boot, b->place.boot, sizeof(a->place.boot)) == 0);
	if (!matches.same)
		return matches;

	if (both & PT_HAS_PIDNS && a->place.pidns == b->place.pidns &&
	    a->pid > 0 && b->pid > 0)
		match(&matches, PIDTRACK_EVIDENCE_PID, a->pid == b->pid);
	if ((both & start) == start)
		match(&matches, PIDTRACK_EVIDENCE_START, same_start(a, b));
	if (both & PT_HAS_INODE)
		match(&matches, PIDTRACK_EVIDENCE_INODE, a->inode == b->inode);
	return matches;
}

struct conclusion {
	uint32_t verdict;
	const char *reason;
};

/* Of one boot.  The inode decides, and nothing may speak against it. */
static struct conclusion conclude_by_inode(const struct matches *matches)
{
	bool same_pid = matches->same & PIDTRACK_EVIDENCE_PID;

	if (matches->same == matches->evidence)
		return (struct conclusion){ PIDTRACK_VERDICT_SAME,
					    "the pidfs inode is the same" };
	if (matches->same & PIDTRACK_EVIDENCE_INODE)
		return (struct conclusion){
			PIDTRACK_VERDICT_UNPROVEN,
			"the pidfs inode is the same, the rest is not",
		};
	if (!same_pid && matches->evidence & PIDTRACK_EVIDENCE_PID)
		return (struct conclusion){
			PIDTRACK_VERDICT_UNPROVEN,
			"the process compared with has another pid",
		};
	return (struct conclusion){ same_pid ? PIDTRACK_VERDICT_REUSED :
					       PIDTRACK_VERDICT_UNPROVEN,
				    "the pidfs inode is another" };
}

static struct conclusion conclude_by_start(const struct matches *matches)
{
	if (!(matches->evidence & PIDTRACK_EVIDENCE_START))
		return (struct conclusion){
			PIDTRACK_VERDICT_UNPROVEN,
			"no inode and no start time to compare",
		};
	if (!(matches->evidence & PIDTRACK_EVIDENCE_PID))
		return (struct conclusion){
			PIDTRACK_VERDICT_UNPROVEN,
			"the pid is of another pid namespace",
		};
	if (!(matches->same & PIDTRACK_EVIDENCE_PID))
		return (struct conclusion){
			PIDTRACK_VERDICT_UNPROVEN,
			"the process compared with has another pid",
		};
	if (!(matches->same & PIDTRACK_EVIDENCE_START))
		return (struct conclusion){ PIDTRACK_VERDICT_REUSED,
					    "the start time is another" };
	return (struct conclusion){ PIDTRACK_VERDICT_SAME,
				    "pid and start time are the same" };
}

static struct conclusion conclude(const struct matches *matches)
{
	if (!(matches->evidence & PIDTRACK_EVIDENCE_BOOT))
		return (struct conclusion){ PIDTRACK_VERDICT_UNPROVEN,
					    "no boot id to compare" };
	if (!(matches->same & PIDTRACK_EVIDENCE_BOOT))
		return (struct conclusion){ PIDTRACK_VERDICT_OTHER_BOOT,
					    "the boot id is another" };
	if (matches->evidence & PIDTRACK_EVIDENCE_INODE)
		return conclude_by_inode(matches);
	return conclude_by_start(matches);
}

void pt_fingerprint_compare(const struct pt_fingerprint *recorded,
			    const struct pt_fingerprint *found,
			    struct pidtrack_comparison *ret_comparison)
{
	struct matches matches = match_all(recorded, found);
	struct conclusion conclusion = conclude(&matches);

	*ret_comparison = (struct pidtrack_comparison){
		.verdict = conclusion.verdict,
		.evidence = matches.evidence,
		.reason = conclusion.reason,
	};
}

static const char *const verdict_names[] = {
	[PIDTRACK_VERDICT_SAME] = "same",
	[PIDTRACK_VERDICT_EXITED] = "exited",
	[PIDTRACK_VERDICT_REUSED] = "reused",
	[PIDTRACK_VERDICT_GONE] = "gone",
	[PIDTRACK_VERDICT_OTHER_BOOT] = "other-boot",
	[PIDTRACK_VERDICT_UNPROVEN] = "unproven",
};

PUBLIC const char *pidtrack_verdict_name(uint32_t verdict)
{
	return pt_name(verdict_names, ARRAY_SIZE(verdict_names), verdict);
}

PUBLIC const char *pidtrack_evidence_name(uint32_t evidence)
{
	switch (evidence) {
	case PIDTRACK_EVIDENCE_BOOT:
		return "boot";
	case PIDTRACK_EVIDENCE_PID:
		return "pid";
	case PIDTRACK_EVIDENCE_START:
		return "start";
	case PIDTRACK_EVIDENCE_INODE:
		return "inode";
	case PIDTRACK_EVIDENCE_EXE:
		return "exe";
	case PIDTRACK_EVIDENCE_PIN:
		return "pin";
	default:
		return "unknown";
	}
}

int64_t pt_start_ns(uint64_t start)
{
	const int64_t tick = 1000000000 / sysconf(_SC_CLK_TCK);

	return sys_clock_ns(CLOCK_REALTIME) - sys_clock_ns(CLOCK_BOOTTIME) +
	       (int64_t)start * tick;
}
